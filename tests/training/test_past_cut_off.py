"""The study that hides outcomes at a past cut-off, and a training on a decision log that refused clients."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmarks.support.consorcio import FIELDS, ConsorcioApplication
from benchmarks.support.decision_records import ask, decided_by, origin_of, put
from credit_scoring.application.arrays import Flags, Floats
from credit_scoring.application.schemas import Answer, Application
from credit_scoring.data.datasets import Dataset
from credit_scoring.data.past_decisions import PastDecisions
from credit_scoring.decisions import outcomes
from credit_scoring.decisions.outcomes import Outcome, OutcomeReport
from credit_scoring.model import store
from credit_scoring.model.card import ModelCard
from credit_scoring.model.manifest import CARD_FILE
from credit_scoring.model.reference import RISK
from credit_scoring.model.scorer import Scorer
from credit_scoring.training import search
from credit_scoring.training.candidates import CANDIDATE_BY_NAME
from credit_scoring.training.clock import Clock
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.past_cut_off import ENOUGH, NO_TIME, Studied, above_cut_off, cut_off_study, too_few
from credit_scoring.training.stages import COMPARE, CUT_OFF, FIT, PRICES, SEARCH, StageReport
from credit_scoring.training.train import train
from tests.support.command_line import run_here

pytestmark = pytest.mark.slow

PLAN = TrainingPlan(folds=5, repeats=2, jobs=1)
ROWS = 3000
NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)
DAYS = 30


def past(risk: Floats, model: list[str] | None = None) -> PastDecisions:
    nobody = pd.DataFrame()
    models = np.array(model or ["one"] * len(risk), dtype=object)
    return PastDecisions(risk=risk, model=models, refused=nobody, open=nobody, unusable=0)


# Who is above it


def test_the_riskiest_third_is_above_the_cut_off() -> None:
    above = above_cut_off(past(np.linspace(0.01, 0.3, 30)))
    assert above.tolist() == [False] * 20 + [True] * 10


def test_each_model_in_force_has_a_cut_off_of_its_own() -> None:
    """The old one gave risks twice as high."""
    risk = np.linspace(0.01, 0.3, 30)
    above = above_cut_off(past(np.concatenate([2 * risk, risk]), ["old"] * 30 + ["new"] * 30))
    assert above.tolist() == 2 * ([False] * 20 + [True] * 10)


@given(arrays(np.float64, st.integers(1, 60), elements=st.sampled_from([0.1, 0.2, 0.3, 0.4])))
def test_nobody_above_it_has_a_risk_as_low_as_one_below_and_at_most_a_third_is_above(risk: Floats) -> None:
    above = above_cut_off(past(risk))
    assert not above.any() or risk[above].min() > risk[~above].max()
    assert above.sum() <= len(risk) / 3 + 1


def test_where_all_had_the_same_risk_nobody_is_and_that_is_too_few() -> None:
    above = above_cut_off(past(np.full(300, 0.1)))
    assert not above.any()
    assert too_few(np.arange(300) % 2 == 0, above) == (
        "above the cut-off that would have refused the riskiest third, 0 clients defaulted and 0 paid; it takes 20 of "
        "each"
    )


@pytest.mark.parametrize(
    ("defaulted_above", "defaulted_below", "said"),
    [
        (20, 50, ""),
        (19, 50, "above the cut-off that would have refused the riskiest third, 19 clients defaulted and 81 paid"),
        (81, 50, "above the cut-off that would have refused the riskiest third, 81 clients defaulted and 19 paid"),
        (20, 49, "below the cut-off that would have refused the riskiest third, 49 clients defaulted and 151 paid"),
    ],
)
def test_it_is_said_which_side_has_too_few_of_an_outcome(defaulted_above: int, defaulted_below: int, said: str) -> None:
    above = np.arange(300) >= 200
    defaulted = np.zeros(300, dtype=np.bool_)
    defaulted[:defaulted_below] = True
    defaulted[200 : 200 + defaulted_above] = True
    assert too_few(defaulted, above).startswith(said)
    assert bool(too_few(defaulted, above)) == bool(said)


# What it costs


@pytest.fixture(scope="module")
def made(dataset: Dataset) -> Dataset:
    """Clients whose risk rises with their debt slowly, and from a debt of 30,000 on steeply."""
    generator = np.random.default_rng(3)
    debt = generator.uniform(0, 45_000, ROWS)
    risk = np.where(debt > 30_000, 0.1 + 0.8 * (debt - 30_000) / 15_000, 0.05 + 0.05 * debt / 30_000)
    frame = dataset.frame.iloc[:ROWS].reset_index(drop=True).assign(outstanding_debt=debt)
    return replace(dataset, frame=frame, defaulted=generator.random(ROWS) < risk, past=past(debt))


def studied(part: Dataset, above: Flags, clock: Clock | None = None, seconds: float = 0.0) -> Studied:
    candidate = CANDIDATE_BY_NAME["lightgbm"]
    pipeline = candidate.pipeline(part.columns, {**candidate.start, "n_estimators": 60}, PLAN.seed)
    return cut_off_study(pipeline, part, above, PLAN, clock or Clock(), seconds)


def test_where_the_hidden_ones_are_unlike_the_others_ranking_and_level_are_lost_and_it_says_how_much(
    made: Dataset,
) -> None:
    assert made.past is not None
    above = above_cut_off(made.past)
    found = studied(made, above).study
    assert found is not None
    assert (found.hidden_rows, found.seen_rows) == (ROWS // 3, ROWS - ROWS // 3)
    assert found.hidden_default_rate.value == made.defaulted[above].mean()
    assert found.seen_default_rate.value == made.defaulted[~above].mean()
    ranking, level = found.effects["auc"], found.effects["predicted_default_rate"]
    assert ranking.full.value > 0.7
    assert ranking.difference.high < -0.1
    assert level.full.value == pytest.approx(found.hidden_default_rate.value, abs=0.03)
    assert level.hidden.value < 0.2
    assert level.difference.value == pytest.approx(level.hidden.value - level.full.value)
    assert level.difference.high < -0.2


def test_where_those_hidden_are_like_the_others_nothing_is_lost_beyond_noise(made: Dataset) -> None:
    found = studied(made, np.random.default_rng(1).random(ROWS) < 1 / 3).study
    assert found is not None
    assert all(effect.difference.low <= 0 <= effect.difference.high for effect in found.effects.values())


def test_the_outcomes_of_the_hidden_cannot_move_the_model_that_did_not_see_them(made: Dataset) -> None:
    """With other outcomes, what it predicts for them stays the same to the last bit, if the folds do."""
    assert made.past is not None
    above = above_cut_off(made.past)
    turned = made.defaulted.copy()
    turned[above] = made.defaulted[above][::-1]
    splits: list[Any] = []

    class Kept(TrainingPlan):
        def comparison_splitters(self) -> list[Any]:
            return [_Same(splits, each) for each in super().comparison_splitters()[:1]]

    def predicted(defaulted: Flags) -> Any:
        pipeline = CANDIDATE_BY_NAME["logistic_regression"].pipeline(made.columns, {"C": 1.0}, 1)
        part = replace(made, defaulted=defaulted)
        study = cut_off_study(pipeline, part, above, Kept(folds=5, jobs=1), Clock(), 0.0).study
        assert study is not None
        return study.effects["predicted_default_rate"]

    before, after = predicted(made.defaulted), predicted(turned)
    assert before.hidden == after.hidden
    assert before.full != after.full


class _Same:
    """Splits as they were the first time."""

    def __init__(self, splits: list[Any], splitter: Any) -> None:
        self.splits, self.splitter = splits, splitter

    def split(self, rows: Any, strata: Any) -> list[Any]:
        if not self.splits:
            self.splits += self.splitter.split(rows, strata)
        return self.splits


def test_without_time_for_one_repeat_there_is_no_study_and_a_reason(made: Dataset) -> None:
    assert studied(made, np.arange(ROWS) % 3 == 0, Clock(0.0), seconds=1.0) == Studied(None, NO_TIME)


def test_it_is_the_same_for_any_number_of_processes(made: Dataset) -> None:
    assert made.past is not None
    pipeline = CANDIDATE_BY_NAME["logistic_regression"].pipeline(made.columns, {"C": 1.0}, 1)
    above = above_cut_off(made.past)
    one, two = (cut_off_study(pipeline, made, above, replace(PLAN, jobs=jobs), Clock(), 0.0) for jobs in (1, 2))
    assert one == two


# In a training


@pytest.fixture
def baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the quickest candidate, where the others would only cost time."""
    monkeypatch.setattr(search, "CANDIDATES", (CANDIDATE_BY_NAME["logistic_regression"],))


