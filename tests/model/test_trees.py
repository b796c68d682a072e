"""Trees written as a LightGBM booster say what their own library says."""

import gc

import numpy as np
import pytest
from lightgbm import Booster, LGBMClassifier
from sklearn.ensemble import RandomForestClassifier
from xgboost import XGBClassifier

from credit_scoring.application.arrays import Floats
from credit_scoring.model.trees import as_float32, raw_scores, sum_of_leaves, trees_of_forest, trees_of_xgboost

ROWS, FEATURES = 600, 5


@pytest.fixture(scope="module")
def matrix() -> Floats:
    return np.random.default_rng(0).normal(size=(ROWS, FEATURES))


@pytest.fixture(scope="module")
def defaulted(matrix: Floats) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    noise = np.random.default_rng(1).normal(size=ROWS)
    return np.asarray(matrix[:, 0] + matrix[:, 1] ** 2 + noise > 1)


def test_a_forest_s_votes_are_its_shares_to_the_last_bit(matrix: Floats, defaulted: Floats) -> None:
    forest = RandomForestClassifier(20, random_state=0).fit(matrix, defaulted)
    votes = sum_of_leaves(trees_of_forest(forest), FEATURES).predict(as_float32(matrix), raw_score=True)
    assert (votes / 20).tolist() == forest.predict_proba(matrix)[:, 1].tolist()


def test_a_forest_whose_trees_are_single_leaves_votes_too(matrix: Floats, defaulted: Floats) -> None:
    forest = RandomForestClassifier(3, min_samples_leaf=ROWS, random_state=0).fit(matrix, defaulted)
    votes = sum_of_leaves(trees_of_forest(forest), FEATURES).predict(as_float32(matrix), raw_score=True)
    assert (votes / 3).tolist() == forest.predict_proba(matrix)[:, 1].tolist()


def test_xgboost_s_margin_is_its_own_within_float32_rounding_also_where_values_are_missing(
    matrix: Floats, defaulted: Floats
) -> None:
    holes = np.where(np.random.default_rng(2).random(matrix.shape) < 0.2, np.nan, matrix)
    model = XGBClassifier(n_estimators=50, max_depth=4, n_jobs=1).fit(holes, defaulted)
    trees, base = trees_of_xgboost(model.get_booster())
    margin = sum_of_leaves(trees, FEATURES).predict(as_float32(holes), raw_score=True) + base
    np.testing.assert_allclose(margin, model.predict(holes, output_margin=True), atol=1e-5)


def test_a_value_on_xgboost_s_condition_takes_xgboost_s_branch(matrix: Floats, defaulted: Floats) -> None:
    model = XGBClassifier(n_estimators=1, max_depth=3, learning_rate=1.0, n_jobs=1).fit(matrix, defaulted)
    (tree,), base = trees_of_xgboost(model.get_booster())
    inner = tree.left >= 0
    on_condition = np.repeat(matrix[:1], int(inner.sum()), axis=0)
    above = np.nextafter(tree.threshold[inner].astype(np.float32), np.float32(np.inf))
    on_condition[np.arange(len(above)), tree.feature[inner]] = above
    margin = sum_of_leaves([tree], FEATURES).predict(as_float32(on_condition), raw_score=True) + base
    np.testing.assert_allclose(margin, model.predict(on_condition, output_margin=True), atol=1e-6)


def test_raw_scores_are_those_of_lightgbm_s_own_wrapper_to_the_last_bit(matrix: Floats, defaulted: Floats) -> None:
    holes = np.where(np.random.default_rng(2).random(matrix.shape) < 0.2, np.nan, matrix)
    booster = LGBMClassifier(n_estimators=20, verbose=-1).fit(holes, defaulted).booster_
    for rows in (holes, holes[:1], holes[:0], holes[::2], holes.astype(np.float32)):
        expected = booster.predict(rows, raw_score=True).tolist() if len(rows) else []
        assert raw_scores(booster, rows).tolist() == expected


def test_raw_scores_leave_nothing_to_the_garbage_collector(matrix: Floats, defaulted: Floats) -> None:
    booster = LGBMClassifier(n_estimators=5, verbose=-1).fit(matrix, defaulted).booster_
    gc.collect()
    for _ in range(50):
        raw_scores(booster, matrix[:1])
    assert gc.collect() == 0


def test_a_matrix_of_another_width_is_refused_and_not_read_beyond_its_end(matrix: Floats, defaulted: Floats) -> None:
    booster = LGBMClassifier(n_estimators=5, verbose=-1).fit(matrix, defaulted).booster_
    with pytest.raises(ValueError, match="5 columns, the matrix has 3"):
        raw_scores(booster, matrix[:, :3])


class WithANumberAsHandle:
    """A booster whose handle is a plain number instead of ctypes' own pointer."""

    def __init__(self, booster: Booster) -> None:
        self._owner = booster  # which frees the handle
        self._handle = booster._handle.value
        self.num_feature = booster.num_feature


def test_a_handle_reaches_lightgbm_with_all_its_bits(matrix: Floats, defaulted: Floats) -> None:
    booster = LGBMClassifier(n_estimators=5, verbose=-1).fit(matrix, defaulted).booster_
    assert raw_scores(WithANumberAsHandle(booster), matrix).tolist() == raw_scores(booster, matrix).tolist()
