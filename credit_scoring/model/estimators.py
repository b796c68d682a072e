"""The estimators: each offers `decision_function`, log-odds in float64, and `log_odds`, the same without any check.

The compiled form calls `log_odds` with matrices of its own making: checking them would take longer than scoring.
Sigmoid calibration needs log-odds (on probabilities it would bend a true curve). They are the same for a row in
whatever batch it comes, and cheap for a few rows.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt
from lightgbm import LGBMClassifier, early_stopping, record_evaluation
from lightgbm.callback import CallbackEnv, EarlyStopException
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted, validate_data
from xgboost import XGBClassifier
from xgboost.callback import TrainingCallback

from credit_scoring.application.arrays import Floats
from credit_scoring.model.binary import binary_only, check_dense, check_frame, checked_matrix, likelier, two_classes
from credit_scoring.model.trees import as_float32, raw_scores, sum_of_leaves, trees_of_forest, trees_of_xgboost


@runtime_checkable
class GrownByTrees(Protocol):
    """A booster, which can tell how well it ranks after each of its trees."""

    def auc_by_trees(
        self, X: Any, y: Any, unseen: Any, outcomes: Any, patience: int, seconds: float = math.inf
    ) -> Floats:
        """AUC on unseen rows after each tree; the estimator is not fitted.

        Until it has not risen for so many trees, or so many seconds have gone.
        """


class ByLogOdds(ClassifierMixin, BaseEstimator):
    """What follows from log-odds for a classifier of its own."""

    decision_function: Callable[[Any], Floats]
    classes_: npt.NDArray[Any]

    def predict_proba(self, X: Any) -> Floats:
        """Probabilities of paying and of defaulting, shape (rows, 2)."""
        risk = expit(self.decision_function(X))
        return np.column_stack([1 - risk, risk])

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The likelier class."""
        log_odds = self.decision_function(X)  # says that it is not fitted, where `classes_` would only be missing
        return likelier(self.classes_, log_odds > 0)

    def __sklearn_tags__(self) -> Any:
        return binary_only(super().__sklearn_tags__())


class MonotoneLogisticRegression(ByLogOdds):
    """Logistic regression with an L2 penalty whose coefficients keep the signs they are given.

    `C` is the inverse strength of the penalty, which spares the intercept, as in scikit-learn (whose own estimator
    takes no bounds); `monotone_constraints` has 1, -1 or 0 for each column, or is empty where all are free.
    """

    def __init__(self, C: float = 1.0, monotone_constraints: Sequence[int] = (), max_iter: int = 1000) -> None:
        self.C = C
        self.monotone_constraints = monotone_constraints
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any) -> Self:
        """Minimise penalised log loss within bounds (L-BFGS-B, Byrd et al. 1995)."""
        matrix, y = validate_data(self, X, y, dtype=np.float64)
        self.classes_, second = two_classes(y)
        defaulted = second.astype(np.float64)
        rows, columns = matrix.shape
        penalty = np.append(np.full(columns, 1 / (self.C * rows)), 0.0)
        bounds = [*(_BOUNDS[sign] for sign in self.monotone_constraints or [0] * columns), _BOUNDS[0]]
        found = minimize(
            _penalised_log_loss,
            np.zeros(columns + 1),
            (matrix, defaulted, penalty),
            method="L-BFGS-B",
            jac=True,
            bounds=bounds,
            options={"maxiter": self.max_iter, "maxfun": 2 * self.max_iter, "ftol": 1e-12, "gtol": 1e-6},
        )
        self.coef_, self.intercept_, self.n_iter_ = found.x[:-1], float(found.x[-1]), found.nit
        return self

    def decision_function(self, X: Any) -> Floats:
        """Log-odds of each row."""
        check_is_fitted(self)
        return self.log_odds(validate_data(self, X, dtype=np.float64, reset=False))

    def log_odds(self, matrix: Floats) -> Floats:
        """The same, each row summed by itself: a BLAS product's order depends on the number of rows."""
        scores: Floats = (np.ascontiguousarray(matrix) * self.coef_).sum(axis=1) + self.intercept_
        return scores


_BOUNDS = {1: (0.0, None), -1: (None, 0.0), 0: (None, None)}


def _penalised_log_loss(
    weights: Floats, matrix: Floats, defaulted: Floats, penalty: Floats
) -> tuple[np.floating[Any], Floats]:
    """The mean log loss with its penalty, and the gradient; the last of the weights is the intercept."""
    log_odds = matrix @ weights[:-1] + weights[-1]
    wrong = (expit(log_odds) - defaulted) / len(defaulted)
    value = np.mean(np.logaddexp(0, log_odds) - defaulted * log_odds) + penalty @ weights**2 / 2
    return value, np.append(wrong @ matrix, wrong.sum()) + penalty * weights


