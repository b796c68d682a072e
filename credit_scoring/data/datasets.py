"""Read files into a checked frame of applications and outcomes; every bad row is reported."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import ValidationError
from sklearn.model_selection import train_test_split

from credit_scoring.application.arrays import Floats, Rows
from credit_scoring.application.catalogue import Catalogue, shipped
from credit_scoring.application.fields import Role
from credit_scoring.application.schemas import faults
from credit_scoring.application.suggestions import did_you_mean
from credit_scoring.data.layout import Layout
from credit_scoring.data.mapping import ColumnMapping, names_found, repeated_names
from credit_scoring.data.past_decisions import PastDecisions
from credit_scoring.data.tables import Table, read_content, read_table
from credit_scoring.errors import DataError
from credit_scoring.model.features import Columns, application_frame

Outcomes = npt.NDArray[np.bool_]
Days = npt.NDArray[np.datetime64]

SOURCES_FOLDER = Path(__file__).parent / "sources"
EMBEDDED_FILE = "raw/credit_data.csv"
EMBEDDED_SHA256 = "64984b2aff14d24ebdeb5a051d992194f03d0dc8f250372b9e37c4e653ba678d"
KAGGLE_DATASET = "laotse/credit-risk-dataset"
KAGGLE_FILE = "credit_risk_dataset.csv"

KAGGLE_ADVICE = f"Is it {KAGGLE_FILE} of {KAGGLE_DATASET}? Your own file is read with --source csv."
OWN_NAMES_ADVICE = "Name the columns as the API does (with outcome = PAID or DEFAULTED), or give a --mapping file."

MAX_BAD_SHARE = 0.01
MIN_ROWS_PER_OUTCOME = 50
MIN_ROWS_IN_TEST = 10
DECISIONS = "decisions"


@dataclass(frozen=True)
class BadRow:
    """A row that was left out, and why. Contains no value of the row."""

    line: int
    column: str
    problem: str


class BadRowsError(DataError):
    """More rows are bad than are allowed; `bad_rows` are all of them."""

    def __init__(self, message: str, bad_rows: Sequence[BadRow]) -> None:
        super().__init__(message)
        self.bad_rows = tuple(bad_rows)


@dataclass(frozen=True)
class Dataset:
    """Applications with their outcomes: `frame` has one row each, `defaulted` is True where the client defaulted.

    The frame has a column for each field of the catalogue. `days` are those of the decisions, where they are known.
    `unknown` rows were left out because their outcome was not known yet; `young` ones are in, but had less time to
    default than the outcome's window. `written` says how the file was read, `lines` where in it each row is: the number
    of its last line, the header being the first; None where the rows are of no file. `past` is what only a decision log
    knows.
    """

    source: str
    sha256: str
    note: str
    catalogue: Catalogue
    frame: pd.DataFrame
    defaulted: Outcomes
    bad_rows: tuple[BadRow, ...]
    unused_columns: tuple[str, ...]
    days: Days | None = None
    unknown: int = 0
    young: int = 0
    written: str = ""
    past: PastDecisions | None = None
    lines: Rows | None = None

    @property
    def columns(self) -> Columns:
        """What a model is built on."""
        return Columns.of(self.catalogue, self.features)

    @property
    def features(self) -> tuple[str, ...]:
        """The feature fields that the data has at all; the others are left out of a model trained on it."""
        return tuple(name for name in self.catalogue.features if self.frame[name].notna().any())

    @property
    def exposure(self) -> Floats:
        """What each row's costs are shares of, shape (rows,); 1 where the catalogue names no exposure."""
        name = self.catalogue.exposure
        return self.frame[name].to_numpy(dtype=np.float64) if name else np.ones(len(self.frame))

    @property
    def duplicates(self) -> int:
        """Rows that repeat an earlier one, outcome included; kept, because two clients may look alike."""
        return int(self.frame.assign(_defaulted=self.defaulted).duplicated().sum())

    def split(self, test: float | int, seed: int) -> tuple["Dataset", "Dataset"]:
        """Split into a training and a test part; `test` is the test part's share (float) or number of rows (int).

        If days are known, the newest decisions are the test part; else it is a stratified random sample, the same for
        the same seed and number of rows. Raises DataError if the newest decisions have too few of either outcome.
        """
        if self.days is not None:
            return self._split_by_time(self.days, test)
        train_rows, test_rows = train_test_split(
            np.arange(len(self.frame)), test_size=test, stratify=self.defaulted, random_state=seed
        )
        return self.rows(np.sort(train_rows)), self.rows(np.sort(test_rows))

    def _split_by_time(self, days: Days, test: float | int) -> tuple["Dataset", "Dataset"]:
        first = np.sort(days)[len(days) - test if isinstance(test, int) else round(len(days) * (1 - test))]
        older, newer = self.rows(np.flatnonzero(days < first)), self.rows(np.flatnonzero(days >= first))
        older.require_both_outcomes(f"before {first}, where the test part begins", "leave the date out")
        newer.require_both_outcomes(f"from {first}, where the test part begins", "leave the date out")
        return older, newer

    def require_both_outcomes(self, when: str, way_out: str) -> None:
        """Raises DataError if this part has too few of either outcome to measure a model; `when` names its time."""
        fewest = min(self.defaulted.sum(), (~self.defaulted).sum())
        if fewest < MIN_ROWS_IN_TEST:
            raise DataError(
                f"Data of source {self.source}: {when}, only {fewest} of {len(self.frame):,} rows have one of the "
                f"outcomes, expected {MIN_ROWS_IN_TEST}. Get more data, or {way_out}."
            )

    def rows(self, rows: npt.NDArray[np.intp]) -> "Dataset":
        """The part of the data with these row numbers."""
        frame = self.frame.iloc[rows].reset_index(drop=True)
        days = None if self.days is None else self.days[rows]
        past = None if self.past is None else self.past.rows(rows)
        lines = None if self.lines is None else self.lines[rows]
        part = replace(self, frame=frame, defaulted=self.defaulted[rows], bad_rows=(), days=days)
        return replace(part, past=past, lines=lines)


