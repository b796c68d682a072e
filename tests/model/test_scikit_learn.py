"""Every estimator and transformer of ours is one as scikit-learn understands it.

`DerivedFields` is left out: it takes frames with the columns of an application, which the checks do not know.
"""

from collections.abc import Mapping
from typing import Any

from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from credit_scoring.model.calibration import CalibratedClassifier
from credit_scoring.model.estimators import (
    LogOddsEnsemble,
    LogOddsLightGBM,
    LogOddsRandomForest,
    LogOddsXGBoost,
    MonotoneLogisticRegression,
)
from credit_scoring.model.features import OutlierClipper
from credit_scoring.model.taught import TaughtLightGBM, TaughtXGBoost

FEW = 5  # trees
MEMBERS = [make_pipeline(MonotoneLogisticRegression(C=strength)) for strength in (1.0, 0.1)]
ESTIMATORS = [
    OutlierClipper(),
    MonotoneLogisticRegression(),
    CalibratedClassifier(MonotoneLogisticRegression(), folds=2),
    LogOddsEnsemble(MEMBERS, [0.5, 0.5]),
    LogOddsRandomForest(n_estimators=FEW),
    LogOddsLightGBM(n_estimators=FEW),
    LogOddsXGBoost(n_estimators=FEW),
    TaughtLightGBM(LogOddsLightGBM(n_estimators=FEW)),
    TaughtXGBoost(LogOddsXGBoost(n_estimators=FEW)),
]

RESAMPLED = "a forest draws rows, so that a row of weight 2 is not two rows; scikit-learn excuses its own forest, too"
LABELS = "XGBoost takes the classes 0 and 1 only, as all our data has them"
ONE_CLASS_LEFT = "where weights leave one class its odds are infinite; we train without weights"
FAILURES: Mapping[type, Mapping[str, str]] = {
    LogOddsRandomForest: {
        "check_sample_weight_equivalence_on_dense_data": RESAMPLED,
        "check_sample_weight_equivalence_on_sparse_data": RESAMPLED,
    },
    LogOddsXGBoost: {
        "check_estimators_dtypes": LABELS,
        "check_classifier_data_not_an_array": LABELS,
        "check_classifiers_classes": LABELS,
        "check_fit2d_1feature": LABELS,
        "check_classifiers_one_label_sample_weights": ONE_CLASS_LEFT,
    },
}


def _expected(estimator: Any) -> dict[str, str]:
    return dict(FAILURES.get(type(estimator), {}))


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=_expected)  # type: ignore[untyped-decorator]  # untyped
def test_it_passes_the_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)
