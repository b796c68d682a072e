"""Tree ensembles of other libraries rewritten as LightGBM boosters, whose predictor is fast on a few rows.

docs/adr/0006 has the measurements. The format is LightGBM's model text, version 4. LightGBM goes left when
value <= threshold, in float64; both other libraries first round values to float32, as `as_float32` does.
"""

import ctypes
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
from lightgbm.basic import _LIB
from sklearn.ensemble import RandomForestClassifier
from xgboost import Booster

from credit_scoring.application.arrays import Floats

_HEADER = """tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx={last_feature}
feature_names={names}
feature_infos={infos}
tree_sizes={sizes}

"""
_NAN_IS_MISSING, _MISSING_GOES_LEFT = 8, 2


_FLOAT64, _ROW_MAJOR, _RAW_SCORE, _ALL_TREES = 1, 1, 1, -1
_ONE_THREAD = b"num_threads=1"

# As LightGBM's c_api.h declares it; without, ctypes passes a handle that is a number as 32 bits.
_PREDICT_FOR_MATRIX = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,  # handle
    ctypes.c_void_p,  # data
    ctypes.c_int,  # data_type
    ctypes.c_int32,  # nrow
    ctypes.c_int32,  # ncol
    ctypes.c_int,  # is_row_major
    ctypes.c_int,  # predict_type
    ctypes.c_int,  # start_iteration
    ctypes.c_int,  # num_iteration
    ctypes.c_char_p,  # parameter
    ctypes.POINTER(ctypes.c_int64),  # out_len
    ctypes.c_void_p,  # out_result
)
_predict_for_matrix = _PREDICT_FOR_MATRIX(("LGBM_BoosterPredictForMat", _LIB))  # a declaration of our own, not theirs


def raw_scores(booster: lightgbm.Booster, matrix: Any) -> Floats:
    """`booster.predict(matrix, raw_score=True)` by LightGBM's C interface, shape (rows,).

    LightGBM's own Python wrapper takes 15 µs more a call and leaves reference cycles, which the garbage collector
    then stops the service for. Raises ValueError when the matrix does not fit the booster.
    """
    values = np.ascontiguousarray(matrix, dtype=np.float64)
    rows, columns = values.shape
    if columns != booster.num_feature():
        raise ValueError(f"The booster was fitted on {booster.num_feature()} columns, the matrix has {columns}.")
    scores, count = np.empty(rows), ctypes.c_int64()
    status = _predict_for_matrix(
        booster._handle,
        values.ctypes.data,
        _FLOAT64,
        rows,
        columns,
        _ROW_MAJOR,
        _RAW_SCORE,
        0,
        _ALL_TREES,
        _ONE_THREAD,
        ctypes.byref(count),
        scores.ctypes.data,
    )
    if status != 0 or count.value != rows:
        raise RuntimeError(f"LightGBM answered {count.value} of {rows} rows, status {status}.")
    return scores


@dataclass(frozen=True)
class Tree:
    """One tree as parallel arrays over its nodes; a leaf has left child -1, `value` matters in leaves only."""

    left: npt.NDArray[np.integer[Any]]
    right: npt.NDArray[np.integer[Any]]
    feature: npt.NDArray[np.integer[Any]]
    threshold: Floats
    decision_type: npt.NDArray[np.integer[Any]]
    value: Floats


def as_float32(matrix: Any) -> Floats:
    """Values rounded to float32, as float64 again."""
    return np.asarray(matrix, dtype=np.float32).astype(np.float64)


def sum_of_leaves(trees: Sequence[Tree], features: int) -> lightgbm.Booster:
    """A booster whose raw score is the sum of the leaf values that a row falls into."""
    blocks = [_block(number, tree) for number, tree in enumerate(trees)]
    header = _HEADER.format(
        last_feature=features - 1,
        names=" ".join(f"Column_{i}" for i in range(features)),
        infos=" ".join(["none"] * features),
        sizes=" ".join(str(len(block)) for block in blocks),
    )
    return lightgbm.Booster(model_str=header + "".join(blocks) + "end of trees\n")


def trees_of_forest(forest: RandomForestClassifier) -> list[Tree]:
    """The trees of a fitted binary forest; a leaf's value is its share of the second class."""
    return [_forest_tree(each.tree_) for each in forest.estimators_]


def trees_of_xgboost(booster: Booster) -> tuple[list[Tree], float]:
    """The trees of a fitted binary XGBoost model, and the log-odds that their sum is added to."""
    learner = json.loads(booster.save_raw("json"))["learner"]
    base_score = float(learner["learner_model_param"]["base_score"].strip("[]"))
    trees = [_xgboost_tree(each) for each in learner["gradient_booster"]["model"]["trees"]]
    return trees, float(np.log(base_score / (1 - base_score)))


def _forest_tree(tree: Any) -> Tree:
    shares = tree.value[:, 0, :] / tree.value[:, 0, :].sum(axis=1, keepdims=True)
    nobody_missing = np.zeros(len(tree.feature), dtype=int)
    return Tree(tree.children_left, tree.children_right, tree.feature, tree.threshold, nobody_missing, shares[:, 1])


def _xgboost_tree(tree: dict[str, Any]) -> Tree:
    """XGBoost goes left when value < condition, which is value <= the float32 just below."""
    condition = np.array(tree["split_conditions"], dtype=np.float32)
    return Tree(
        left=np.array(tree["left_children"]),
        right=np.array(tree["right_children"]),
        feature=np.array(tree["split_indices"]),
        threshold=np.nextafter(condition, np.float32(-np.inf)).astype(np.float64),
        decision_type=_NAN_IS_MISSING + _MISSING_GOES_LEFT * np.array(tree["default_left"]),
        value=condition.astype(np.float64),
    )


def _block(number: int, tree: Tree) -> str:
    """One tree of the text: inner nodes are numbered from 0 in their order, leaf i is written as ~i."""
    inner = tree.left >= 0
    label = np.where(inner, np.cumsum(inner) - 1, ~(np.cumsum(~inner) - 1))
    count = int(inner.sum())
    rows = {
        "num_leaves": [count + 1],
        "num_cat": [0],
        "split_feature": tree.feature[inner],
        "split_gain": [0] * count,
        "threshold": map(repr, tree.threshold[inner].tolist()),
        "decision_type": tree.decision_type[inner],
        "left_child": label[tree.left[inner]],
        "right_child": label[tree.right[inner]],
        "leaf_value": map(repr, tree.value[~inner].tolist()),
        "is_linear": [0],
        "shrinkage": [1],
    }
    lines = [f"{name}={' '.join(map(str, values))}\n" for name, values in rows.items()]
    return f"Tree={number}\n{''.join(lines)}\n\n"
