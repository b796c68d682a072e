"""Training: deterministic for a seed, honest about its test part, and stopped by the gate."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from benchmarks.support.consorcio import AUDIT_FIELDS
from credit_scoring.data.datasets import Dataset
from credit_scoring.errors import ModelRejectedError, UnpublishedError
from credit_scoring.evaluation.performance import measure
from credit_scoring.model.card import Interval, ModelCard
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy import costs
from credit_scoring.policy.costs import Limits
from credit_scoring.training import contest, growth, selection
from credit_scoring.training import search as searching
from credit_scoring.training.candidates import CANDIDATE_BY_NAME, CANDIDATES, ENSEMBLE, UNCONSTRAINED
from credit_scoring.training.clock import Clock
from credit_scoring.training.config import LARGEST_SEED, TrainingPlan
from credit_scoring.training.forecast import Forecast
from credit_scoring.training.search import Searched, TrialReport, search, search_unconstrained
from credit_scoring.training.selection import Compared
from credit_scoring.training.spaces import Parameters
from credit_scoring.training.stages import COMPARE, FIT, PRICES, SEARCH, StageReport
from credit_scoring.training.train import check_gate, compared, train

BASELINE = CANDIDATE_BY_NAME["logistic_regression"]
QUICK_LIGHTGBM = {**CANDIDATE_BY_NAME["lightgbm"].start, "n_estimators": 100}


@pytest.fixture(scope="module")
def small(dataset: Dataset) -> Dataset:
    part, _ = dataset.split(1 - 500 / len(dataset.frame), seed=3)
    return part


def _only_the_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search one quick candidate, where the others would only cost time."""
    monkeypatch.setattr(searching, "CANDIDATES", (BASELINE,))


def _with_frame_of_rows(dataset: Dataset, rows: npt.NDArray[np.bool_], **columns: float) -> Dataset:
    frame = dataset.frame.copy()
    for name, value in columns.items():
        frame.loc[rows, name] = value
    return replace(dataset, frame=frame)


def _test_rows(dataset: Dataset, plan: TrainingPlan) -> npt.NDArray[np.bool_]:
    numbered = replace(dataset, frame=dataset.frame.assign(row=np.arange(len(dataset.frame))))
    _, test_part = numbered.split(plan.test_share, plan.seed)
    rows = np.zeros(len(dataset.frame), dtype=np.bool_)
    rows[test_part.frame["row"]] = True
    return rows


def test_one_and_two_processes_give_the_same_model_to_the_last_bit(dataset: Dataset, scorer: Scorer) -> None:
    other = train(dataset, TrainingPlan(trials=1, jobs=2, repeats=1, folds=3))
    assert other.score(dataset.frame).tobytes() == scorer.score(dataset.frame).tobytes()
    assert other.policy == scorer.policy
    assert other.reference == scorer.reference
    assert other.card.model_copy(update={"trained_at": scorer.card.trained_at}) == scorer.card


