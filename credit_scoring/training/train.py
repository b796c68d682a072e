"""Search, choose, calibrate, set the threshold, test once: from a data set to a scorer."""

from datetime import UTC, datetime

from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline

from credit_scoring.application.arrays import Floats
from credit_scoring.data.datasets import Dataset
from credit_scoring.errors import ModelRejectedError
from credit_scoring.evaluation.approved import metrics_of_approved
from credit_scoring.evaluation.performance import bootstrap
from credit_scoring.model.calibration import CalibratedClassifier
from credit_scoring.model.card import DataSummary, ModelCard
from credit_scoring.model.manifest import library_versions
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.costs import choose_threshold
from credit_scoring.policy.policy import Policy
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.search import OnTrial, search, search_unconstrained
from credit_scoring.training.selection import calibrated_choice, compare


def train(dataset: Dataset, plan: TrainingPlan, on_trial: OnTrial = lambda _: None) -> Scorer:
    """The best candidate, calibrated, with its threshold, tested once on data that no choice has used."""
    train_part, test_part = dataset.split(plan.test_share, plan.seed)
    results = search(train_part, plan, on_trial)
    unconstrained = search_unconstrained(results[0], train_part, plan, on_trial)
    found = compare(results, train_part, plan, unconstrained)
    pipeline = calibrated_choice(found, train_part, plan)
    features = list(train_part.features)
    held_out_risk = _held_out_risk(pipeline, train_part, plan)
    policy = _choose_policy(held_out_risk, train_part, plan)
    pipeline.fit(train_part.frame[features], train_part.defaulted)
    risk = pipeline.predict_proba(test_part.frame[features])[:, 1]
    classifier: CalibratedClassifier = pipeline.named_steps["classifier"]
    card = ModelCard(
        trained_at=datetime.now(UTC),
        data=_summary(dataset, train_part, test_part),
        features=train_part.features,
        seed=plan.seed,
        chosen=found.chosen,
        candidates=found.results,
        calibration=f"{classifier.method_}, of {', '.join(classifier.briers_)}, by held-out Brier score",
        calibration_briers=classifier.briers_,
        monotone_price=found.monotone_price,
        test=bootstrap(test_part.defaulted, risk, policy.threshold, seed=plan.seed),
        test_approved=metrics_of_approved(test_part.defaulted, risk, policy.threshold),
        minimum_auc=plan.minimum_auc,
        minimum_recall=plan.minimum_recall,
        library_versions=library_versions(),
    )
    return Scorer.of(pipeline, dataset.catalogue, policy, card, train_part.frame, held_out_risk)


def check_gate(card: ModelCard) -> None:
    """Raises ModelRejectedError if a metric of the test part is below its minimum."""
    for name, minimum in (("auc", card.minimum_auc), ("recall", card.minimum_recall)):
        found = card.test[name].value
        if not found >= minimum:
            raise ModelRejectedError(
                f"Not published: {name} on the test part is {found:.3f}, the gate asks for at least {minimum:g}. "
                f"Get more or better data, search longer (--trials), or lower --min-{name} if you can answer for it."
            )


def _held_out_risk(pipeline: Pipeline, part: Dataset, plan: TrainingPlan) -> Floats:
    """Risk of each row by a model that has not seen it, shape (rows,)."""
    frame = part.frame[list(part.features)]
    probabilities: Floats = cross_val_predict(
        pipeline, frame, part.defaulted, cv=plan.splitter(), method="predict_proba", n_jobs=plan.jobs
    )
    return probabilities[:, 1]


def _choose_policy(held_out_risk: Floats, part: Dataset, plan: TrainingPlan) -> Policy:
    threshold = choose_threshold(part.defaulted, held_out_risk, part.exposure, plan.costs, plan.limits)
    return Policy(threshold=threshold, costs=plan.costs, limits=plan.limits)


def _summary(dataset: Dataset, train_part: Dataset, test_part: Dataset) -> DataSummary:
    since = None if test_part.days is None else test_part.days.min().item()
    return DataSummary(
        source=dataset.source,
        sha256=dataset.sha256,
        note=dataset.note,
        rows_train=len(train_part.frame),
        rows_test=len(test_part.frame),
        bad_rows=len({bad.line for bad in dataset.bad_rows}),
        default_rate=float(dataset.defaulted.mean()),
        split="at random" if since is None else f"out of time, tested from {since} on",
        test_since=since,
    )
