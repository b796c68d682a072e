"""What would have to change: the largest letter, the smallest changes that are approved, or a proof of none."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.explanation.levers import Number, Path, Way, chosen, paths
from credit_scoring.explanation.searches import Approved, Budget, Evaluator, Record, run, search
from credit_scoring.explanation.simulation import Extent, LargestLetter, NoPlan, Plan, WhatIf

OUTER_VALUES = 12  # of one lever of a pair, before the best pair is refined
INNER_VALUES = 24  # of the other, where neither has a direction

BUDGET = Budget()

_Move = tuple[Path, Number]
_Pair = tuple[_Move, _Move]


def what_if(
    record: Mapping[str, Any],
    catalogue: Catalogue,
    approved: Approved,
    *,
    levers: Collection[str] | None = None,
    undirected: Collection[str] = (),
    budget: Budget = BUDGET,
) -> WhatIf:
    """Simulate changes of a valid application; raises RequestError where `levers` names what is none.

    `approved` says of whole applications whether the policy, model and rules, would approve each; it answers the same
    for an application in any batch. `levers` are those that may move, all of the catalogue's without. `undirected` are
    levers on which a rule of the policy depends in another direction than the catalogue's `risk_moves`: nothing is
    proven of them.
    """
    moving = paths(record, catalogue, chosen(catalogue, levers), undirected)
    evaluator = Evaluator(approved, budget)
    passes, passes_at_best = evaluator.ask([record, _at_best(record, moving)])
    if passes:
        return _of_approved(record, moving, evaluator)
    return _of_refused(record, moving, evaluator, passes_at_best)


def _at_best(record: Record, moving: Sequence[Path]) -> Record:
    """The application with every directed lever where the risk is lowest."""
    return {**record, **{path.name: path.values[-1] for path in moving if path.way is Way.BETTER and path.values}}


def _of_refused(record: Record, moving: Sequence[Path], evaluator: Evaluator, passes_at_best: bool) -> WhatIf:
    directed = [path for path in moving if path.way is Way.BETTER]
    others = [path for path in moving if path.way is not Way.BETTER]
    searched = moving if passes_at_best else others
    alone = run([search(record, path) for path in searched], evaluator)
    moves = [(path, after) for path, after in zip(searched, alone, strict=True) if after is not None]
    pair = None if moves or evaluator.exhausted else _smallest_pair(record, moving, evaluator, passes_at_best)
    extent = Extent.ALONE_OR_IN_PAIRS if passes_at_best else Extent.ANY_COMBINATION
    return WhatIf(
        approved=False,
        largest_letter=_largest_letter(searched, alone, evaluator),
        single=tuple(Plan.of([move]) for move in moves),
        pair=pair,
        none=None if moves or pair or evaluator.exhausted else NoPlan.of(directed, extent, others),
        complete=not evaluator.exhausted,
        evaluations=evaluator.evaluations,
    )


def _of_approved(record: Record, moving: Sequence[Path], evaluator: Evaluator) -> WhatIf:
    letters = [path for path in moving if path.way is Way.LETTER]
    found = run([search(record, path) for path in letters], evaluator)
    return WhatIf(
        approved=True,
        largest_letter=_largest_letter(letters, found, evaluator),
        complete=not evaluator.exhausted,
        evaluations=evaluator.evaluations,
    )


def _smallest_pair(record: Record, moving: Sequence[Path], evaluator: Evaluator, directed: bool) -> Plan | None:
    """The least sum of efforts among pairs on a coarse grid, refined; without `directed` no two directed levers."""
    pairs = [
        _coarse(first, second)
        for first, second in combinations([path for path in moving if path.values], 2)
        if directed or {first.way, second.way} != {Way.BETTER}
    ]
    tried = [(outer, value, inner) for outer, inner in pairs for value in outer.values]
    found = run([search({**record, outer.name: value}, inner) for outer, value, inner in tried], evaluator)
    full = {path.name: path for path in moving}
    candidates = [
        ((full[outer.name], value), (full[inner.name], after))
        for (outer, value, inner), after in zip(tried, found, strict=True)
        if after is not None
    ]
    if not candidates:
        return None
    refined = _refined(record, min(candidates, key=_effort), evaluator)
    order = [path.name for path in moving]
    return Plan.of(sorted(refined, key=lambda move: order.index(move[0].name)))


def _coarse(first: Path, second: Path) -> tuple[Path, Path]:
    """Outer and inner lever: the letter is searched whole, a directed one by bisection, of others some values."""
    outer, inner = sorted((first, second), key=lambda path: (Way.EITHER, Way.BETTER, Way.LETTER).index(path.way))
    return outer.thinned(OUTER_VALUES), inner.thinned(INNER_VALUES) if inner.way is Way.EITHER else inner


def _refined(record: Record, pair: _Pair, evaluator: Evaluator) -> _Pair:
    """The outer lever moved as little as the inner one allows, then the inner one as little as the outer one allows."""
    (outer, value), (inner, after) = pair
    nearer = replace(outer, values=outer.values[: outer.values.index(value) + 1])
    (less,) = run([search({**record, inner.name: after}, nearer)], evaluator)
    value = value if less is None else less
    (least,) = run([search({**record, outer.name: value}, inner)], evaluator)
    return pair if least is None else min(pair, ((outer, value), (inner, least)), key=_effort)


def _effort(pair: _Pair) -> float:
    return sum(path.effort(after) for path, after in pair)


def _largest_letter(
    searched: Sequence[Path], found: Sequence[Number | None], evaluator: Evaluator
) -> LargestLetter | None:
    for path, value in zip(searched, found, strict=True):
        if path.way is Way.LETTER and not (value is None and evaluator.exhausted):
            return LargestLetter.of(path, value)
    return None
