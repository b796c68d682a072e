"""What each declared direction of risk costs, alone, and what it costs that a missing value counts as the worst."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from credit_scoring.application.arrays import Floats
from credit_scoring.application.catalogue import Catalogue, freed
from credit_scoring.data.datasets import Dataset
from credit_scoring.data.samples import rows_to_fold, sampled
from credit_scoring.errors import CatalogueError
from credit_scoring.model.card import Interval
from credit_scoring.model.features import Columns
from credit_scoring.training.candidates import CANDIDATE_BY_NAME
from credit_scoring.training.clock import Clock
from credit_scoring.training.comparison import corrected_interval, fold_aucs
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.held_out import held_out_log_odds
from credit_scoring.training.search import Searched

_BASE, _MISSING = "as declared", "missing"


@dataclass(frozen=True)
class Prices:
    """AUC gained without each direction, and without counting a missing value as the worst.

    That is None where none is missing, and where there was no time for it: `missing_unknown`. `unknown` are the fields
    that there was no time for.
    """

    directions: Mapping[str, Interval] = field(default_factory=dict)
    missing: Interval | None = None
    unknown: tuple[str, ...] = ()
    missing_unknown: bool = False


def priced(catalogue: Catalogue, features: tuple[str, ...]) -> dict[str, Catalogue]:
    """The catalogue without the direction of one field, for each that may be freed alone."""
    found = {}
    for name in Columns.of(catalogue, features).moves:
        try:
            found[name] = freed(catalogue, [name])
        except CatalogueError:  # it has no direction, or its inputs have one that it would undo
            continue
    return found


def prices(one: Searched, train_part: Dataset, plan: TrainingPlan, clock: Clock, seconds: float = 0.0) -> Prices:
    """Cross-validate a candidate at its best parameters with one direction freed after the other.

    On folds that the search has not used; with many rows, on a sample. Fields are taken in the catalogue's order until
    the next would take longer than the clock has left; `seconds` is what the first will take, roughly.
    """
    part = sampled(train_part, rows_to_fold(train_part, plan.price_rows), plan.seed)
    columns = {_BASE: part.columns}
    columns |= {name: Columns.of(each, part.features) for name, each in priced(part.catalogue, part.features).items()}
    if _worst_stands_in(part):
        columns[_MISSING] = replace(part.columns, lenient=frozenset(part.columns.moves))
    aucs = dict(_measured(one, part, columns, plan, clock, seconds))
    unknown = tuple(name for name in columns if name not in (*aucs, _BASE, _MISSING))
    base = aucs.pop(_BASE, None)
    gains = {name: corrected_interval(each - base, plan.folds) for name, each in aucs.items() if base is not None}
    missing = gains.pop(_MISSING, None)
    return Prices(gains, missing, unknown, _MISSING in columns and missing is None)


def _worst_stands_in(part: Dataset) -> bool:
    columns = part.columns
    strict = [name for name, way in columns.risk_moves.items() if way and name not in columns.lenient]
    return bool(part.frame[strict].isna().any(axis=None))


def _measured(
    one: Searched, part: Dataset, columns: Mapping[str, Columns], plan: TrainingPlan, clock: Clock, longest: float
) -> Iterator[tuple[str, Floats]]:
    splits = list(plan.comparison_splitters()[0].split(part.defaulted, part.defaulted))
    before = clock.gone
    for name, each in columns.items():
        if clock.left < longest:
            return
        pipeline = CANDIDATE_BY_NAME[one.name].pipeline(each, one.parameters, plan.seed)
        log_odds = held_out_log_odds({name: pipeline}, part, splits, plan)[name]
        yield name, fold_aucs(part.defaulted, log_odds[None], [held_out for _, held_out in splits])
        longest, before = max(longest, clock.gone - before), clock.gone