def load_embedded(data_folder: Path, max_bad_share: float = MAX_BAD_SHARE) -> Dataset:
    """The demo data in the repository; raises DataError if the file was changed."""
    path = data_folder / EMBEDDED_FILE
    content = _read(path)
    found = hashlib.sha256(content).hexdigest()
    if found != EMBEDDED_SHA256:
        raise DataError(
            f"Embedded data {path}: its sha256 is {found[:12]}…, expected {EMBEDDED_SHA256[:12]}…. "
            f"Restore it with `git checkout -- {path}`, or train on your own file with --source csv --path."
        )
    mapping = ColumnMapping.read(SOURCES_FOLDER / "embedded.toml", shipped())
    return parse(File("embedded", content, path.suffix), mapping, max_bad_share)


def load_kaggle(path: Path | None = None, max_bad_share: float = MAX_BAD_SHARE) -> Dataset:
    """`laotse/credit-risk-dataset`, from its CSV at `path` or downloaded by kagglehub."""
    found = path or _download_kaggle()
    mapping = ColumnMapping.read(SOURCES_FOLDER / "kaggle.toml", shipped("kaggle"))
    return parse(File("kaggle", _read(found), found.suffix, KAGGLE_ADVICE), mapping, max_bad_share)


def load_csv(
    path: Path, catalogue: Catalogue, mapping: Path | None = None, max_bad_share: float = MAX_BAD_SHARE
) -> Dataset:
    """A CSV, Excel or Parquet file whose columns bear the names of these fields or are mapped onto them."""
    advice = f"Correct the mapping file {mapping}." if mapping else OWN_NAMES_ADVICE
    file = File(f"csv:{path.name}", _read(path), path.suffix, advice)
    found = _read_mapping(mapping, catalogue) if mapping else ColumnMapping(catalogue=catalogue)
    return parse(file, found, max_bad_share)


@dataclass(frozen=True)
class File:
    """The content of a data file. `suffix` tells its kind, `advice` what to do where it lacks a column."""

    source: str
    content: bytes
    suffix: str
    advice: str = "Check --path."


