"""Search, choose, calibrate, set the threshold, test once: from a data set to a scorer."""

from dataclasses import replace
from datetime import UTC, datetime

from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline

from credit_scoring.application.arrays import Floats
from credit_scoring.data.datasets import Dataset
from credit_scoring.errors import ConfigurationError, UnpublishedError
from credit_scoring.evaluation.approved import metrics_of_approved
from credit_scoring.evaluation.performance import auc, auc_difference, bootstrap
from credit_scoring.model.calibration import CalibratedClassifier
from credit_scoring.model.card import Comparison, DataSummary, ModelCard
from credit_scoring.model.manifest import library_versions
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.costs import choose_threshold
from credit_scoring.policy.policy import Policy
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.search import OnTrial, search, search_unconstrained
from credit_scoring.training.selection import calibrated_choice, compare

_STRICTER = "Deny more defaulters with --threshold-min-recall. "


def train(dataset: Dataset, plan: TrainingPlan, on_trial: OnTrial = lambda _: None) -> Scorer:
    """The best candidate, calibrated, with its threshold, tested once on data that no choice has used."""
    train_part, test_part = dataset.split(plan.test_share, plan.seed)
    results = search(train_part, plan, on_trial)
    unconstrained = search_unconstrained(results[0], train_part, plan, on_trial)
    found = compare(results, train_part, plan, unconstrained)
    pipeline = calibrated_choice(found, train_part, plan)
    features = list(train_part.features)
    held_out_risk = _held_out_risk(pipeline, train_part, plan)
    pipeline.fit(train_part.frame[features], train_part.defaulted)
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
        test={},
        minimum_auc=plan.minimum_auc,
        minimum_recall=plan.minimum_recall,
        library_versions=library_versions(),
    )
    policy = _choose_policy(held_out_risk, train_part, plan, card)
    card = _tested(card, pipeline, policy, test_part)
    return Scorer.of(pipeline, dataset.catalogue, policy, card, train_part.frame, held_out_risk)


def compared(scorer: Scorer, other: Scorer, tag: str, dataset: Dataset, plan: TrainingPlan) -> Scorer:
    """The scorer that `train` made of this data set and plan; its card compares it with a stored model.

    Both score the same test part.
    """
    _, test_part = dataset.split(plan.test_share, plan.seed)
    others = other.score(test_part.frame)
    difference = auc_difference(test_part.defaulted, scorer.score(test_part.frame), others, seed=plan.seed)
    against = Comparison(tag=tag, auc=auc(test_part.defaulted, others, 0), difference=difference)
    return replace(scorer, card=scorer.card.model_copy(update={"against": against}))


def check_gate(card: ModelCard) -> None:
    """Raises UnpublishedError if a metric of the test part is below its minimum, or another model's AUC above it."""
    advice = "Get more or better data, search longer (--trials), "
    for name, minimum, first in (("auc", card.minimum_auc, ""), ("recall", card.minimum_recall, _STRICTER)):
        found = card.test[name].value
        if not found >= minimum:
            raise UnpublishedError(
                f"Not published: {name} on the test part is {found:.3f}, the gate asks for at least {minimum:g}. "
                f"{first}{advice}or lower --min-{name} if you can answer for it.",
                card.model_dump_json(indent=2),
            )
    if card.against and card.against.difference.high < 0:
        raise UnpublishedError(
            f"Not published: on the test part this model ({card.chosen}, AUC {card.test['auc'].value:.3f}) is worse "
            f"than {card.against.tag} (AUC {card.against.auc:.3f}) beyond noise: difference {card.against.difference}. "
            f"{advice}or leave --against out if you can answer for it.",
            card.model_dump_json(indent=2),
        )


def _held_out_risk(pipeline: Pipeline, part: Dataset, plan: TrainingPlan) -> Floats:
    """Risk of each row by a model that has not seen it, shape (rows,)."""
    frame = part.frame[list(part.features)]
    probabilities: Floats = cross_val_predict(
        pipeline, frame, part.defaulted, cv=plan.splitter(), method="predict_proba", n_jobs=plan.jobs
    )
    return probabilities[:, 1]


def _choose_policy(held_out_risk: Floats, part: Dataset, plan: TrainingPlan, card: ModelCard) -> Policy:
    try:
        threshold = choose_threshold(part.defaulted, held_out_risk, part.exposure, plan.costs, plan.limits)
    except ConfigurationError as error:
        raise UnpublishedError(f"Not published: {error}", card.model_dump_json(indent=2)) from error
    return Policy(threshold=threshold, costs=plan.costs, limits=plan.limits)


def _tested(card: ModelCard, pipeline: Pipeline, policy: Policy, part: Dataset) -> ModelCard:
    """The card with what the fitted pipeline reaches on the test part."""
    risk = pipeline.predict_proba(part.frame[list(card.features)])[:, 1]
    test = bootstrap(part.defaulted, risk, policy.threshold, seed=card.seed)
    approved = metrics_of_approved(part.defaulted, risk, policy.threshold)
    return card.model_copy(update={"test": test, "test_approved": approved})


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
