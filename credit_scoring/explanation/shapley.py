"""Exact Shapley values of groups of fields against one reference applicant, in whole numbers.

Baseline Shapley (Sundararajan & Najmi 2020, arXiv 1908.08474): a group is out of a coalition when its raw fields have
the reference's values; derived fields follow from the raw ones, as always. The value of a coalition is its log-odds
before calibration in millionths, rounded, so that all that follows is exact.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from math import factorial
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from credit_scoring.application.arrays import Floats

Integers = npt.NDArray[np.int64]
Record = Mapping[str, Any]
LogOdds = Callable[[Sequence[Record]], Floats]

MILLIONTHS = 1_000_000


@dataclass(frozen=True)
class Contributions:
    """What each group adds to the log-odds on the way from the reference to the client.

    Σ `numerators` = n! · (`client` − `reference`), n being the number of groups; both are in millionths, and a group's
    Shapley value is its numerator over n!. `alone` has, by field, the client's value with this field alone at the
    reference's; fields that do not differ are not in it.
    """

    numerators: tuple[int, ...]
    client: int
    reference: int
    alone: Mapping[str, int]


def contributions(
    log_odds: LogOdds, groups: Sequence[Sequence[str]], clients: Sequence[Record], reference: Record
) -> list[Contributions]:
    """Of each client the contribution of each group of fields, 0 of those in which he and the reference are the same.

    All are scored together, which changes nothing: the log-odds of a record do not depend on the others.
    """
    games = [_Game.of(groups, client, reference) for client in clients]
    values: Integers = np.rint(log_odds([*chain(*(game.rows for game in games))]) * MILLIONTHS).astype(np.int64)
    ends = np.cumsum([len(game.rows) for game in games])
    return [game.contributions(own) for game, own in zip(games, np.split(values, ends[:-1]), strict=True)]


@dataclass(frozen=True)
class _Game:
    """What has to be scored for one client: `rows` are the coalitions of `players`, then a row for each name `alone`.

    `differing` has, by group, the fields in which client and reference differ.
    """

    differing: Sequence[Sequence[str]]
    players: Sequence[Sequence[str]]
    alone: Sequence[str]
    rows: Sequence[Record]

    @classmethod
    def of(cls, groups: Sequence[Sequence[str]], client: Record, reference: Record) -> Self:
        differing = [[name for name in group if client[name] != reference[name]] for group in groups]
        players = [fields for fields in differing if fields]
        alone = [*chain(*players)]
        switched = ({**client, name: reference[name]} for name in alone)
        return cls(differing, players, alone, [*coalitions(players, client, reference), *switched])

    def contributions(self, values: Integers) -> Contributions:
        """From the values of the rows; a group that changes nothing leaves the others' shares."""
        joint, alone = values[: 2 ** len(self.players)], values[2 ** len(self.players) :]
        known = iter((weights(len(self.players)) @ joint).tolist())
        scale = factorial(len(self.differing)) // factorial(len(self.players))
        return Contributions(
            numerators=tuple(scale * next(known) if fields else 0 for fields in self.differing),
            client=int(joint[-1]),
            reference=int(joint[0]),
            alone=dict(zip(self.alone, alone.tolist(), strict=True)),
        )


def coalitions(players: Sequence[Sequence[str]], client: Record, reference: Record) -> list[Record]:
    """The record of every coalition; bit i of its place says whether the fields of player i are the client's."""
    rows: list[Record] = [dict(reference)]
    for fields in players:
        own = {name: client[name] for name in fields}
        rows += [{**row, **own} for row in rows]
    return rows


@cache
def weights(players: int) -> Integers:
    """Shape (players, coalitions): what turns the values of coalitions into numerators over players!.

    num_i = Σ |S|! (n − |S| − 1)! (v(S ∪ i) − v(S)) over the coalitions S without i (Shapley 1953).
    """
    places = np.arange(2**players)
    member = np.array([(places >> player) & 1 for player in range(players)], dtype=bool).reshape(players, len(places))
    sizes = member.sum(axis=0)
    factorials = np.array([factorial(size) for size in range(players + 1)], dtype=np.int64)
    joined = factorials[np.maximum(sizes - 1, 0)] * factorials[players - sizes]
    left = factorials[sizes] * factorials[np.maximum(players - sizes - 1, 0)]
    found: Integers = np.where(member, joined, -left)
    return found