def with_refused(dataset: Dataset) -> Dataset:
    """The embedded clients in two halves: one with outcomes and a risk on record, the poorer one refused."""
    order = np.argsort(dataset.frame["assets_value"].fillna(0.0).to_numpy(), kind="stable")
    poorer, richer = np.array_split(order, 2)
    known = dataset.rows(np.sort(richer))
    risk = np.linspace(0.01, 0.3, len(known.frame))
    beside = replace(past(risk), refused=dataset.frame.iloc[poorer], open=dataset.frame[:100], unusable=7)
    return replace(known, past=beside)


@pytest.mark.usefixtures("baseline")
def test_the_study_is_a_stage_of_its_own_that_says_beforehand_what_it_takes_and_works_on(dataset: Dataset) -> None:
    stages: list[StageReport] = []
    card = train(with_refused(dataset), TrainingPlan(trials=1, jobs=1, folds=3), on_stage=stages.append).card
    assert [each.title for each in stages] == [SEARCH, COMPARE, PRICES, CUT_OFF, FIT]
    bias = card.selection_bias
    assert bias is not None
    assert bias.study is not None
    rows = f"{bias.study.hidden_rows:,} of {card.data.rows_train:,} rows"
    assert stages[3].detail == f"{rows}, at most 3 × 3 folds"
    assert stages[3].seconds is not None
    assert stages[3].seconds > 0
    assert bias.no_study == ""