def parse(file: File, mapping: ColumnMapping, max_bad_share: float) -> Dataset:
    """Check every row of a file against the schema; raises DataError when too many are bad."""
    source = file.source
    table = read_table(file.content, file.suffix, f"Data of source {source}", mapping)
    mapping = _fitted(mapping, table, file.advice)
    records: list[dict[str, Any]] = []
    defaulted: list[bool] = []
    days: list[date | None] = []
    lines: list[int] = []
    bad_rows: list[BadRow] = []
    unknown = 0
    for line, row in table.rows():
        if not (structure := list(_structure_problems(line, row))) and mapping.is_unknown(row):
            unknown += 1
            continue
        record = {} if structure else mapping.record(row)
        problems = structure or list(_value_problems(line, row, record, mapping))
        bad_rows += problems
        if not problems:
            records.append(record)
            defaulted.append(bool(mapping.defaulted(row)))
            days.append(mapping.day(row))
            lines.append(line)
    _check_bad_share(source, bad_rows, len(records), max_bad_share)
    outcomes = np.array(defaulted, dtype=np.bool_)
    check_outcomes(source, outcomes, f"column {mapping.target.column}")
    known_days = np.array(days, dtype="datetime64[D]") if mapping.date_column else None
    used = {*mapping.used_columns, *mapping.ignore, mapping.target.column, mapping.date_column}
    return Dataset(
        source=source,
        sha256=hashlib.sha256(file.content).hexdigest(),
        note=mapping.note,
        catalogue=mapping.catalogue,
        frame=application_frame(records, mapping.catalogue, tuple(mapping.catalogue.fields)),
        defaulted=outcomes,
        bad_rows=tuple(bad_rows),
        unused_columns=tuple(name for name in table.header if name not in used),
        days=known_days,
        unknown=unknown,
        young=_younger(known_days, mapping.target.window_months),
        written=mapping.summary,
        lines=np.array(lines),
    )


def _fitted(mapping: ColumnMapping, table: Table, advice: str) -> ColumnMapping:
    """The mapping with what only the file says: its own names and its decimal sign."""
    found = mapping.for_header(table.header)
    _check_header(table, found, advice)
    known = table.layout.model_dump(include=table.layout.model_fields_set & {*Layout.model_fields})
    return found.model_copy(update={**known, "decimal": table.decimal(found.numeric_columns)})


def _younger(days: Days | None, months: int | None) -> int:
    """Decisions that were made within so many months of the newest one."""
    if days is None or months is None:
        return 0
    return int((days.astype("datetime64[M]") > days.max().astype("datetime64[M]") - months).sum())


def summarise(bad_rows: Sequence[BadRow], most: int = 5) -> list[str]:
    """One line per kind of problem: column, problem, count and the first line numbers."""
    counts = Counter((bad.column, bad.problem) for bad in bad_rows)
    lines = [
        f"{column}: {problem} ({count} rows; lines {_first_lines(bad_rows, column, problem)})"
        for (column, problem), count in counts.most_common(most)
    ]
    more = [f"{len(counts) - most} more kinds: `credit-scoring data --bad-rows FILE` lists all"]
    return lines + (more if len(counts) > most else [])


def _first_lines(bad_rows: Sequence[BadRow], column: str, problem: str, most: int = 5) -> str:
    lines = [str(bad.line) for bad in bad_rows if (bad.column, bad.problem) == (column, problem)]
    return ", ".join(lines[:most]) + (", …" if len(lines) > most else "")


def _read_mapping(path: Path, catalogue: Catalogue) -> ColumnMapping:
    mapping = ColumnMapping.read(path, catalogue)
    if mapping.names_columns and (missing := _unmapped(mapping)):
        raise DataError(
            f"Mapping file {path}: no column for {', '.join(missing)}, which every application has. Add "
            f'{missing[0]} = "…", the column that holds it, under [columns].'
        )
    return mapping


