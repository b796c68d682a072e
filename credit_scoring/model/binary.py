"""What scikit-learn asks of a classifier that knows two classes."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d, validate_data

from credit_scoring.application.arrays import Flags


def two_classes(y: Any) -> tuple[npt.NDArray[Any], Flags]:
    """The two classes of a target, and whether each row is of the second; raises ValueError where there are others."""
    y = column_or_1d(y, warn=True)
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    if (kind := type_of_target(y, input_name="y", raise_unknown=True)) != "binary":
        raise ValueError(f"Only binary classification is supported. The type of the target is {kind}.")
    classes: npt.NDArray[Any] = np.unique(y)
    if len(classes) < 2:
        raise ValueError("Two classes are needed to fit, found 1 class.")
    return classes, y == classes[1]


def check_dense(X: Any) -> None:
    """Raises TypeError for sparse data: what scores our rows is given none."""
    if issparse(X):
        raise TypeError("Sparse data was passed for X, but dense data is required. Use .toarray() to convert it.")


def likelier(classes: npt.NDArray[Any], second: Flags) -> npt.NDArray[Any]:
    """The class of each row, given whether it is the second."""
    found: npt.NDArray[Any] = classes[second.astype(np.intp)]
    return found


def binary_only(tags: Any) -> Any:
    """The tags of an estimator that knows two classes, and dense data."""
    tags.input_tags.sparse = False
    tags.classifier_tags.multi_class = tags.classifier_tags.multi_label = False
    tags.target_tags.multi_output = False
    return tags


def check_frame(estimator: Any, X: Any) -> None:
    """For an estimator whose parts check values themselves; raises NotFittedError, ValueError for another shape."""
    check_is_fitted(estimator)
    if (dimensions := getattr(X, "ndim", 2)) != 2:
        raise ValueError(f"X has {dimensions} dimensions, expected 2. Reshape your data.")
    validate_data(estimator, X, skip_check_array=True, reset=False)


def checked_matrix(estimator: Any, X: Any) -> npt.NDArray[Any]:
    """The rows to score; raises NotFittedError before `fit`, ValueError for rows of another width.

    Missing values are for the estimator to judge.
    """
    check_is_fitted(estimator)
    matrix: npt.NDArray[Any] = check_array(X, dtype="numeric", order="C", ensure_all_finite=False)
    if matrix.shape[1] != estimator.n_features_in_:
        name = type(estimator).__name__
        raise ValueError(
            f"X has {matrix.shape[1]} features, but {name} is expecting {estimator.n_features_in_} features as input"
        )
    return matrix
