"""What a stricter cut-off of the past would have cost: the riskiest clients with an outcome, as if it were unknown.

Selection takes away the outcomes of those above a cut-off. What that does to a model cannot be measured on them, but
on the clients next to them: those whom a stricter cut-off of the models in force would have refused as well.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline

from credit_scoring.application.arrays import Flags, Floats
from credit_scoring.data.datasets import MIN_ROWS_PER_OUTCOME, Dataset
from credit_scoring.data.past_decisions import PastDecisions
from credit_scoring.evaluation.approved import FEWEST_OF_EACH
from credit_scoring.evaluation.performance import auc, share
from credit_scoring.model.calibration import CALIBRATORS, compare_calibrators
from credit_scoring.model.card import CutOffStudy, Effect, Interval
from credit_scoring.training.clock import Clock
from credit_scoring.training.comparison import corrected_interval
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.held_out import Split, held_out_log_odds

HIDDEN_SHARE = 1 / 3
ENOUGH = 4 * MIN_ROWS_PER_OUTCOME  # of the rarer outcome to study; up to three quarters of it may be above the cut-off
METRICS = ("auc", "predicted_default_rate")
MODEL = "model"

Figures = list[tuple[float, float]]  # of the full model and the one without: a value for each of METRICS


class Studied(NamedTuple):
    """The study, or the reason why there is none."""

    study: CutOffStudy | None
    reason: str = ""


NOT_STUDIED = Studied(None)
NO_TIME = "there was no time left for it"


def above_cut_off(past: PastDecisions) -> Flags:
    """The third of the clients of each model in force to whom it gave the highest risk, shape (rows,).

    Each model has a cut-off of its own, as it had in its day. Equal risks fall on the same side of it.
    """
    above = np.zeros(len(past.risk), dtype=np.bool_)
    for model in set(past.model.tolist()):
        rows = past.model == model
        above[rows] = past.risk[rows] > np.quantile(past.risk[rows], 1 - HIDDEN_SHARE)
    return above


def too_few(defaulted: Flags, above: Flags) -> str:
    """Why these rows are too few to be studied; empty where they are enough."""
    for name, rows, least in (("above", above, FEWEST_OF_EACH), ("below", ~above, MIN_ROWS_PER_OUTCOME)):
        bad, good = int(defaulted[rows].sum()), int((~defaulted[rows]).sum())
        if min(bad, good) < least:
            return (
                f"{name} the cut-off that would have refused the riskiest third, {bad:,} clients defaulted and "
                f"{good:,} paid; it takes {least} of each"
            )
    return ""


def cut_off_study(
    pipeline: Pipeline, part: Dataset, above: Flags, plan: TrainingPlan, clock: Clock, seconds: float
) -> Studied:
    """The same model trained with the clients above the cut-off and without, tried on those of them that are held out.

    `seconds` is what a repeat of all folds takes, roughly: none begins that would not end in time, and there is no
    study where not even one would.
    """
    figures: list[Figures] = []
    before, longest = clock.gone, seconds
    for splitter in plan.comparison_splitters():
        if clock.left < longest:
            break
        strata = 2 * above + part.defaulted
        figures += _figures(pipeline, part, above, list(splitter.split(strata, strata)), plan)
        longest, before = clock.gone - before, clock.gone
    if not figures:
        return Studied(None, NO_TIME)
    study = CutOffStudy(
        seen_rows=int((~above).sum()),
        hidden_rows=int(above.sum()),
        seen_default_rate=_default_rate(part.defaulted[~above]),
        hidden_default_rate=_default_rate(part.defaulted[above]),
        effects=_effects(np.array(figures), plan.folds),
    )
    return Studied(study)


def _default_rate(defaulted: Flags) -> Interval:
    return share(int(defaulted.sum()), len(defaulted))


def _figures(
    pipeline: Pipeline, part: Dataset, above: Flags, splits: Sequence[Split], plan: TrainingPlan
) -> list[Figures]:
    """Of each held-out part, the figures of its clients above the cut-off by the full model and the one without."""
    nobody = np.zeros_like(above)
    risks = [_held_out_risk(pipeline, part, hidden, splits, plan) for hidden in (nobody, above)]
    tried = [held_out[above[held_out]] for _, held_out in splits]
    return [[_figures_of(part.defaulted[rows], risk[rows]) for risk in risks] for rows in tried]


def _held_out_risk(
    pipeline: Pipeline, part: Dataset, hidden: Flags, splits: Sequence[Split], plan: TrainingPlan
) -> Floats:
    """Calibrated risk of each row by a model, and a calibration, that have seen neither it nor the hidden ones."""
    seen = [(rows[~hidden[rows]], held_out) for rows, held_out in splits]
    log_odds = held_out_log_odds({MODEL: pipeline}, part, seen, plan)[MODEL]
    _, method = compare_calibrators(log_odds[~hidden], part.defaulted[~hidden], plan.splitter())
    risk = np.empty(len(log_odds))
    for rows, held_out in seen:
        calibrator = CALIBRATORS[method]().fit(log_odds[rows], part.defaulted[rows])
        risk[held_out] = calibrator.predict(log_odds[held_out])
    return risk


def _figures_of(defaulted: Flags, risk: Floats) -> tuple[float, float]:
    return auc(defaulted, risk, 0.0), float(risk.mean())


def _effects(figures: Floats, folds: int) -> dict[str, Effect]:
    """`figures` has the shape (held-out parts, models, metrics)."""
    found = {}
    for name, (full, hidden) in zip(METRICS, figures.T, strict=True):
        values = {"full": full, "hidden": hidden, "difference": hidden - full}
        found[name] = Effect(**{each: corrected_interval(of, folds) for each, of in values.items()})
    return found