def _unmapped(mapping: ColumnMapping) -> list[str]:
    """The fields that every application has and that training needs, without a column; audits do without theirs."""
    fields = mapping.catalogue.fields
    needed = [name for name in mapping.catalogue.required if fields[name].role is not Role.AUDIT]
    return [name for name in needed if name not in mapping.mapped and name not in mapping.constants]


def _read(path: Path) -> bytes:
    return read_content(path, f"Data file {path}", " Check --path.")


def _download_kaggle() -> Path:
    try:
        import kagglehub  # noqa: PLC0415 - heavy, and only in the training environment
    except ImportError as error:
        raise DataError("kagglehub is not installed. Run `make install`, or give the CSV with --path.") from error
    try:
        return Path(kagglehub.dataset_download(KAGGLE_DATASET)) / KAGGLE_FILE
    except Exception as error:  # kagglehub does not wrap the exceptions of its HTTP library
        raise DataError(
            f"Kaggle data set {KAGGLE_DATASET}: download failed ({type(error).__name__}). Check the network, or "
            f"download {KAGGLE_FILE} by hand and give it with --path."
        ) from error


def _check_header(table: Table, mapping: ColumnMapping, advice: str) -> None:
    if problem := repeated_names(table.header):
        raise DataError(f"{table.name}: {problem}")
    needed = {*mapping.used_columns, mapping.target.column, *filter(None, [mapping.date_column])}
    if missing := sorted({*needed, *_unmapped(mapping)} - {*table.header}):
        found = names_found(table.header) if mapping.header else f"1 to {len(table.header)}, as it has no header"
        meant = did_you_mean([name for name in table.header if name not in needed], missing)
        raise DataError(f"{table.name}: no column {', '.join(missing)}; found {found}.{meant} {advice}")


def _structure_problems(line: int, row: Mapping[Any, Any]) -> Iterator[BadRow]:
    if None in row:
        yield BadRow(line, "(row)", "more cells than the header has")
    elif None in row.values():
        yield BadRow(line, "(row)", "fewer cells than the header has")


def _value_problems(
    line: int, row: Mapping[str, str], record: Mapping[str, Any], mapping: ColumnMapping
) -> Iterator[BadRow]:
    if mapping.defaulted(row) is None:
        yield BadRow(line, mapping.target.column, f"Outcome should be {mapping.target.expected}")
    if mapping.date_column and mapping.day(row) is None:
        yield BadRow(line, mapping.date_column, f"Not a day as {mapping.date_format or 'ISO 8601'} writes it")
    try:
        mapping.catalogue.application.model_validate(record)
    except ValidationError as error:
        for fault in faults(error):
            if not (fault.code == "missing" and fault.field in mapping.catalogue.audit_fields):
                columns = mapping.columns_of(fault.field) if fault.field in mapping.mapped else [fault.field]
                yield BadRow(line, ", ".join(columns), fault.message)


def _check_bad_share(source: str, bad_rows: Sequence[BadRow], good: int, max_bad_share: float) -> None:
    bad = len({bad_row.line for bad_row in bad_rows})
    if good == 0 and bad == 0:
        raise DataError(f"Data of source {source}: no rows below the header.")
    if bad > max_bad_share * (good + bad):
        problems = "\n  ".join(summarise(bad_rows))
        raise BadRowsError(
            f"Data of source {source}: {bad:,} of {good + bad:,} rows are bad, more than --max-bad-share "
            f"{max_bad_share:g} allows:\n  {problems}\nFix the file or its mapping, or allow a larger share.",
            bad_rows,
        )


def check_outcomes(source: str, defaulted: Outcomes, told_by: str) -> None:
    """Raises DataError if either outcome is too rare to train on; `told_by` names the source of outcomes."""
    bad, good = int(defaulted.sum()), int((~defaulted).sum())
    if min(bad, good) < MIN_ROWS_PER_OUTCOME:
        raise DataError(
            f"Data of source {source}: {bad:,} rows defaulted and {good:,} paid; a model needs at least "
            f"{MIN_ROWS_PER_OUTCOME} of each. Check {told_by} and the values that mean default."
        )
