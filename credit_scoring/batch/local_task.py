"""What each process of a batch on this machine does: decide a chunk and write what came of it."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.compute
import pyarrow.parquet

from credit_scoring.batch.chunks import Chunk, Form
from credit_scoring.batch.columnar import REASONS, decide
from credit_scoring.batch.output import DECISIONS, REJECTED
from credit_scoring.batch.scoring import reason
from credit_scoring.batch.task import FILE, ROW, without_values
from credit_scoring.errors import ConfigurationError, ScoringError
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.policy import Policy

BATCH_ROWS = 10_000


@dataclass
class Part:
    """Of so many rows, what was decided and rejected, and why; `done` as in a chunk."""

    done: int = 0
    rows: int = 0
    decided: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Part") -> None:
        """Count another part as well."""
        self.done = other.done
        self.rows += other.rows
        self.decided += other.decided
        self.rejected += other.rejected
        self.reasons.update(other.reasons)


@dataclass(frozen=True)
class LocalTask:
    """Decides chunks of files of this form with the model saved in a folder, under this policy.

    It writes rows of this schema below `output`. Each says where it comes from; what is the same for all is in
    `origin`.
    """

    form: Form
    model_folder: Path
    policy: Policy
    output: Path
    schema: pyarrow.Schema
    origin: dict[str, str | float]

    def decide(self, number: int, chunk: Chunk) -> Part:
        """Decide the chunk with this number; raises a CreditScoringError without a value of any row."""
        with without_values():
            rows = self.form.batch(chunk.content)
            if rows.num_rows != chunk.rows:
                raise ScoringError(f"{chunk.file}: {rows.num_rows:,} rows were read where {chunk.rows:,} were counted.")
            decided = self._decided(rows, chunk)
            refused = decided.column("faults").is_valid()
            rejected = decided.filter(refused)
            self._write(DECISIONS, number, decided.filter(pyarrow.compute.invert(refused)))
            self._write(REJECTED, number, rejected)
            return Part(chunk.done, chunk.rows, chunk.rows - len(rejected), len(rejected), _reasons(rejected))

    def finish(self) -> None:
        """A folder without rows gets a file without rows, so that its columns can be read."""
        for name in (DECISIONS, REJECTED):
            if not (self.output / name).exists():
                _write(self.schema.empty_table(), self.output / name / _file_name(0))

    def _decided(self, rows: Any, chunk: Chunk) -> Any:
        """The output's columns for these rows."""
        scorer, with_reasons = _scorer(self.model_folder).under(self.policy), REASONS in self.schema.names
        batches = (rows.slice(start, BATCH_ROWS) for start in range(0, rows.num_rows, BATCH_ROWS))
        decided = pyarrow.Table.from_batches(
            [decide(batch, self.form.source, scorer, with_reasons=with_reasons) for batch in batches]
        )
        same = {name: pyarrow.repeat(value, len(decided)) for name, value in {**self.origin, FILE: chunk.file}.items()}
        numbers = pyarrow.array(range(chunk.first_row, chunk.first_row + len(decided)))
        columns = {name: decided.column(name) for name in decided.column_names} | same | {ROW: numbers}
        return pyarrow.table([columns[name] for name in self.schema.names], self.schema)

    def _write(self, name: str, number: int, rows: Any) -> None:
        if len(rows):
            _write(rows, self.output / name / _file_name(number))


def _file_name(number: int) -> str:
    return f"part-{number:08}.parquet"


def _write(rows: Any, path: Path) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
        pyarrow.parquet.write_table(rows, path)
    except OSError as error:
        raise ConfigurationError(f"--output: {path.parent} cannot be written ({error.strerror}).") from error


def _reasons(rejected: Any) -> Counter[str]:
    return Counter(reason(fault["field"], fault["message"]) for row in rejected["faults"].to_pylist() for fault in row)


@cache
def _scorer(folder: Path) -> Scorer:
    """Loaded and proved once in a process."""
    return Scorer.load(folder)
