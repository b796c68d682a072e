"""What is to be scored, and what came of it, whichever engine does it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow

from credit_scoring import __version__
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.batch.arrow import ID
from credit_scoring.batch.columnar import FAULTS, NAMES, REASONS
from credit_scoring.batch.output import BatchManifest
from credit_scoring.batch.task import FILE, NAMED, ROW
from credit_scoring.data.mapping import ColumnMapping
from credit_scoring.errors import ConfigurationError, ExplanationError, ScoringError
from credit_scoring.explanation.reasons import reasons, reference_values
from credit_scoring.model.governed import scorer_in_use
from credit_scoring.model.scorer import Scorer

MOST_REASONS = 5
OUTPUT = pyarrow.schema(
    [
        pyarrow.field(ID, pyarrow.string()),
        pyarrow.field("decision", pyarrow.string()),
        pyarrow.field("risk_probability", pyarrow.float64()),
        *(pyarrow.field(name, NAMES) for name in NAMED),
        pyarrow.field("threshold", pyarrow.float64(), nullable=False),
        pyarrow.field("model", pyarrow.string(), nullable=False),
        pyarrow.field("policy_version", pyarrow.string(), nullable=False),
        pyarrow.field("faults", FAULTS),
        pyarrow.field(FILE, pyarrow.string()),
        pyarrow.field(ROW, pyarrow.int64()),
    ]
)

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class InputFiles:
    """Which files to read and how; `path` may be a file, a folder or a pattern on any file system of the engine.

    `format` is csv or parquet, told by the files' names where it is None. `partitions` is the number of Spark's tasks.
    """

    path: str
    format: str | None = None
    mapping: Path | None = None
    id_column: str | None = None
    partitions: int | None = None

    def kind(self, names: Sequence[str]) -> str:
        """The format of files with these names; raises ConfigurationError where that is not plain."""
        kind = self.format or self._kind_of(names)
        if self.mapping and kind != "csv":
            raise ConfigurationError(f"--mapping {self.mapping}: is for CSV, but {self.path} is {kind}.")
        return kind

    def read_mapping(self, catalogue: Catalogue) -> ColumnMapping | None:
        """The mapping onto these fields, where there is one; raises DataError where it is wrong."""
        return ColumnMapping.read(self.mapping, catalogue) if self.mapping else None

    def no_files(self) -> ConfigurationError:
        """The error of an input in which nothing can be read."""
        return ConfigurationError(f"Input {self.path}: no such file, or a folder without files.")

    def _kind_of(self, names: Sequence[str]) -> str:
        kinds = {found[1] for name in names if (found := re.search(r"\.(csv|parquet)(\.\w+)?$", name))}
        if len(kinds) != 1:
            problem = "both CSV and Parquet files" if kinds else "no file named .csv or .parquet"
            raise ConfigurationError(f"Input {self.path}: {problem}. Name the kind with --format.")
        return kinds.pop()


@dataclass(frozen=True)
class ScoringJob:
    """What to decide, with the stored model `tag` in `model_folder`, and the folder that becomes the output.

    The policy in `policy_file` decides, or where there is none the model's own.
    """

    files: InputFiles
    output: str
    tag: str
    model_folder: Path
    with_reasons: bool = False
    policy_file: Path | None = None

    @property
    def schema(self) -> pyarrow.Schema:
        """The columns of the output."""
        place = OUTPUT.get_field_index("faults")
        return OUTPUT.insert(place, pyarrow.field(REASONS, pyarrow.string())) if self.with_reasons else OUTPUT

    def scorer(self) -> Scorer:
        """The model under the policy that decides; raises PolicyError where that one may not decide today.

        Raises ConfigurationError where reasons are wanted of one that can give none.
        """
        scorer = scorer_in_use(self.tag, self.model_folder, self.policy_file)
        if self.with_reasons:
            try:
                reasons(scorer, reference_values(scorer))
            except ExplanationError as error:
                raise ConfigurationError(f"--reasons, model {self.tag}: {error}") from error
        return scorer

    def origin(self, scorer: Scorer) -> dict[str, str | float]:
        """What each row of the output says of the model that decided it."""
        return {"threshold": scorer.policy.threshold, "model": self.tag, "policy_version": scorer.policy.version}

    def manifest(self, scorer: Scorer, rows: int, decided: int, rejected: int) -> BatchManifest:
        """What the output says of itself; raises ScoringError where rows were lost or doubled."""
        if decided + rejected != rows:
            raise ScoringError(
                f"Of {rows:,} rows {decided:,} were decided and {rejected:,} rejected, which does not add up. "
                "Did the input change meanwhile? Nothing was kept; run it again."
            )
        return BatchManifest(
            model=self.tag,
            policy_version=scorer.policy.version,
            source=self.files.path,
            rows=rows,
            decided=decided,
            rejected=rejected,
            decided_at=datetime.now(UTC),
            package_version=__version__,
        )


@dataclass(frozen=True)
class Scored:
    """What was written, and the most frequent reasons of rejection with the number of rows that have them."""

    output: str
    manifest: BatchManifest
    reasons: tuple[tuple[str, int], ...]


def reason(field: str | None, message: str) -> str:
    """A reason of rejection in a line."""
    return f"{field or '(row)'}: {message}"
