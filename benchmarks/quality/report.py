"""The table of all folds that are there."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import brier_score_loss, roc_auc_score

from benchmarks.quality.fold import CHOSEN, Fold
from benchmarks.quality.sets import PublicSet
from credit_scoring.application.arrays import Floats
from credit_scoring.evaluation.performance import calibration_error
from credit_scoring.training.candidates import ENSEMBLE_MEMBERS
from credit_scoring.training.comparison import corrected_interval

OUTER_FOLDS = 5
DRAWS = 200

_OF_CHANCE = (
    "Calibration error of chance: what one in twenty models shows on as many rows although its risks are the truth."
)
_TITLE = "| set | model | AUC | 95 % interval | Brier | calibration error | goal | |"


def report(done: Mapping[PublicSet, Sequence[Fold]]) -> str:
    """What each set reaches, and what each search gains over what it begins with."""
    lines = [_TITLE, "|---|---" + "|--:" * 5 + "|---|"]
    notes = []
    for public, folds in done.items():
        if len(folds) < OUTER_FOLDS:
            notes.append(f"{public.name}: NOT MEASURED, {len(folds)} of {OUTER_FOLDS} folds done.")
        else:
            lines += _rows(public, folds)
            notes.append(
                f"{public.name}: {sum(fold.seconds for fold in folds) / 60:.0f} minutes, {public.trials} trials on "
                f"{public.folds} inner folds; chosen: {', '.join(fold.chosen for fold in folds)}; mean weights in the "
                f"ensemble: {_weights(folds)}."
            )
    notes.append(_OF_CHANCE)
    gains = [line for public, folds in done.items() if len(folds) == OUTER_FOLDS for line in _gains(public, folds)]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes), "", *_GAINS, *gains]) + "\n"


_GAINS = (
    "What the search gains on the rows held out over the best of the parameters that it begins with, by inner folds:",
    "",
    "| set | booster | trials | AUC of the best start | gain of the search |",
    "|---|---|--:|--:|--:|",
)


def _gains(public: PublicSet, folds: Sequence[Fold]) -> Iterator[str]:
    for name in folds[0].begun:
        begun = np.array([float(roc_auc_score(fold.defaulted, fold.begun[name])) for fold in folds])
        gain = corrected_interval(_aucs(folds, name) - begun, OUTER_FOLDS)
        trials = np.mean([fold.searched[name] for fold in folds])
        found = f"{gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
        yield f"| {public.name} | {name} | {trials:.0f} | {begun.mean():.4f} | {found} |"


def _weights(folds: Sequence[Fold]) -> str:
    means = {name: sum(fold.weights.get(name, 0.0) for fold in folds) / len(folds) for name in ENSEMBLE_MEMBERS}
    return ", ".join(f"{name} {mean:.2f}" for name, mean in means.items() if mean)


def _rows(public: PublicSet, folds: Sequence[Fold]) -> Iterator[str]:
    names = sorted(folds[0].log_odds, key=lambda name: -_aucs(folds, name).mean())
    for name in names:
        aucs = _aucs(folds, name)
        interval = corrected_interval(aucs, OUTER_FOLDS)
        cells = [public.name, name, f"{aucs.mean():.4f}", f"{interval.low:.4f}–{interval.high:.4f}"]
        cells += _calibration_cells(folds, name)
        verdict = "reached" if aucs.mean() >= public.goal else "**missed**"
        cells += [f"{public.goal:.3f}", f"{verdict}; {public.published}"] if name == CHOSEN else ["", ""]
        yield f"| {' | '.join(cells)} |"


def auc(fold: Fold, name: str) -> float:
    """Of a model, on the rows that this fold held out."""
    return float(roc_auc_score(fold.defaulted, fold.log_odds[name]))


def _aucs(folds: Sequence[Fold], name: str) -> Floats:
    return np.array([auc(fold, name) for fold in folds])


def _calibration_cells(folds: Sequence[Fold], name: str) -> list[str]:
    """Brier score and calibration error pooled over the parts held out, where the model was calibrated."""
    if name not in folds[0].risk:
        return ["", ""]
    defaulted: npt.NDArray[np.bool_] = np.concatenate([fold.defaulted for fold in folds])
    risk = np.concatenate([fold.risk[name] for fold in folds])
    methods = "/".join(sorted({fold.calibration[name] for fold in folds}))
    error = f"{calibration_error(defaulted, risk, 0.0):.4f} (of chance: {_error_of_chance(risk):.4f})"
    return [f"{brier_score_loss(defaulted, risk):.4f} ({methods})", error]


def _error_of_chance(risk: Floats) -> float:
    """The calibration error that one in twenty models shows on as many rows although its risks are the truth."""
    chance = np.random.default_rng(0)
    errors = [calibration_error(chance.random(len(risk)) < risk, risk, 0.0) for _ in range(DRAWS)]
    return float(np.quantile(errors, 0.95))
