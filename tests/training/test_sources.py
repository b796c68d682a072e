"""Every source of training data to the end: trained on, published, served and evaluated, by the commands of users."""

import asyncio
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
from credit_scoring.model import store
from credit_scoring.model.card import ModelCard
from credit_scoring.model.manifest import CARD_FILE
from credit_scoring.model.scorer import Scorer
from credit_scoring.serving.api import CreditApi, loaded
from credit_scoring.serving.auth import Keyring
from credit_scoring.serving.decision_engine import DecisionDesk
from credit_scoring.settings import ServiceSettings
from credit_scoring.training import search
from credit_scoring.training.candidates import CANDIDATE_BY_NAME
from tests.conftest import wait_until_ready
from tests.support.command_line import run_here
from tests.support.kaggle import KAGGLE_CSV, write_made_one
from tests.test_service import served

Json = dict[str, Any]

EASY = ("--trials", "1", "--jobs", "1", "--min-auc", "0.5", "--min-recall", "0")
NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)

DAYS, PER_DAY = 30, 10
LINES = 3_000  # of the real file: enough to train on


@dataclass(frozen=True)
class Files:
    """A test's own files and decision log."""

    folder: Path

    @property
    def log(self) -> str:
        return f"sqlite:///{self.folder}/decisions.db"

    def run(self, *arguments: str | Path) -> str:
        """What a command prints to its standard output."""
        ended = run_here(*arguments, CREDIT_SCORING_DATABASE_URL=self.log)
        assert ended.exit_code == 0, ended.output
        printed: str = ended.stdout
        return printed.strip()


def _embedded(files: Files) -> list[str | Path]:
    return ["--source", "embedded"]


def _kaggle(files: Files) -> list[str | Path]:
    if not KAGGLE_CSV.exists():
        pytest.skip(f"KAGGLE DATA ABSENT, kaggle source not tried to the end: no {KAGGLE_CSV.name}")
    path = files.folder / KAGGLE_CSV.name
    path.write_text("".join(KAGGLE_CSV.read_text(encoding="utf-8").splitlines(keepends=True)[:LINES]), encoding="utf-8")
    return ["--source", "kaggle", "--path", path]


def _made_kaggle(files: Files) -> list[str | Path]:
    return ["--source", "kaggle", "--path", write_made_one(files.folder / "kaggle.csv")]


def _without_audit_fields(files: Files) -> list[str | Path]:
    path = files.folder / "carteira.csv"
    income = np.random.default_rng(1).integers(1_000, 20_000, 600)
    bad = np.random.default_rng(2).uniform(2_000, 15_000, 600) > income
    columns = {"credit_letter_value": 50_000, "monthly_income": income, "outcome": np.where(bad, "DEFAULTED", "PAID")}
    pd.DataFrame(columns).to_csv(path, index=False)
    return ["--source", "csv", "--path", path]


def _decisions(files: Files) -> list[str | Path]:
    """Thirty days of ten approved clients, the poorer half of whom defaulted."""
    for number in range(DAYS):
        at = NOON + timedelta(days=number)
        made = put(files.log, [entry(0.1, monthly_income=1000.0 * each) for each in range(1, PER_DAY + 1)], at=at)
        became = [Outcome.DEFAULTED if each < PER_DAY / 2 else Outcome.PAID for each in range(PER_DAY)]
        reports = [
            OutcomeReport(decision_id=decision, outcome=outcome, observed_on=(at + timedelta(days=90)).date())
            for decision, outcome in zip(made, became, strict=True)
        ]
        ask(files.log, partial(outcomes.record, reports, ""))
    return ["--source", "decisions"]


def _answered(tag: str, folder: Path) -> Json:
    """What the service's API answers to the example of its document with this model, in this process."""
    settings = ServiceSettings(anonymous="anywhere", decision_log="off")
    api = CreditApi(settings, Keyring(anonymous="anywhere"))
    scorer = Scorer.load(Path(store.find(tag).path))

    async def answer() -> httpx.Response:
        api.use(loaded(DecisionDesk(scorer, tag), None, None, settings))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(api.app), base_url="http://here") as client:
            return await client.post("/predict", json=_example((await client.get("/docs.json")).json()))

    return _decision(asyncio.run(answer()))


def _answered_by_bentoml(tag: str, folder: Path) -> Json:
    """The same over HTTP, from the service in its own processes."""
    with served(folder, CREDIT_SCORING_MODEL=tag, CREDIT_SCORING_DATABASE_URL=Files(folder).log) as running:
        wait_until_ready(running)
        document = httpx.get(f"{running.url}/docs.json", timeout=30).json()
        return _decision(httpx.post(f"{running.url}/predict", json=_example(document), timeout=30))


def _example(document: Json) -> Json:
    """The application that the OpenAPI document shows, of the catalogue of the model in use."""
    found: Json = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    return found


def _decision(answer: httpx.Response) -> Json:
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


Prepare = Callable[[Files], list[str | Path]]
Answer = Callable[[str, Path], Json]
SOURCES: dict[str, tuple[Prepare, Answer, set[str]]] = {
    "embedded": (_embedded, _answered, {"age", "marital_status"}),
    "kaggle": (_kaggle, _answered, {"age"}),
    "a made file of Kaggle's shape": (_made_kaggle, _answered, {"age"}),
    "own csv without audit fields": (_without_audit_fields, _answered_by_bentoml, set()),
    "decisions": (_decisions, _answered, {"age", "marital_status"}),
}


@pytest.mark.parametrize(("prepare", "answered", "compared"), SOURCES.values(), ids=SOURCES)
def test_a_model_of_each_source_is_published_served_and_evaluated(
    prepare: Prepare,
    answered: Answer,
    compared: set[str],
    published: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """With one quick candidate to search: the others would only cost time here."""
    monkeypatch.setattr(search, "CANDIDATES", (CANDIDATE_BY_NAME["logistic_regression"],))
    files = Files(tmp_path)
    options = prepare(files)
    tag = files.run("train", *options, *EASY)
    assert published() == [tag]
    assert answered(tag, tmp_path)["model"] == tag
    report = tmp_path / "report"
    page = files.run("evaluate", tag, *options, "--output", report)
    assert tag in Path(page).read_text(encoding="utf-8")
    assessment = Assessment.model_validate_json((report / ASSESSMENT_FILE).read_bytes())
    card = ModelCard.model_validate_json((Path(store.find(tag).path) / CARD_FILE).read_bytes())
    assert {each.field for each in assessment.groups} == compared
    assert assessment.rows == card.data.rows_test
    assert assessment.metrics["auc"].value == card.test["auc"].value


def test_a_model_is_evaluated_on_data_that_lack_fields_which_it_uses(
    model_tag: str, scorer: Scorer, tmp_path: Path
) -> None:
    options = _without_audit_fields(Files(tmp_path))
    found = run_here("evaluate", model_tag, *options, "--output", tmp_path / "report")
    assert found.exit_code == 0, found.output
    assessment = Assessment.model_validate_json((tmp_path / "report" / ASSESSMENT_FILE).read_bytes())
    assert {each.field for each in assessment.partial_dependence} == {"credit_letter_value", "monthly_income"}
    assert {each.field for each in assessment.importance} == {*scorer.card.features}
