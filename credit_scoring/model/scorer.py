"""The scorer: fitted pipeline, policy and reference, the one object that turns applications into decisions."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import joblib
import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict
from sklearn.pipeline import Pipeline

from credit_scoring.application.arrays import Floats
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.records import Records
from credit_scoring.errors import ExplanationError, ModelRejectedError
from credit_scoring.model.calibration import CalibratedClassifier
from credit_scoring.model.card import ModelCard
from credit_scoring.model.compiled import CompiledPipeline
from credit_scoring.model.features import application_frame
from credit_scoring.model.manifest import (
    CARD_FILE,
    CATALOGUE_FILE,
    PIPELINE_FILE,
    POLICY_FILE,
    REFERENCE_FILE,
    inspect,
    seal,
    version_advice,
)
from credit_scoring.model.proof_rows import proof_rows
from credit_scoring.model.reference import DriftReference, reference_of
from credit_scoring.model.reference_applicant import ReferenceApplicant, reference_applicants
from credit_scoring.model.unknowns import Unknowns
from credit_scoring.policy.evaluator import Evaluator, Ruling
from credit_scoring.policy.policy import Policy

logger = logging.getLogger(__name__)

REFERENCE_ROWS = 256
SCORE_TOLERANCE = 1e-9
PARITY_TOLERANCE = 1e-6


class Reference(BaseModel):
    """Rows of nobody, feature fields only, with the risks that the model gave them when it was saved.

    Models from before rows were made up hold training rows, which prove as well. `drift` is the distribution of all of
    training, `applicants` whom reasons compare a client with; models from before they were kept have none.
    """

    model_config = ConfigDict(frozen=True)

    rows: tuple[dict[str, Any], ...]
    risk: tuple[float, ...]
    drift: DriftReference | None = None
    applicants: tuple[ReferenceApplicant, ...] = ()


@dataclass(frozen=True)
class Scorer:
    """Scores and decides; service, batch and evaluation hold one of these and nothing else."""

    pipeline: Pipeline
    catalogue: Catalogue
    policy: Policy
    card: ModelCard
    reference: Reference
    compiled: CompiledPipeline | None = None

    @classmethod
    def of(
        cls,
        pipeline: Pipeline,
        catalogue: Catalogue,
        policy: Policy,
        card: ModelCard,
        frame: pd.DataFrame,
        held_out_risk: Floats | None = None,
        trained_on: pd.DataFrame | None = None,
    ) -> Self:
        """A scorer whose reference is made for the training frame, or for a sample of it and all of it.

        `held_out_risk`, shape (rows,), is that of `frame`; without it no drift can be told, and the reference
        applicants are found by the risk that the pipeline itself gives. `trained_on` is what `frame` is a sample of;
        what no row of it has is outside training.
        """
        features = frame[list(card.features)]
        made_up = proof_rows(features, catalogue, REFERENCE_ROWS, card.seed)
        rows = tuple(json.loads(made_up.to_json(orient="records", double_precision=15)))
        whole = frame if trained_on is None else trained_on
        drift = None if held_out_risk is None else reference_of(whole, card.features, catalogue, held_out_risk)
        scorer = cls(pipeline, catalogue, policy, card, Reference(rows=rows, risk=()))
        risk = tuple(scorer.score_records(rows).tolist())
        known_risk = scorer.score(frame) if held_out_risk is None else held_out_risk
        applicants = reference_applicants(features, known_risk, catalogue, scorer.score_records)
        return replace(scorer, reference=Reference(rows=rows, risk=risk, drift=drift, applicants=applicants))

    def under(self, policy: Policy) -> Self:
        """The same model under this policy, which is not checked: see `governed`."""
        return replace(self, policy=policy)

    def score(self, frame: pd.DataFrame) -> Floats:
        """Risk probability of each row, shape (rows,); a row's value does not depend on the others."""
        probabilities = self.pipeline.predict_proba(frame[list(self.card.features)])
        return np.asarray(probabilities[:, 1], dtype=np.float64)

    def score_records(self, records: Sequence[Mapping[str, Any]]) -> Floats:
        """Risk probability of each record; every feature is a key of each. By the compiled form where there is one."""
        if self.compiled is None:
            return self.score(application_frame(records, self.catalogue, self.card.features))
        return self.compiled.score(records)

    @cached_property
    def evaluator(self) -> Evaluator:
        """The policy, ready for applications of this catalogue."""
        return Evaluator(self.policy, self.catalogue)

    @cached_property
    def unknowns(self) -> Unknowns:
        """Tells what the model did not know of an application."""
        return Unknowns(self.card.features, self.reference.drift)

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The fields of an application that decide: those that the model uses, and those that only rules do."""
        return tuple(dict.fromkeys([*self.card.features, *self.evaluator.fields]))

    def decide(self, records: Sequence[Mapping[str, Any]]) -> tuple[Floats, list[Ruling]]:
        """Risk probability, shape (records,), and ruling of each record; every one of `fields` is a key of each."""
        records = Records.of(records)
        risks = self.score_records(records)
        return risks, self.evaluator.rulings(records, risks)

    def log_odds(self, records: Sequence[Mapping[str, Any]]) -> Floats:
        """Log-odds of each record before calibration, shape (records,): what the risk probability rises with.

        Raises ExplanationError where the pipeline is not one that `credit-scoring train` makes.
        """
        if self.compiled is not None:
            return self.compiled.log_odds(records)
        matrix: Any = application_frame(records, self.catalogue, self.card.features)
        *preprocessing, (_, classifier) = self.pipeline.steps
        if not isinstance(classifier, CalibratedClassifier):
            raise ExplanationError("The model has no log-odds before calibration, so it can give no reasons.")
        for _, step in preprocessing:
            matrix = step.transform(matrix)
        found: Floats = classifier.estimator_.decision_function(matrix)
        return found

    def prove(self) -> None:
        """Re-score the reference rows; raises ModelRejectedError when a risk differs from the saved one."""
        found = self.score_records(self.reference.rows)
        worst = float(np.max(np.abs(found - np.array(self.reference.risk)), initial=0.0))
        if not worst <= SCORE_TOLERANCE:
            raise ModelRejectedError(
                f"The model does not score as it did when it was saved: a reference row differs by {worst:.2g}, "
                f"at most {SCORE_TOLERANCE:g} is allowed. {version_advice(self.card)}"
            )

    def with_compiled_form(self) -> Self:
        """The same scorer, compiled if that form scores the reference rows as the pipeline does; as it is if not."""
        try:
            compiled = CompiledPipeline(self.pipeline)
            gap = np.abs(compiled.score(self.reference.rows) - np.array(self.reference.risk))
        except Exception as error:  # whatever a pipeline of another shape makes the compiler raise
            logger.warning("Serving the pipeline itself: it cannot be compiled (%s).", type(error).__name__)
            return self
        if not gap.max(initial=0.0) <= PARITY_TOLERANCE:
            logger.warning("Serving the pipeline itself: its compiled form differs by %.2g.", gap.max())
            return self
        return replace(self, compiled=compiled)

    def save(self, folder: Path) -> None:
        """Write pipeline, catalogue, policy, reference, card and a manifest of their hashes into a folder."""
        joblib.dump(self.pipeline, folder / PIPELINE_FILE)
        (folder / CATALOGUE_FILE).write_text(self.catalogue.model_dump_json(indent=1), encoding="utf-8")
        (folder / CARD_FILE).write_text(self.card.model_dump_json(indent=2), encoding="utf-8")
        (folder / POLICY_FILE).write_text(self.policy.model_dump_json(indent=2), encoding="utf-8")
        (folder / REFERENCE_FILE).write_text(self.reference.model_dump_json(), encoding="utf-8")
        seal(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved scorer and prove it; raises ModelRejectedError when it must not decide."""
        card = inspect(folder)
        try:
            pipeline = joblib.load(folder / PIPELINE_FILE)
            catalogue = Catalogue.model_validate_json((folder / CATALOGUE_FILE).read_bytes())
            policy = Policy.model_validate_json((folder / POLICY_FILE).read_bytes())
            reference = Reference.model_validate_json((folder / REFERENCE_FILE).read_bytes())
        except Exception as error:  # unpickling may raise anything
            raise ModelRejectedError(f"Model {folder}: cannot be loaded ({error}). {version_advice(card)}") from error
        scorer = cls(pipeline, catalogue, policy, card, reference)
        scorer.prove()
        return scorer.with_compiled_form()
