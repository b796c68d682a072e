"""What is measured of a model, on the small scorer of the tests and by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from benchmarks.support.consorcio import FIELDS
from credit_scoring.data.datasets import Dataset
from credit_scoring.evaluation import assessment as module
from credit_scoring.evaluation.assessment import SHUFFLES, assess, profit, reliability
from credit_scoring.evaluation.results import Assessment
from credit_scoring.evaluation.unseen import unseen_part
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.costs import CostMatrix

COSTS = CostMatrix(loss_given_default=0.5, margin=0.1)


@pytest.fixture(scope="module")
def unseen(scorer: Scorer, dataset: Dataset) -> Dataset:
    return unseen_part(scorer.card, dataset).clients


@pytest.fixture(scope="module")
def assessment(scorer: Scorer, unseen: Dataset) -> Assessment:
    return assess(scorer, unseen, "test", seed=1)


def test_profit_counts_the_approved_only() -> None:
    defaulted, risk = np.array([True, False, False]), np.array([0.1, 0.1, 0.9])
    value = np.array([100.0, 1000.0, 5000.0])
    assert profit(defaulted, risk, value, 0.5, COSTS) == pytest.approx((1000 * 0.1 - 100 * 0.5) / 3)
    assert profit(defaulted, risk, value, 0.05, COSTS) == 0


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=200))
def test_every_client_is_in_one_reliability_bin_and_bins_rise(clients: list[tuple[bool, float]]) -> None:
    defaulted, risk = (np.array(each) for each in zip(*clients, strict=True))
    bins = list(reliability(defaulted, risk))
    assert sum(each.rows for each in bins) == len(clients)
    assert [each.predicted for each in bins] == sorted(each.predicted for each in bins)
    assert all(0 <= each.observed.low <= each.observed.value <= each.observed.high <= 1 for each in bins)


def test_the_assessment_is_that_of_the_test_part_of_the_training_file(
    scorer: Scorer, assessment: Assessment, unseen: Dataset
) -> None:
    assert len(unseen.frame) == scorer.card.data.rows_test
    assert {name: each.value for name, each in assessment.metrics.items()} == {
        name: each.value for name, each in scorer.card.test.items()
    }


def test_the_chosen_threshold_stands_in_the_table_once_with_the_measured_rates(
    scorer: Scorer, assessment: Assessment
) -> None:
    (chosen,) = [each for each in assessment.thresholds if each.chosen]
    assert chosen.threshold == scorer.policy.threshold
    assert chosen.recall == assessment.metrics["recall"].value
    assert chosen.approval_rate == assessment.metrics["approval_rate"].value
    best = max(assessment.thresholds, key=lambda each: each.profit)
    assert "most profit" in best.note


def test_every_client_is_in_one_group_of_each_audit_field(assessment: Assessment, unseen: Dataset) -> None:
    for field in ("age", "marital_status"):
        rows = [each.rows for each in assessment.groups if each.field == field]
        assert sum(rows) == unseen.frame[field].notna().sum()


def test_small_groups_get_no_figure_that_would_be_chance(assessment: Assessment) -> None:
    for each in assessment.groups:
        assert (each.recall is None) == (each.defaulters < 30)
        assert (each.calibration is None) == (each.rows < 30)


def test_every_feature_has_its_importance_and_income_matters(scorer: Scorer, assessment: Assessment) -> None:
    found = {each.field: each for each in assessment.importance}
    assert set(found) == set(scorer.card.features)
    assert found["monthly_income"].auc_loss.low > 0
    assert all(each.log_odds_share >= 0 for each in found.values())


def test_risk_moves_as_declared_for_every_client(scorer: Scorer, assessment: Assessment) -> None:
    declared = {each.field for each in assessment.partial_dependence if each.risk_moves}
    assert declared == {name for name in scorer.card.features if FIELDS[name].risk_moves}
    assert all(each.holds for each in assessment.partial_dependence if each.risk_moves)


def test_the_demo_data_s_note_is_a_note_and_no_warning(assessment: Assessment) -> None:
    assert assessment.note.startswith("Demo data")
    assert not any("Demo data" in warning for warning in assessment.warnings)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_assessment(scorer: Scorer, unseen: Dataset, assessment: Assessment) -> None:
    assert assess(scorer, unseen, "test", seed=1) == assessment


def test_an_assessment_is_read_back_from_its_json(assessment: Assessment) -> None:
    assert Assessment.model_validate_json(assessment.model_dump_json()) == assessment


@pytest.mark.slow
def test_importance_is_the_drop_in_auc_by_shuffling_the_raw_field_with_its_gaps(
    scorer: Scorer, unseen: Dataset, assessment: Assessment
) -> None:
    """Shuffled by hand, often: the value of each field lies within what so few shuffles may differ by."""
    generator = np.random.default_rng(7)
    whole = roc_auc_score(unseen.defaulted, scorer.score(unseen.frame))
    for each in assessment.importance:
        values = unseen.frame[each.field].to_numpy()
        shuffled = [unseen.frame.assign(**{each.field: generator.permutation(values)}) for _ in range(20)]
        losses = [whole - roc_auc_score(unseen.defaulted, scorer.score(frame)) for frame in shuffled]
        assert each.auc_loss.low <= each.auc_loss.value <= each.auc_loss.high
        assert each.auc_loss.value == pytest.approx(np.mean(losses), abs=4 * np.std(losses) / math.sqrt(SHUFFLES))


def test_the_most_important_field_comes_first(assessment: Assessment) -> None:
    losses = [each.auc_loss.value for each in assessment.importance]
    assert losses == sorted(losses, reverse=True)


def test_risks_of_0_and_1_give_importances_that_can_be_written_and_read(scorer: Scorer, unseen: Dataset) -> None:
    """Isotonic calibration gives such risks; a tree grown to the end does, too."""
    part = unseen.rows(np.arange(300))
    numbers = make_column_transformer(("passthrough", ["monthly_income", "credit_letter_value", "good_value"]))
    certain = make_pipeline(numbers, DecisionTreeClassifier(random_state=0)).fit(part.frame, part.defaulted)
    certain_scorer = replace(scorer, pipeline=certain)
    assert set(certain_scorer.score(part.frame)) == {0.0, 1.0}
    found = assess(certain_scorer, part, "certain", seed=1)
    assert Assessment.model_validate_json(found.model_dump_json()) == found


def test_where_a_sample_would_have_no_defaulter_importance_is_measured_on_one_that_has_enough(
    scorer: Scorer, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaulters, payers = (np.flatnonzero(each) for each in (dataset.defaulted, ~dataset.defaulted))
    part = dataset.rows(np.sort(np.concatenate([defaulters[:60], payers[:1200]])))
    monkeypatch.setattr(module, "SHUFFLED_ROWS", 3)
    found = assess(scorer, part, "rare defaults", seed=1)
    assert {each.field for each in found.importance} == set(scorer.card.features)
    assert found.importance[0].auc_loss.low > 0
