"""Every source of training data to the end: trained on, published, served and evaluated, by the commands of users."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from benchmarks.support.decision_records import ask, entry, put
from credit_scoring.decisions import outcomes
from credit_scoring.decisions.outcomes import Outcome, OutcomeReport
from credit_scoring.evaluation.model_report import ASSESSMENT_FILE
from credit_scoring.evaluation.results import Assessment
from credit_scoring.model.card import ModelCard
from credit_scoring.model.manifest import CARD_FILE
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import PROJECT_FOLDER
from tests.conftest import start_service, stop, wait_until_ready
from tests.support.command_line import WIDE, run_here
from tests.support.kaggle import KAGGLE_CSV, write_made_one

# The commands with one quick candidate to search: the others would only cost time here.
QUICK = """
from credit_scoring.cli import app as cli
from credit_scoring.training import search
from credit_scoring.training.candidates import CANDIDATE_BY_NAME
search.CANDIDATES = (CANDIDATE_BY_NAME["logistic_regression"],)
cli.main()
"""
EASY = ("--trials", "1", "--jobs", "1", "--min-auc", "0.5", "--min-recall", "0")
NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)

DAYS, PER_DAY = 30, 10
LINES = 3_000  # of the real file: enough to train on
TRAINED_WITHIN = 900.0  # on a machine that much else is done on


@dataclass(frozen=True)
class Store:
    """A model store and a decision log of a test's own."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "bentoml"

    @property
    def log(self) -> str:
        return f"sqlite:///{self.folder}/decisions.db"

    @property
    def environment(self) -> dict[str, str]:
        return {"BENTOML_HOME": str(self.home), "CREDIT_SCORING_DATABASE_URL": self.log}

    def run(self, *arguments: str | Path) -> str:
        """What a command prints to its standard output."""
        inherited = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
        ended = subprocess.run(
            [sys.executable, "-c", QUICK, *arguments],
            env={**inherited, **WIDE, **self.environment},
            cwd=PROJECT_FOLDER,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TRAINED_WITHIN,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip()


def _embedded(store: Store) -> list[str | Path]:
    return ["--source", "embedded"]


def _kaggle(store: Store) -> list[str | Path]:
    if not KAGGLE_CSV.exists():
        pytest.skip(f"KAGGLE DATA ABSENT, kaggle source not tried to the end: no {KAGGLE_CSV.name}")
    path = store.folder / KAGGLE_CSV.name
    path.write_text("".join(KAGGLE_CSV.read_text(encoding="utf-8").splitlines(keepends=True)[:LINES]), encoding="utf-8")
    return ["--source", "kaggle", "--path", path]


def _made_kaggle(store: Store) -> list[str | Path]:
    return ["--source", "kaggle", "--path", write_made_one(store.folder / "kaggle.csv")]


def _without_audit_fields(store: Store) -> list[str | Path]:
    path = store.folder / "carteira.csv"
    income = np.random.default_rng(1).integers(1_000, 20_000, 600)
    bad = np.random.default_rng(2).uniform(2_000, 15_000, 600) > income
    columns = {"credit_letter_value": 50_000, "monthly_income": income, "outcome": np.where(bad, "DEFAULTED", "PAID")}
    pd.DataFrame(columns).to_csv(path, index=False)
    return ["--source", "csv", "--path", path]


def _decisions(store: Store) -> list[str | Path]:
    """Thirty days of ten approved clients, the poorer half of whom defaulted."""
    for number in range(DAYS):
        at = NOON + timedelta(days=number)
        made = put(store.log, [entry(0.1, monthly_income=1000.0 * each) for each in range(1, PER_DAY + 1)], at=at)
        became = [Outcome.DEFAULTED if each < PER_DAY / 2 else Outcome.PAID for each in range(PER_DAY)]
        reports = [
            OutcomeReport(decision_id=decision, outcome=outcome, observed_on=(at + timedelta(days=90)).date())
            for decision, outcome in zip(made, became, strict=True)
        ]
        ask(store.log, partial(outcomes.record, reports, ""))
    return ["--source", "decisions"]


SOURCES: dict[str, tuple[Callable[[Store], list[str | Path]], set[str]]] = {
    "embedded": (_embedded, {"age", "marital_status"}),
    "kaggle": (_kaggle, {"age"}),
    "a made file of Kaggle's shape": (_made_kaggle, {"age"}),
    "own csv without audit fields": (_without_audit_fields, set()),
    "decisions": (_decisions, {"age", "marital_status"}),
}


@pytest.mark.parametrize(("prepare", "compared"), SOURCES.values(), ids=SOURCES)
def test_a_model_of_each_source_is_published_served_and_evaluated(
    prepare: Callable[[Store], list[str | Path]], compared: set[str], tmp_path: Path
) -> None:
    store = Store(tmp_path)
    options = prepare(store)
    tag = store.run("train", *options, *EASY)
    assert _decides(store, tag)["model"] == tag
    report = tmp_path / "report"
    page = store.run("evaluate", tag, *options, "--output", report)
    assert tag in Path(page).read_text(encoding="utf-8")
    assessment = Assessment.model_validate_json((report / ASSESSMENT_FILE).read_bytes())
    card = ModelCard.model_validate_json((store.home / "models" / tag.replace(":", "/") / CARD_FILE).read_bytes())
    assert {each.field for each in assessment.groups} == compared
    assert assessment.rows == card.data.rows_test
    assert assessment.metrics["auc"].value == card.test["auc"].value


def _decides(store: Store, tag: str) -> dict[str, Any]:
    """The answer of a service with this model to the example of its own catalogue."""
    service = start_service(
        "credit_scoring.service:CreditScoring", store.folder, CREDIT_SCORING_MODEL=tag, **store.environment
    )
    try:
        wait_until_ready(service)
        documented = httpx.get(f"{service.url}/docs.json", timeout=30).json()["paths"]["/predict"]["post"]
        example = documented["requestBody"]["content"]["application/json"]["example"]
        answer = httpx.post(f"{service.url}/predict", json=example, timeout=30)
    finally:
        stop(service.process)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_model_is_evaluated_on_data_that_lack_fields_which_it_uses(
    model_tag: str, scorer: Scorer, tmp_path: Path
) -> None:
    options = _without_audit_fields(Store(tmp_path))
    found = run_here("evaluate", model_tag, *options, "--output", tmp_path / "report")
    assert found.exit_code == 0, found.output
    assessment = Assessment.model_validate_json((tmp_path / "report" / ASSESSMENT_FILE).read_bytes())
    assert {each.field for each in assessment.partial_dependence} == {"credit_letter_value", "monthly_income"}
    assert {each.field for each in assessment.importance} == {*scorer.card.features}