@pytest.mark.usefixtures("baseline")
def test_where_the_time_is_up_the_card_says_so_and_still_shows_the_rest(dataset: Dataset) -> None:
    bias = train(with_refused(dataset), TrainingPlan(trials=1, jobs=1, folds=3, timeout=1e-6)).card.selection_bias
    assert bias is not None
    assert (bias.study, bias.no_study) == (None, NO_TIME)
    assert bias.bands
    assert bias.fields
    assert bias.unusable == 7


@pytest.mark.usefixtures("baseline")
def test_where_the_comparison_has_a_sample_the_others_are_a_sample_of_the_same_share(dataset: Dataset) -> None:
    whole = with_refused(dataset)
    plan = TrainingPlan(trials=1, jobs=1, folds=3, compare_rows=len(whole.frame) * 2 // 5, price_rows=1200)
    card = train(whole, plan).card  # two fifths of all are half of the training part
    bias = card.selection_bias
    assert bias is not None
    in_bands = [sum(getattr(band, name) for band in bias.bands) for name in ("known", "open", "refused")]
    shown = [bias.known, bias.open, bias.refused]
    assert shown == [len(whole.frame), 100, len(whole.past.refused) if whole.past else 0]
    assert in_bands == [pytest.approx(each / 2, abs=2) for each in shown]
    assert bias.study is not None
    assert bias.study.hidden_rows + bias.study.seen_rows == 1200


@pytest.mark.usefixtures("baseline")
def test_where_so_few_rows_would_have_hardly_a_defaulter_the_study_has_as_many_more_as_it_takes(
    dataset: Dataset,
) -> None:
    """As many as the other stages take, of whom 50 defaulted, would be too few to study: it takes 20 and 50."""
    card = train(with_refused(dataset), TrainingPlan(trials=1, jobs=1, folds=3, repeats=1, price_rows=300)).card
    bias = card.selection_bias
    assert bias is not None
    assert bias.study is not None
    rates = [
        (bias.study.hidden_rows, bias.study.hidden_default_rate),
        (bias.study.seen_rows, bias.study.seen_default_rate),
    ]
    assert sum(rows * rate.value for rows, rate in rates) == pytest.approx(ENOUGH, abs=1)


def test_a_model_that_was_trained_on_a_file_says_nothing_of_it(scorer: Scorer) -> None:
    assert scorer.card.selection_bias is None


def test_the_card_of_an_older_model_can_still_be_read(scorer: Scorer) -> None:
    content = scorer.card.model_dump()
    del content["selection_bias"]
    assert ModelCard.model_validate(content) == scorer.card


# A training to the end


@pytest.fixture
def log(dataset: Dataset, scorer: Scorer, tmp_path: Path) -> str:
    """Thirty days of a service with that model: the embedded clients, whose outcome is known if it approved them."""
    address = f"sqlite:///{tmp_path}/decisions.db"
    applications = [_as_sent(row) for row in dataset.frame.to_dict(orient="records")]
    for day, places in enumerate(np.array_split(np.random.default_rng(1).permutation(len(applications)), DAYS)):
        at = NOON + timedelta(days=day)
        entries = decided_by(scorer, "credit_scoring:past", [applications[place] for place in places])
        made = put(address, entries, at=at, origin=origin_of(scorer, "credit_scoring:past"))
        reports = [
            OutcomeReport(
                decision_id=decision,
                outcome=Outcome.DEFAULTED if dataset.defaulted[place] else Outcome.PAID,
                observed_on=(at + timedelta(days=90)).date(),
            )
            for decision, place, entry in zip(made, places, entries, strict=True)
            if entry.decision.decision == Answer.APPROVED
        ]
        ask(address, partial(outcomes.record, reports, ""))
    return address


def _as_sent(row: dict[Any, Any]) -> Application:
    there = {name: value for name, value in row.items() if not pd.isna(value)}
    sent = {name: bool(value) if FIELDS[name].kind == "flag" else value for name, value in there.items()}
    return ConsorcioApplication.model_validate(sent)


@pytest.mark.usefixtures("baseline")
def test_a_model_trained_on_a_log_that_refused_clients_says_what_it_cannot_know(
    log: str, dataset: Dataset, published: Callable[[], list[str]]
) -> None:
    options = ["--trials", "1", "--jobs", "1", "--min-auc", "0.5", "--min-recall", "0"]
    ended = run_here("train", "--source", "decisions", *options, CREDIT_SCORING_DATABASE_URL=log)
    assert ended.exit_code == 0, ended.output
    (tag,) = published()
    folder = Path(store.find(tag).path)
    card = ModelCard.model_validate_json((folder / CARD_FILE).read_bytes())
    bias = card.selection_bias
    assert bias is not None
    assert bias.known == card.data.rows_train + card.data.rows_test
    assert bias.known + bias.refused == len(dataset.frame)
    assert bias.blind
    assert bias.blind == bias.bands[-len(bias.blind) :]
    assert 0 < bias.blind_applications < 0.5
    assert {each.field for each in bias.fields} == {*card.features, RISK}
    assert bias.fields[0].psi > bias.fields[0].limit
    assert bias.study is not None
    assert bias.study.hidden_rows == pytest.approx(card.data.rows_train / 3, abs=1)
    assert bias.study.effects["predicted_default_rate"].hidden.value < bias.study.hidden_default_rate.low
    for text in (
        "Hide outcomes at a past cut-off: ",
        f"Without an outcome: {bias.refused:,} refused applications and 0 approved ones, beside {bias.known:,}",
        "refused against known",
        "default rate predicted",
    ):
        assert text in ended.stderr
    page = (folder / "card.html").read_text(encoding="utf-8")
    assert "Clients without an outcome" in page
    assert ended.stderr.count("Traceback") == 0
