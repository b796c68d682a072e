"""What a foreign file's columns seem to hold: kinds, ranges, values, and which column may be the outcome."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from credit_scoring.application.fields import MAX_VALUES, Kind
from credit_scoring.application.forbidden import disguise_reason
from credit_scoring.data.layout import Layout, number_of
from credit_scoring.data.mapping import FLAGS, names_found, repeated_names
from credit_scoring.data.tables import read_content, read_table
from credit_scoring.errors import DataError

MISSING = ("", "NA", "N/A", "NULL", "null", "NaN", "nan", "None", "-", "?", "n/d", "N/D")
MOST_COLUMNS = 500
NUMERIC_SHARE = 0.995  # of a column's values, so that a few typing errors do not make it a category
TELLS_ALL = 0.98  # an AUC that only a column written after the outcome has

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}.*|\d{1,2}/\d{1,2}/\d{4}.*")
_OUTCOME = re.compile(r"default|inadimpl|target|outcome|desfecho|atras|bad|mau|delinq|charged|loan_status|^y$", re.I)


@dataclass(frozen=True)
class Column:
    """What a column seems to hold; `left_out` says why it is no field, where it is none.

    `values` are those of a category or flag, `numbers` the least and the middle of a number's.
    """

    name: str
    kind: Kind = "text"
    values: tuple[str, ...] = ()
    numbers: tuple[float, float] = (0.0, 0.0)
    missing_share: float = 0.0
    left_out: str | None = None


@dataclass(frozen=True)
class Profile:
    """A file as it seems to be; `outcomes` are the values of the column that may be the outcome."""

    layout: Layout
    rows: int
    columns: tuple[Column, ...]
    target: str
    outcomes: tuple[str, ...]
    missing: tuple[str, ...]


def profile(path: Path, target: str | None = None, layout: Layout | None = None) -> Profile:
    """Look at a file; raises DataError where it is no table, or where nothing in it may be the outcome.

    `layout` says how it is written, where that cannot be told from the file.
    """
    found, frame = _read(path, layout or Layout())
    chosen = _target(path, frame, target)
    outcomes = tuple(sorted(set(frame[chosen]) - {*MISSING}))
    worse = frame[chosen] == defaulted_of(outcomes)
    columns = [_column(str(name), frame[name], found.decimal, worse) for name in frame if name != chosen]
    missing = tuple(text for text in MISSING if text == "" or (frame == text).any(axis=None))
    return Profile(found, len(frame), tuple(columns), chosen, outcomes, missing)


def defaulted_of(outcomes: Sequence[str]) -> str:
    """Which of two values most likely means default: 1, yes, or what is called so; else the last by alphabet."""
    named = [value for value in outcomes if FLAGS.get(value.lower()) is True or _OUTCOME.search(value)]
    return named[0] if named else outcomes[-1]


def _read(path: Path, layout: Layout) -> tuple[Layout, pd.DataFrame]:
    name = f"File {path}"
    table = read_table(read_content(path, name), path.suffix, name, layout)
    header = table.header
    if problem := repeated_names(header):
        raise DataError(f"{name}: {problem}")
    if layout.header and any(number_of(each, ".") is not None for each in header):
        raise DataError(f"{name}: the first line is no list of column names. Put one above the rows.")
    if not 2 <= len(header) <= MOST_COLUMNS:
        raise DataError(f"{name}: {len(header)} columns; a history has 2 to {MOST_COLUMNS}. Is it a table?")
    frame = pd.DataFrame((row for _, row in table.rows()), columns=list(header), dtype=str).fillna("")
    if frame.empty:
        raise DataError(f"{name}: no rows below the header.")
    decimal = table.decimal(header)
    return table.layout.model_copy(update={"decimal": decimal}), frame.apply(lambda column: column.str.strip())


def _target(path: Path, frame: pd.DataFrame, wanted: str | None) -> str:
    two = [str(name) for name in frame if len(set(frame[name]) - {*MISSING}) == 2]
    if wanted is not None and wanted not in frame:
        found = names_found([str(name) for name in frame])
        raise DataError(f"File {path}: no column {wanted}, which --target names; found {found}.")
    if wanted is not None and wanted not in two:
        raise DataError(f"File {path}: column {wanted} does not have two values, as an outcome must.")
    likely = [name for name in two if _OUTCOME.search(name)] or two
    if wanted is None and len(likely) != 1:
        candidates = ", ".join(likely) or "none"
        raise DataError(
            f"File {path}: which column is the outcome? Name it with --target. With two values: {candidates}."
        )
    return wanted or likely[0]


def _column(name: str, texts: "pd.Series[str]", decimal: str, worse: "pd.Series[bool]") -> Column:
    present = texts[~texts.isin(MISSING)]
    missing_share = 1 - len(present) / len(texts)
    values = tuple(sorted(set(present)))
    if reason := disguise_reason("", name) or (None if name else "it has no name"):
        return Column(name, left_out=reason)
    if len(values) < 2:
        return Column(name, left_out="it has one value at most")
    if set(map(str.lower, values)) <= {*FLAGS} and len(values) == 2:
        return Column(name, "flag", values, missing_share=missing_share)
    numbers = present.map({text: number_of(text, decimal) for text in values}).astype(float)
    if np.isfinite(numbers).mean() >= NUMERIC_SHARE:
        return _number(name, numbers[np.isfinite(numbers)], missing_share, worse)
    return _text(name, present, missing_share)


def _text(name: str, present: "pd.Series[str]", missing_share: float) -> Column:
    values = tuple(sorted(set(present)))
    if present.map(lambda text: bool(_DATE.fullmatch(text))).mean() > NUMERIC_SHARE:
        return Column(name, left_out="a date; where it is the day of the decision, make it the date_column")
    if len(values) > MAX_VALUES or len(values) > len(present) / 2:
        return Column(name, left_out=f"{len(values):,} different texts: no category")
    return Column(name, "category", values, missing_share=missing_share)


def _number(name: str, numbers: "pd.Series[float]", missing_share: float, worse: "pd.Series[bool]") -> Column:
    whole = bool((numbers == numbers.round()).all())
    if whole and numbers.nunique() == len(numbers) and len(numbers) > 1:
        return Column(name, left_out="a different whole number in every row: an id")
    if _auc(numbers, worse) > TELLS_ALL:
        return Column(name, left_out="it tells the outcome by itself: it was written after it")
    kind: Kind = "integer" if whole else "number"
    middle = float(numbers.sort_values().iloc[len(numbers) // 2])
    return Column(name, kind, numbers=(float(numbers.min()), middle), missing_share=missing_share)


def _auc(numbers: "pd.Series[float]", worse: "pd.Series[bool]") -> float:
    """The AUC of a column alone, whichever way it goes (Mann and Whitney 1947)."""
    bad = worse[numbers.index]
    count = int(bad.sum()) * int((~bad).sum())
    if not count:
        return 0.5
    ranks = numbers.rank()
    found = (ranks[bad].sum() - bad.sum() * (bad.sum() + 1) / 2) / count
    return float(max(found, 1 - found))
