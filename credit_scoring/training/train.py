"""Search, choose, calibrate, set the threshold, test once: from a data set to a scorer."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no stubs

from credit_scoring.application.arrays import Floats
from credit_scoring.data.datasets import Dataset
from credit_scoring.data.samples import rows_to_fold, sampled
from credit_scoring.errors import ConfigurationError, UnpublishedError
from credit_scoring.evaluation.approved import metrics_of_approved
from credit_scoring.evaluation.performance import auc, auc_difference, bootstrap
from credit_scoring.model.calibration import CalibratedClassifier, cross_calibrated
from credit_scoring.model.card import Comparison, DataSummary, ModelCard, Teaching
from credit_scoring.model.manifest import library_versions
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.costs import choose_threshold
from credit_scoring.policy.policy import Policy
from credit_scoring.training.blind_spots import blind_spots
from credit_scoring.training.clock import (
    COMPARE_SHARE,
    CUT_OFF_SHARE,
    GROWTH_SHARE,
    LAST_GROWTH_SHARE,
    PRICES_SHARE,
    SEARCH_SHARE,
    Clock,
)
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.forecast import Forecast
from credit_scoring.training.growth import grown
from credit_scoring.training.past_cut_off import ENOUGH, NOT_STUDIED, Studied, above_cut_off, cut_off_study, too_few
from credit_scoring.training.prices import Prices, priced, prices
from credit_scoring.training.search import OnTrial, Searched, search, search_unconstrained
from credit_scoring.training.selection import Compared, calibrated_choice, compare, uncalibrated
from credit_scoring.training.stages import COMPARE, CUT_OFF, FIT, PRICES, SEARCH, TEACH, OnStage, StageReport
from credit_scoring.training.students import STUDENTS, softened, twin_of
from credit_scoring.training.teacher import Teacher
from credit_scoring.training.teaching import pupils, taught
from credit_scoring.training.threads import on_threads, threads_for

GROWTH = 1.5  # times as many rows as the number of trees was found on: then it is sought again

_STRICTER = "Deny more defaulters with --threshold-min-recall. "


def train(
    dataset: Dataset,
    plan: TrainingPlan,
    on_trial: OnTrial = lambda _: None,
    on_stage: OnStage = lambda _: None,
    clock: Clock | None = None,
    teacher: Teacher | None = None,
) -> Scorer:
    """The best candidate, calibrated, with its threshold, tested once on data that no choice has used.

    With a `teacher`, which was read for the training part of this data set and plan, boosters learn from it as well.
    BLAS gets one thread: its threads wait for each other in busy loops, at the expense of the folds.
    """
    with threadpool_limits(1, user_api="blas"):
        return _Training(dataset, plan, on_trial, on_stage, clock or Clock(plan.timeout), teacher).run()


class _Training:
    """One training, stage by stage."""

    def __init__(
        self,
        dataset: Dataset,
        plan: TrainingPlan,
        on_trial: OnTrial,
        on_stage: OnStage,
        clock: Clock,
        teacher: Teacher | None,
    ) -> None:
        self.dataset, self.plan, self.clock = dataset, plan, clock
        self.on_trial, self.on_stage = on_trial, on_stage
        self.teacher = teacher
        self.teaching: Teaching | None = None
        self.part, self.test_part = dataset.split(plan.test_share, plan.seed)
        self.forecast = Forecast(self.part, plan)
        self.grown_on = plan.rows_to_search(self.part)  # rows that the number of trees was found on
        self.last_fit = 0.0  # its seconds, which no other stage may have

    def run(self) -> Scorer:
        """All stages."""
        results, unconstrained = self._search()
        self.last_fit = self.forecast.last_fits(results[:1])
        found = self._teach(self._compare(results, unconstrained), results)
        used = self._used(found, results)
        self.last_fit = self.forecast.last_fits(used)
        costs = self._prices(next(each for each in results if each.name == twin_of(found.heaviest)))
        studied = self._study(found, used)
        return self._fit(found, costs, studied, grows=self._grows_last(used))

    def _search(self) -> tuple[list[Searched], Searched]:
        clock = self.clock.share(SEARCH_SHARE)
        rows = self.plan.rows_to_search(self.part)
        self.on_stage(StageReport(SEARCH, f"{rows:,} rows, {self.plan.folds} folds", clock.seconds, limit=True))
        results = search(self.part, self.plan, self.on_trial, clock)
        return results, search_unconstrained(results[0], self.part, self.plan, self.on_trial, clock)

    def _compare(self, results: Sequence[Searched], unconstrained: Searched) -> Compared:
        clock = self.clock.share(COMPARE_SHARE, self.last_fit)
        rows, seconds = self.forecast.comparison((*results, unconstrained), clock)
        detail = f"{len(results) + 1} candidates, {rows:,} rows, at most {self.plan.repeats} × {self.plan.folds} folds"
        self.on_stage(StageReport(COMPARE, detail, seconds * self.plan.repeats if clock.seconds is None else seconds))
        part = sampled(self.part, rows, self.plan.seed)
        if len(part.frame) > GROWTH * self.grown_on and clock.left > 0:
            self.grown_on = len(part.frame)
            parameters = {each.name: each.parameters for each in results}
            longer = grown(parameters, part, self.plan, clock.share(GROWTH_SHARE))
            results = [replace(each, parameters=longer[each.name]) for each in results]
        return compare(results, part, self.plan, unconstrained, clock)

    def _teach(self, found: Compared, results: Sequence[Searched]) -> Compared:
        if not self.teacher:
            return found
        clock, students = self.clock.share(COMPARE_SHARE, self.last_fit), pupils(results)
        rows, seconds = self.forecast.comparison([*self._used(found, results), *students], clock)
        folds = len(self.teacher.without)
        self.on_stage(StageReport(TEACH, f"{len(students)} taught candidates, {rows:,} rows, {folds} folds", seconds))
        part = sampled(self.part, rows, self.plan.seed)
        found, self.teaching = taught(found, results, part, self.teacher, self.plan)
        return found

    def _used(self, found: Compared, results: Sequence[Searched]) -> list[Searched]:
        """What the search found of the chosen candidate, of a student's twin, or of an ensemble's members."""
        names = {twin_of(name) for name in found.used}
        return [each for each in results if each.name in names]

    def _prices(self, one: Searched) -> Prices:
        clock = self.clock.share(PRICES_SHARE, self.last_fit)
        rows = rows_to_fold(self.part, self.plan.price_rows)
        fields = len(priced(self.part.catalogue, self.part.features))
        seconds = min((fields + 2) * self.forecast.folds(one, rows), clock.left)
        self.on_stage(StageReport(PRICES, f"{fields} fields, {rows:,} rows, {self.plan.folds} folds", seconds))
        return prices(one, self.part, self.plan, clock, self.forecast.folds(one, rows))

    def _study(self, found: Compared, used: Sequence[Searched]) -> Studied:
        """What a past cut-off would have cost, of a training on the decision log."""
        part = sampled(self.part, rows_to_fold(self.part, self.plan.price_rows, ENOUGH), self.plan.seed)
        if part.past is None:
            return NOT_STUDIED
        above = above_cut_off(part.past)
        if reason := too_few(part.defaulted, above):
            return Studied(None, reason)
        clock = self.clock.share(CUT_OFF_SHARE, self.last_fit)
        seconds = 2 * sum(self.forecast.folds(each, len(part.frame)) for each in used)
        detail = f"{above.sum():,} of {len(above):,} rows, at most {self.plan.repeats} × {self.plan.folds} folds"
        self.on_stage(StageReport(CUT_OFF, detail, min(seconds * self.plan.repeats, clock.left)))
        pipeline = uncalibrated(calibrated_choice(found, part, self.plan))
        return cut_off_study(pipeline, part, above, self.plan, clock, seconds)

    def _fit(self, found: Compared, costs: Prices, studied: Studied, *, grows: bool) -> Scorer:
        part, plan = self.part, self.plan
        seconds = self.last_fit * (2 if grows else 1)
        self.on_stage(StageReport(FIT, f"{found.chosen}, {len(part.frame):,} rows", seconds))
        if grows:
            found = found.with_parameters(grown(found.used, part, plan, self.clock.share(LAST_GROWTH_SHARE)))
        threads = threads_for(plan.jobs, 1, len(part.frame))
        pipeline = on_threads(calibrated_choice(found, part, plan), threads)
        held_out = found.log_odds, found.part.defaulted
        labels = None
        if self.teacher and found.chosen in STUDENTS:
            labels = softened(part.defaulted, self.teacher.of(part).out_of_fold)
        frame = part.frame[list(part.features)]
        pipeline.fit(frame, part.defaulted, classifier__held_out=held_out, classifier__labels=labels)
        classifier: CalibratedClassifier = pipeline.named_steps["classifier"]
        risk = cross_calibrated(*held_out, classifier.method_, plan.splitter())
        card = self._card(found, costs, classifier)
        policy = _choose_policy(risk, found.part, plan, card)
        card = _tested(card, pipeline, policy, self.test_part)
        bias = blind_spots(found, risk, pipeline, part, self.test_part, studied, plan.seed)
        card = card.model_copy(update={"selection_bias": bias})
        return Scorer.of(pipeline, self.dataset.catalogue, policy, card, found.part.frame, risk, part.frame)

    def _grows_last(self, used: Sequence[Searched]) -> bool:
        """Whether all rows carry more trees than were found, and there is time to find out how many.

        Not where the search had to cut trees off: the calibration and the threshold are those of so few.
        """
        enough = len(self.part.frame) > GROWTH * self.grown_on and self.clock.left > 2 * self.last_fit
        return enough and not any(each.was_cut for each in used)

    def _card(self, found: Compared, costs: Prices, classifier: CalibratedClassifier) -> ModelCard:
        part, plan = self.part, self.plan
        return ModelCard(
            trained_at=datetime.now(UTC),
            data=_summary(self.dataset, part, self.test_part),
            features=part.features,
            seed=plan.seed,
            chosen=found.chosen,
            candidates=found.results,
            rows_compared=len(found.part.frame),
            calibration=f"{classifier.method_}, of {', '.join(classifier.briers_)}, by held-out Brier score",
            calibration_briers=classifier.briers_,
            monotone_price=found.monotone_price,
            direction_prices=dict(costs.directions),
            unpriced=costs.unknown,
            missing_price=costs.missing,
            missing_unpriced=costs.missing_unknown,
            teacher=self.teaching,
            test={},
            minimum_auc=plan.minimum_auc,
            minimum_recall=plan.minimum_recall,
            library_versions=library_versions(),
        )


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
