"""Made-up clients with as many fields as wanted, and a scorer that is trained on them in a second."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.data.datasets import Dataset
from credit_scoring.model.card import DataSummary, ModelCard
from credit_scoring.model.manifest import library_versions
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.costs import CostMatrix
from credit_scoring.policy.policy import Policy
from credit_scoring.training.candidates import CANDIDATE_BY_NAME
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.selection import calibrated

ROWS = 4_000
CANDIDATE = CANDIDATE_BY_NAME["lightgbm"]


def made_up(size: int, rows: int = ROWS) -> Dataset:
    """Clients with so many numbers, of which the first ten tell who defaults; the catalogue is named `of-SIZE`."""
    generator = np.random.default_rng(size)
    names = [f"number_{place}" for place in range(size)]
    values = generator.normal(size=(rows, size)).round(4)
    defaulted = values[:, :10].sum(axis=1) + generator.normal(0, 2, rows) > 2
    fields = {name: {"title": name, "kind": "number", "risk_moves": "up"} for name in names}
    catalogue = Catalogue.model_validate({"name": f"of-{size}", "fields": fields})
    return Dataset(f"made-up:{size}", "", "", catalogue, pd.DataFrame(values, columns=names), defaulted, (), ())


def quickly_trained(dataset: Dataset) -> Scorer:
    """A scorer of one small LightGBM, without search, comparison or test."""
    return scorer_of(calibrated(CANDIDATE, dataset, CANDIDATE.start, TrainingPlan(folds=3)), dataset)


def scorer_of(pipeline: Pipeline, dataset: Dataset) -> Scorer:
    """A scorer of this pipeline, fitted to the data set."""
    pipeline.fit(dataset.frame[list(dataset.features)], dataset.defaulted)
    rate = float(dataset.defaulted.mean())
    summary = DataSummary(
        source=dataset.source,
        sha256="",
        note="",
        rows_train=len(dataset.frame),
        rows_test=0,
        bad_rows=0,
        default_rate=rate,
    )
    card = ModelCard(
        trained_at=datetime.now(UTC),
        data=summary,
        features=dataset.features,
        seed=1,
        chosen=type(pipeline.named_steps["classifier"].estimator).__name__,
        candidates=(),
        calibration="",
        test={},
        minimum_auc=0,
        minimum_recall=0,
        library_versions=library_versions(),
    )
    policy = Policy(threshold=0.3, costs=CostMatrix())
    risk = pipeline.predict_proba(dataset.frame[list(dataset.features)])[:, 1]
    return Scorer.of(pipeline, dataset.catalogue, policy, card, dataset.frame, risk)
