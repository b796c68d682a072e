"""The report on a model: measured on clients that it was not trained on, as JSON for programs and a page for people."""

from pathlib import Path

import numpy as np

from credit_scoring.data.datasets import DECISIONS, Dataset
from credit_scoring.evaluation.assessment import assess
from credit_scoring.evaluation.page import model_page
from credit_scoring.evaluation.results import Assessment
from credit_scoring.model.card import ModelCard
from credit_scoring.model.scorer import Scorer

ASSESSMENT_FILE = "assessment.json"
PAGE_FILE = "card.html"


def unseen_part(card: ModelCard, dataset: Dataset) -> tuple[Dataset, str]:
    """The clients that a model may be measured on, and who they are in a few words.

    All of a new data set; of the very file that the model was trained on only the test part, drawn as it was then; of
    decisions, whose outcomes come in all the time, what is not older than the test part was. Raises DataError where too
    few of those have one of the outcomes.
    """
    since = card.data.test_since
    if since and dataset.days is not None and (dataset.source, card.data.source) == (DECISIONS, DECISIONS):
        newest = dataset.rows(np.flatnonzero(dataset.days >= np.datetime64(since)))
        newest.require_both_outcomes(f"since {since}, which training did not touch", "evaluate on a file")
        return newest, f"{dataset.source}, the {len(newest.frame):,} rows since {since}, which training did not touch"
    if dataset.sha256 != card.data.sha256:
        return dataset, f"{dataset.source}, all {len(dataset.frame):,} rows"
    _, test_part = dataset.split(card.data.rows_test, card.seed)  # a share may round to one row more
    return test_part, f"{dataset.source}, the {len(test_part.frame):,} rows of the untouched test part"


def measured(scorer: Scorer, dataset: Dataset) -> Assessment:
    """The model measured on what it has not seen of this data."""
    part, data = unseen_part(scorer.card, dataset)
    return assess(scorer, part, data, scorer.card.seed)


def write(tag: str, scorer: Scorer, assessment: Assessment, folder: Path) -> Path:
    """Put both forms of the report into a folder; the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ASSESSMENT_FILE).write_text(assessment.model_dump_json(indent=1), encoding="utf-8")
    page = folder / PAGE_FILE
    page.write_text(model_page(tag, scorer.card, assessment), encoding="utf-8")
    return page