class LogOddsRandomForest(RandomForestClassifier):
    """Random Forest that also offers its log-odds, from shares that are kept off 0 and 1."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the forest and rewrite its trees for `log_odds`."""
        check_dense(X)
        two_classes(y)
        super().fit(X, y, sample_weight)
        self.votes_ = sum_of_leaves(trees_of_forest(self), self.n_features_in_)
        return self

    def decision_function(self, X: Any) -> Floats:
        """Log-odds of each row."""
        return self.log_odds(checked_matrix(self, X))

    def log_odds(self, matrix: Floats) -> Floats:
        """The same, unchecked."""
        votes = raw_scores(self.votes_, as_float32(matrix))
        share = np.clip(votes / len(self.estimators_), 1e-4, 1 - 1e-4)
        log_odds: Floats = np.log(share / (1 - share))
        return log_odds

    def __sklearn_tags__(self) -> Any:
        return binary_only(super().__sklearn_tags__())


class _EndInTime:
    """A callback that ends LightGBM's training after so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self.order = 40  # after that which records the AUC; LightGBM looks for it on the instance

    def __call__(self, state: CallbackEnv) -> None:
        if time.monotonic() > self._until:
            raise EarlyStopException(state.iteration, state.evaluation_result_list or [])


class LogOddsLightGBM(LGBMClassifier):
    """LightGBM that also offers its log-odds."""

    def auc_by_trees(
        self, X: Any, y: Any, unseen: Any, outcomes: Any, patience: int, seconds: float = math.inf
    ) -> Floats:
        """As `GrownByTrees` says."""
        found: dict[str, dict[str, list[float]]] = {}
        callbacks = [early_stopping(patience, verbose=False), record_evaluation(found), _EndInTime(seconds)]
        booster = clone(self).set_params(metric="auc")
        LGBMClassifier.fit(booster, X, y, eval_X=unseen, eval_y=outcomes, callbacks=callbacks)
        return np.array(found["valid_0"]["auc"])

    def fit(self, X: Any, y: Any, **options: Any) -> Self:
        """Fit the booster."""
        check_dense(X)
        two_classes(y)
        super().fit(X, y, **options)
        return self

    def decision_function(self, X: Any) -> Floats:
        """Log-odds of each row."""
        return self.log_odds(checked_matrix(self, X))

    def log_odds(self, matrix: Floats) -> Floats:
        """The same, unchecked."""
        return raw_scores(self.booster_, matrix)

    def __sklearn_tags__(self) -> Any:
        return binary_only(super().__sklearn_tags__())


class _XGBoostEndInTime(TrainingCallback):
    """A callback that ends XGBoost's training after so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        """Whether it ends."""
        return time.monotonic() > self._until


class LogOddsXGBoost(XGBClassifier):
    """XGBoost that also offers its log-odds, summed in float64 where XGBoost itself sums in float32."""

    def auc_by_trees(
        self, X: Any, y: Any, unseen: Any, outcomes: Any, patience: int, seconds: float = math.inf
    ) -> Floats:
        """As `GrownByTrees` says."""
        callbacks = [_XGBoostEndInTime(seconds)]
        booster = clone(self).set_params(eval_metric="auc", early_stopping_rounds=patience, callbacks=callbacks)
        XGBClassifier.fit(booster, X, y, eval_set=[(unseen, outcomes)], verbose=False)
        return np.array(booster.evals_result()["validation_0"]["auc"])

    def fit(self, X: Any, y: Any, **options: Any) -> Self:
        """Fit the booster and rewrite its trees for `log_odds`."""
        check_dense(X)
        two_classes(y)
        super().fit(X, y, **options)
        trees, self.base_log_odds_ = trees_of_xgboost(self.get_booster())
        self.margin_ = sum_of_leaves(trees, self.n_features_in_)
        return self

    def decision_function(self, X: Any) -> Floats:
        """Log-odds of each row."""
        return self.log_odds(checked_matrix(self, X))

    def log_odds(self, matrix: Floats) -> Floats:
        """The same, unchecked."""
        return raw_scores(self.margin_, as_float32(matrix)) + self.base_log_odds_

    def __sklearn_tags__(self) -> Any:
        return binary_only(super().__sklearn_tags__())


class LogOddsEnsemble(ByLogOdds):
    """The weighted mean of several models' log-odds; each member is a whole pipeline with its own preprocessing."""

    def __init__(self, members: Sequence[Pipeline], weights: Sequence[float]) -> None:
        self.members = members
        self.weights = weights

    def fit(self, X: Any, y: Any) -> Self:
        """Fit every member."""
        validate_data(self, X, skip_check_array=True)  # each member checks it: frames are for their preprocessing
        self.classes_, y = two_classes(y)
        self.members_ = [clone(member).fit(X, y) for member in self.members]
        return self

    def decision_function(self, X: Any) -> Floats:
        """Log-odds of each row."""
        check_frame(self, X)
        return weighted_mean([member.decision_function(X) for member in self.members_], self.weights)


def weighted_mean(log_odds: Sequence[Floats], weights: Sequence[float]) -> Floats:
    """The sum over members in their order, so that it is the same to the last bit in any batch; weights sum to 1."""
    return np.asarray(sum(weight * each for weight, each in zip(weights, log_odds, strict=True)))
