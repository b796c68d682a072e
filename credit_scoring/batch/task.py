"""What a task of a batch does: decide its share of the rows, each with the place in the input that it came from."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import pyarrow
import pyarrow.compute

from credit_scoring.application.schemas import Fault
from credit_scoring.batch.arrow import Source
from credit_scoring.batch.cluster import Files, scorer_of
from credit_scoring.batch.columnar import REASONS, decide
from credit_scoring.errors import CreditScoringError, ScoringError, place_of
from credit_scoring.policy.policy import Policy

FILE, BLOCK, ROW = "source_file", "_block", "source_row"
NAMED = ("rules", "missing", "outside_training")
_DECIDED = (
    f"{FILE} string, {ROW} bigint, application_id string, decision string, risk_probability double, "
    "rules array<string>, missing array<string>, outside_training array<string>, "
)
_FAULTS = f"faults array<struct<{', '.join(f'{name}: string' for name in Fault.model_fields)}>>"

FirstRows = Mapping[tuple[str, int], int]


class Broadcast(Protocol):
    """The part of Spark's broadcast variables that a task uses."""

    @property
    def value(self) -> Any:
        """What was broadcast, fetched once for each executor."""


@contextmanager
def without_values() -> Iterator[None]:
    """A failure within the block is a ScoringError: its own message may hold an applicant's value, and be logged."""
    try:
        yield
    except CreditScoringError:
        raise
    except Exception as error:
        raise ScoringError(f"A task failed with {type(error).__name__} at {place_of(error)}.") from None


@dataclass(frozen=True)
class Scoring:
    """Decides batches of one task. `digest` names the model in `files`, a broadcast of its saved files; `policy` rules.

    `first_rows`, a broadcast too, holds the number of the first row of each block of each file; without it a batch
    has the numbers of its rows itself.
    """

    source: Source
    digest: str
    files: Broadcast
    policy: Policy
    first_rows: Broadcast | None = None
    with_reasons: bool = False

    @property
    def result(self) -> str:
        """The columns of what `decide` gives, as Spark declares them."""
        return _DECIDED + (f"{REASONS} string, " if self.with_reasons else "") + _FAULTS

    def decide(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Batches of `result`, for batches of the source's columns; raises ScoringError without a value of any row."""
        with without_values():
            scorer = scorer_of(self.digest, self._files).under(self.policy)
            rows = RowNumbers(self.first_rows.value) if self.first_rows else None
            for batch in filter(_has_rows, batches):
                decided = decide(batch, self.source, scorer, with_reasons=self.with_reasons)
                numbers = rows.of(batch) if rows else batch.column(ROW)
                columns = [batch.column(FILE), numbers, *decided.columns]
                yield pyarrow.RecordBatch.from_arrays(columns, [FILE, ROW, *decided.schema.names])

    def _files(self) -> Files:
        files: Files = self.files.value
        return files


def _has_rows(batch: Any) -> bool:
    return bool(batch.num_rows)


@dataclass
class RowNumbers:
    """Counts on from the first row of each block of a file, whose rows come in their order."""

    first_rows: FirstRows
    _seen: dict[tuple[str, int], int] = field(default_factory=dict)

    def of(self, batch: Any) -> Any:
        """The number of each row in its file, from 1, without the header."""
        files, blocks = batch.column(FILE), batch.column(BLOCK).to_numpy()
        codes = files.dictionary_encode().indices.to_numpy()
        changes = np.flatnonzero((np.diff(codes) != 0) | (np.diff(blocks) != 0)) + 1
        starts = [0, *changes.tolist(), batch.num_rows]
        parts = []
        for start, end in pairwise(starts):
            place = (files[start].as_py(), int(blocks[start]))
            first = self._seen.get(place, self.first_rows[place])
            self._seen[place] = first + end - start
            parts.append(np.arange(first, first + end - start))
        return pyarrow.array(np.concatenate(parts))