def test_the_same_seed_draws_the_same_trials_and_another_otherwise(
    small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    _only_the_baseline(monkeypatch)
    found: list[list[float]] = []
    for seed in (1, 1, 2):
        reports: list[TrialReport] = []
        search(small, TrainingPlan(trials=16, jobs=1, seed=seed, folds=3), reports.append)
        found.append([report.auc for report in reports])
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_every_trial_is_reported_with_the_best_so_far(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    _only_the_baseline(monkeypatch)
    reports: list[TrialReport] = []
    (result,) = search(small, TrainingPlan(trials=10, jobs=1, folds=3), reports.append)
    assert [(report.number, report.trials) for report in reports] == [(number, 5) for number in range(1, 6)]
    best = [report.best_auc for report in reports]
    assert best == sorted(best)
    assert {*best} <= {each.auc for each in reports}
    assert result.auc_mean == reports[-1].best_auc
    assert result.trials == 5


def test_when_the_time_is_up_the_first_candidate_has_had_one_trial_and_no_other_is_begun(small: Dataset) -> None:
    results = search(small, TrainingPlan(trials=1000, timeout=1e-6, jobs=1, folds=2), lambda _: None)
    assert {result.name: result.trials for result in results} == {CANDIDATES[0].name: 1}


def test_a_candidate_that_does_not_suit_the_data_is_not_tried(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    forest = replace(CANDIDATE_BY_NAME["random_forest"], most_values=len(small.features) * len(small.frame) - 1)
    monkeypatch.setattr(searching, "CANDIDATES", (BASELINE, forest))
    reports: list[TrialReport] = []
    results = search(small, TrainingPlan(trials=2, jobs=1, folds=2), reports.append)
    assert {result.name for result in results} == {each.candidate.name for each in reports} == {BASELINE.name}


def test_a_training_whose_time_is_up_still_ends_with_a_model_from_the_least_of_each_stage(small: Dataset) -> None:
    """No time at all: one trial, one comparison, no prices."""
    stages: list[StageReport] = []
    plan = TrainingPlan(trials=1000, timeout=1e-6, jobs=1, folds=3)
    card = train(small, plan, on_stage=stages.append).card
    assert [each.title for each in stages] == [SEARCH, COMPARE, PRICES, FIT]
    assert all(result.trials <= 1 for result in card.candidates)
    assert card.direction_prices == {}
    assert card.unpriced
    assert card.missing_price is None


def test_no_stage_gets_the_time_that_the_last_fit_will_take(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    _only_the_baseline(monkeypatch)
    monkeypatch.setattr(Forecast, "last_fits", lambda *_: 1e6)
    stages: list[StageReport] = []
    plan = TrainingPlan(trials=1, timeout=1_000, jobs=1, folds=3, repeats=1)
    card = train(dataset, plan, on_stage=stages.append).card
    assert ["2,000 rows" in each.detail for each in stages if each.title == COMPARE] == [True]
    assert card.direction_prices == {}


def test_each_stage_after_the_search_says_beforehand_what_it_will_take(
    small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    _only_the_baseline(monkeypatch)
    stages: list[StageReport] = []
    train(small, TrainingPlan(trials=2, jobs=1, folds=3), on_stage=stages.append)
    assert stages[0].seconds is None
    assert all(each.seconds is not None and each.seconds > 0 for each in stages[1:])


def test_many_rows_are_searched_and_compared_on_samples_and_fitted_as_a_whole(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "CANDIDATES", (CANDIDATE_BY_NAME["lightgbm_random"],))
    fitted: list[int] = []
    original = selection.calibrated_choice
    plan = TrainingPlan(trials=1, jobs=1, folds=3, search_rows=400, compare_rows=900, price_rows=300)
    stages: list[StageReport] = []

    def noted(found: Compared, part: Dataset, plan: TrainingPlan) -> Pipeline:
        fitted.extend([len(found.part.frame), len(found.log_odds), len(part.frame)])
        return original(found, part, plan)

    monkeypatch.setattr("credit_scoring.training.train.calibrated_choice", noted)
    card = train(dataset, plan, on_stage=stages.append).card
    assert fitted == [900, 900, card.data.rows_train]
    assert card.rows_compared == 900
    assert [each.detail for each in stages if each.title == SEARCH] == ["400 rows, 3 folds"]
    assert card.test["auc"].value > 0.8


@pytest.fixture
def grown_for(monkeypatch: pytest.MonkeyPatch) -> list[Clock]:
    """The clocks of all growth of the boosters of a training, of which there is one that is quick."""
    booster = replace(CANDIDATE_BY_NAME["lightgbm"], other_starts=(), large_starts=())
    monkeypatch.setattr(searching, "CANDIDATES", (booster,))
    clocks: list[Clock] = []

    def noted(parameters: Mapping[str, Parameters], part: Dataset, plan: TrainingPlan, clock: Clock) -> Any:
        clocks.append(clock)
        return growth.grown(parameters, part, plan, clock)

    monkeypatch.setattr("credit_scoring.training.train.grown", noted)
    return clocks


SAMPLED = TrainingPlan(trials=1, jobs=1, folds=3, repeats=1, search_rows=400, compare_rows=400, price_rows=300)


def test_growth_before_the_last_fit_leaves_it_the_time_that_it_then_takes(
    dataset: Dataset, grown_for: list[Clock]
) -> None:
    """A fit on all rows takes a quarter longer than growth on four fifths of them did."""
    clock = Clock(100_000.0)
    train(dataset, SAMPLED, clock=clock)
    (last,) = grown_for
    assert last.seconds is not None
    assert 2.25 * last.seconds < 100_000


def test_boosters_that_the_search_had_to_cut_are_not_grown_beyond_what_was_calibrated(
    dataset: Dataset, grown_for: list[Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "credit_scoring.training.train.search",
        lambda *given: [replace(each, was_cut=True) for each in search(*given)],
    )
    train(dataset, SAMPLED)
    assert grown_for == []


def test_what_any_row_of_the_training_part_has_is_not_outside_training(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    _only_the_baseline(monkeypatch)
    scorer = train(dataset, TrainingPlan(trials=1, jobs=1, folds=3, repeats=1, compare_rows=300))
    part, _ = dataset.split(0.2, 42)
    assert (scorer.card.rows_compared, len(part.frame)) == (300, 3563)
    assert scorer.reference.drift
    assert scorer.reference.drift.rows == 300
    for bins in scorer.reference.drift.fields[:-1]:
        column = part.frame[bins.field]
        assert sum(bins.counts) == len(column)
        if not (bins.values or bins.is_flag):
            assert (bins.least, bins.greatest) == (column.min(), column.max())


def test_where_samples_would_have_hardly_a_defaulter_the_card_is_still_whole(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    _only_the_baseline(monkeypatch)
    defaulters, payers = (np.flatnonzero(each) for each in (dataset.defaulted, ~dataset.defaulted))
    rare = dataset.rows(np.sort(np.concatenate([defaulters[:100], payers])))
    plan = TrainingPlan(trials=1, jobs=1, folds=3, repeats=1, search_rows=60, compare_rows=60, price_rows=60)
    card = train(rare, plan).card
    assert card.direction_prices
    assert ModelCard.model_validate_json(card.model_dump_json()) == card


def _held_out_parts(monkeypatch: pytest.MonkeyPatch, module: Any, function: str) -> set[frozenset[int]]:
    """The parts held out of the splits that this function, which takes them third, is called with from now on."""
    found: set[frozenset[int]] = set()
    original = getattr(module, function)

    def noted(*arguments: Any, **more: Any) -> Any:
        found.update(frozenset(held_out.tolist()) for _, held_out in arguments[2])
        return original(*arguments, **more)

    monkeypatch.setattr(module, function, noted)
    return found


def test_candidates_are_compared_on_folds_that_no_search_has_used(
    small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "CANDIDATES", (BASELINE, CANDIDATE_BY_NAME["random_forest"]))
    monkeypatch.setattr(selection, "decided", lambda contenders, folds: False)
    searched = _held_out_parts(monkeypatch, searching, "prepared")
    compared = _held_out_parts(monkeypatch, contest, "held_out_log_odds")
    train(small, TrainingPlan(trials=2, jobs=1, folds=3, repeats=3))
    assert (len(searched), len(compared)) == (3, 9)
    assert searched.isdisjoint(compared)


def test_a_comparison_that_is_decided_needs_no_more_repeats(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    _only_the_baseline(monkeypatch)
    compared = _held_out_parts(monkeypatch, contest, "held_out_log_odds")
    train(small, TrainingPlan(trials=2, jobs=1, folds=3, repeats=3))
    assert len(compared) == 3


def test_the_largest_seed_is_one_that_every_candidate_takes(small: Dataset) -> None:
    plan = TrainingPlan(seed=LARGEST_SEED, trials=1, timeout=1e-6, jobs=1, folds=3)
    assert train(small, plan).card.seed == LARGEST_SEED
    for candidate in CANDIDATES:
        start = {**candidate.start, "n_estimators": 2} if "n_estimators" in candidate.start else candidate.start
        pipeline = candidate.pipeline(small.columns, start, plan.seed)
        assert pipeline.fit(small.frame[list(small.features)], small.defaulted)


@given(seed=st.integers(0, 2**32 - 20), folds=st.integers(2, 10), repeats=st.integers(1, 5))
def test_no_two_foldings_of_a_plan_hold_the_same_part_out(seed: int, folds: int, repeats: int) -> None:
    plan = TrainingPlan(seed=seed, folds=folds, repeats=repeats)
    defaulted = np.arange(500) % 4 == 0
    splitters = [plan.splitter(), *plan.comparison_splitters()]
    parts = [held_out.tobytes() for each in splitters for _, held_out in each.split(defaulted, defaulted)]
    assert len(set(parts)) == len(parts) == folds * (1 + repeats)


def test_the_best_candidate_is_searched_without_constraints_as_long_as_with_them(small: Dataset) -> None:
    plan = TrainingPlan(trials=4, jobs=1, folds=3)
    best = Searched("lightgbm", 4, (0.8, 0.8, 0.8), QUICK_LIGHTGBM, rows=300, seconds=0.1)
    reports: list[TrialReport] = []
    found = search_unconstrained(best, small, plan, reports.append)
    assert (found.name, found.trials) == (UNCONSTRAINED, 4)
    assert {(each.candidate.name, each.trials) for each in reports} == {(UNCONSTRAINED, 4)}
    assert found.auc_mean == max(each.auc for each in reports) >= reports[0].auc
    free = reports[0].candidate.pipeline(small.columns.unconstrained(), best.parameters, plan.seed)
    assert set(free.named_steps["classifier"].monotone_constraints) == {0}


def test_the_price_of_the_directions_is_measured_at_parameters_that_were_searched_without_them(
    small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here risk falls with debt and rises with income, which only a free model may learn."""
    _only_the_baseline(monkeypatch)
    generator = np.random.default_rng(5)
    income = generator.uniform(1_000, 20_000, len(small.frame))
    bad = generator.uniform(0, 20_000, len(income)) < income
    against = replace(small, frame=small.frame.assign(monthly_income=income), defaulted=bad)
    plan = TrainingPlan(trials=2, jobs=1, folds=3, repeats=1)
    card = train(against, plan).card
    assert card.monotone_price is not None
    assert card.monotone_price.value > 0.1
    assert UNCONSTRAINED not in {each.name for each in card.candidates}


def test_candidates_and_their_ensemble_are_listed_best_first(scorer: Scorer) -> None:
    means = [result.repeated_auc.value for result in scorer.card.candidates if result.repeated_auc]
    assert means == sorted(means, reverse=True)
    assert {result.name for result in scorer.card.candidates} == {ENSEMBLE, *CANDIDATE_BY_NAME}


def test_the_best_candidate_reaches_the_auc_that_is_asked_of_it_on_the_embedded_data(scorer: Scorer) -> None:
    assert scorer.card.candidates[0].auc_mean >= 0.845


def test_each_candidate_has_auc_and_recall_with_their_spread_over_the_folds(scorer: Scorer) -> None:
    for result in scorer.card.candidates:
        assert 0.8 < result.auc_mean < 1
        assert 0 < result.auc_std < 0.05
        assert 0.4 < result.recall_mean < 1
        assert 0 < result.recall_std < 0.2


def test_nothing_but_the_test_figures_changes_when_the_test_part_is_poisoned(
    small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    _only_the_baseline(monkeypatch)
    plan = TrainingPlan(trials=4, jobs=1, folds=3)
    poisoned = _with_frame_of_rows(small, _test_rows(small, plan), monthly_income=1e9, has_negative_record=1.0)
    clean, other = train(small, plan), train(poisoned, plan)
    assert other.card.candidates == clean.card.candidates
    assert other.policy == clean.policy
    assert other.reference == clean.reference
    assert other.score(small.frame).tobytes() == clean.score(small.frame).tobytes()
    assert other.card.test != clean.card.test


def test_the_card_says_how_many_rows_each_part_had(scorer: Scorer, dataset: Dataset) -> None:
    data = scorer.card.data
    assert (data.rows_train, data.rows_test, data.bad_rows) == (3563, 891, 0)
    assert (data.source, data.sha256, data.note) == ("embedded", dataset.sha256, dataset.note)
    assert data.default_rate == pytest.approx(0.2815, abs=1e-4)


def test_the_test_figures_are_those_of_the_untouched_part_at_the_chosen_threshold(
    scorer: Scorer, dataset: Dataset
) -> None:
    _, test_part = dataset.split(0.2, 42)
    found = measure(test_part.defaulted, scorer.score(test_part.frame), scorer.policy.threshold)
    assert {name: interval.value for name, interval in scorer.card.test.items()} == found
    assert all(interval.low < interval.high for interval in scorer.card.test.values())


def test_risks_are_calibrated_their_mean_is_the_default_rate(scorer: Scorer, dataset: Dataset) -> None:
    _, test_part = dataset.split(0.2, 42)
    assert scorer.score(test_part.frame).mean() == pytest.approx(test_part.defaulted.mean(), abs=0.03)


def test_age_and_marital_status_change_no_score(scorer: Scorer, dataset: Dataset) -> None:
    other = dataset.frame.assign(age=99.0, marital_status="WIDOWED")
    assert set(AUDIT_FIELDS).isdisjoint(scorer.card.features)
    assert scorer.score(other).tobytes() == scorer.score(dataset.frame).tobytes()
    assert scorer.score(dataset.frame.drop(columns=list(AUDIT_FIELDS))).tobytes() == scorer.score(other).tobytes()


class TestGate:
    def _card(self, scorer: Scorer, **figures: float) -> ModelCard:
        test = {name: Interval.model_construct(value=value, low=0, high=1) for name, value in figures.items()}  # NaN
        changes = {"test": {**scorer.card.test, **test}, "minimum_auc": 0.75, "minimum_recall": 0.5}
        return scorer.card.model_copy(update=changes)

    def test_a_model_at_the_minimum_passes(self, scorer: Scorer) -> None:
        check_gate(self._card(scorer, auc=0.75, recall=0.5))

    @pytest.mark.parametrize(("metric", "minimum"), [("auc", "0.75"), ("recall", "0.5")])
    @pytest.mark.parametrize("shortfall", [1e-9, 0.2, float("nan")])
    def test_a_model_below_the_minimum_is_refused(
        self, scorer: Scorer, metric: str, minimum: str, shortfall: float
    ) -> None:
        card = self._card(scorer, **{"auc": 0.75, "recall": 0.5, metric: float(minimum) - shortfall})
        with pytest.raises(ModelRejectedError, match=f"{metric} on the test part .* at least {minimum}"):
            check_gate(card)

    def test_the_refusal_says_what_to_do(self, scorer: Scorer) -> None:
        with pytest.raises(ModelRejectedError) as caught:
            check_gate(self._card(scorer, recall=0.3))
        assert str(caught.value) == (
            "Not published: recall on the test part is 0.300, the gate asks for at least 0.5. Deny more defaulters "
            "with --threshold-min-recall. Get more or better data, search longer (--trials), or lower --min-recall if "
            "you can answer for it."
        )

    def test_the_card_keeps_the_minimums_that_it_was_held_to(self, scorer: Scorer) -> None:
        plan = TrainingPlan()
        assert (scorer.card.minimum_auc, scorer.card.minimum_recall) == (plan.minimum_auc, plan.minimum_recall)

    def test_minimums_of_its_own_on_the_card_are_what_the_gate_asks_for(self, scorer: Scorer) -> None:
        card = scorer.card.model_copy(update={"minimum_auc": 0.99})
        with pytest.raises(ModelRejectedError, match=r"auc .* at least 0\.99"):
            check_gate(card)


class TestAgainst:
    """The model of these tests against one that knows nothing but the income."""

    PLAN = TrainingPlan(trials=1, jobs=1, repeats=1, folds=3)

    @pytest.fixture
    def poor(self, scorer: Scorer, dataset: Dataset) -> Scorer:
        part, _ = dataset.split(self.PLAN.test_share, self.PLAN.seed)
        income = ColumnTransformer([("income", SimpleImputer(), ["monthly_income"])])
        pipeline = make_pipeline(income, LogisticRegression())
        return replace(scorer, pipeline=pipeline.fit(part.frame[list(part.features)], part.defaulted))

    def test_a_better_model_passes_and_its_card_holds_the_comparison_on_the_test_part(
        self, scorer: Scorer, poor: Scorer, dataset: Dataset
    ) -> None:
        card = compared(scorer, poor, "credit_scoring:poor", dataset, self.PLAN).card
        _, test_part = dataset.split(self.PLAN.test_share, self.PLAN.seed)
        expected = measure(test_part.defaulted, poor.score(test_part.frame), 0.5)["auc"]
        assert card.against
        assert (card.against.tag, card.against.auc) == ("credit_scoring:poor", expected)
        assert card.against.difference.value == pytest.approx(card.test["auc"].value - expected)
        assert 0 < card.against.difference.low < card.against.difference.value < card.against.difference.high
        check_gate(card)

    def test_one_that_is_worse_beyond_noise_is_refused_with_both_names_and_the_interval(
        self, scorer: Scorer, poor: Scorer, dataset: Dataset
    ) -> None:
        worse = replace(poor, card=poor.card.model_copy(update={"minimum_auc": 0.5}))
        card = compared(worse, scorer, "credit_scoring:champion", dataset, self.PLAN).card
        assert card.against
        with pytest.raises(UnpublishedError) as caught:
            check_gate(card)
        message = str(caught.value)
        assert f"this model ({card.chosen}, AUC" in message
        assert f"worse than credit_scoring:champion (AUC {card.against.auc:.3f}) beyond noise" in message
        assert f"difference {card.against.difference}" in message
        assert ModelCard.model_validate_json(caught.value.card) == card

    def test_the_same_model_is_no_worse_than_itself(self, scorer: Scorer, dataset: Dataset) -> None:
        card = compared(scorer, scorer, "credit_scoring:twin", dataset, self.PLAN).card
        assert card.against
        assert card.against.difference == Interval(value=0, low=0, high=0)
        check_gate(card)

    def test_one_that_is_behind_within_noise_passes(self, scorer: Scorer, poor: Scorer, dataset: Dataset) -> None:
        card = compared(scorer, poor, "credit_scoring:poor", dataset, self.PLAN).card
        assert card.against
        noise = card.against.model_copy(update={"difference": Interval(value=-0.01, low=-0.03, high=0.001)})
        check_gate(card.model_copy(update={"against": noise}))


def test_where_no_threshold_keeps_to_the_limits_the_options_are_named_and_the_card_is_not_lost(
    small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    _only_the_baseline(monkeypatch)
    monkeypatch.setattr(costs, "THRESHOLDS", np.array([0.99]))
    with pytest.raises(UnpublishedError) as caught:
        train(small, TrainingPlan(trials=2, jobs=1, folds=3, limits=Limits(min_recall=0.9)))
    assert str(caught.value).startswith("Not published: No threshold keeps to {'min_recall': 0.9}: the strictest, 0.99")
    assert "Lower --threshold-min-recall" in str(caught.value)
    card = ModelCard.model_validate_json(caught.value.card)
    assert card.candidates[0].repeated_auc
    assert card.test == {}
