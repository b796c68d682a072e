"""A fitted random forest rewritten as a LightGBM booster, whose C++ predictor walks the same trees faster."""

from collections.abc import Iterable, Iterator
from typing import Any

import lightgbm
import numpy as np
from sklearn.ensemble import RandomForestClassifier

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


def forest_as_booster(forest: RandomForestClassifier) -> lightgbm.Booster:
    """A booster whose raw score is the sum over the trees of the share of defaulters in the row's leaf.

    Both go left when value <= threshold, in float64; the forest first rounds values to float32, as the caller must.
    The format is LightGBM's model text, version 4. Values must not be missing.
    """
    blocks = [_tree_block(number, each.tree_) for number, each in enumerate(forest.estimators_)]
    features = forest.n_features_in_
    header = _HEADER.format(
        last_feature=features - 1,
        names=" ".join(f"Column_{i}" for i in range(features)),
        infos=" ".join(["none"] * features),
        sizes=" ".join(str(len(block)) for block in blocks),
    )
    return lightgbm.Booster(model_str=header + "".join(blocks) + "end of trees\n")


def _tree_block(number: int, tree: Any) -> str:
    """One tree: inner nodes are numbered from 0 in the forest's order, leaf i is written as ~i."""
    inner = tree.children_left >= 0
    label = np.where(inner, np.cumsum(inner) - 1, ~(np.cumsum(~inner) - 1))
    shares = tree.value[:, 0, :] / tree.value[:, 0, :].sum(axis=1, keepdims=True)
    count = int(inner.sum())
    rows = {
        "num_leaves": [count + 1],
        "num_cat": [0],
        "split_feature": tree.feature[inner],
        "split_gain": [0] * count,
        "threshold": map(repr, tree.threshold[inner].tolist()),
        "decision_type": [0] * count,
        "left_child": label[tree.children_left[inner]],
        "right_child": label[tree.children_right[inner]],
        "leaf_value": map(repr, shares[~inner, 1].tolist()),
        "is_linear": [0],
        "shrinkage": [1],
    }
    return f"Tree={number}\n" + "".join(_lines(rows)) + "\n\n"


def _lines(rows: dict[str, Iterable[Any]]) -> Iterator[str]:
    for name, values in rows.items():
        yield f"{name}={' '.join(map(str, values))}\n"
