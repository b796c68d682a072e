"""Rows that a stored model proves its scores with: applications of nobody, so that no applicant travels with a model.

Every column is drawn by itself, so no row is a client's; a number is interpolated between clients' and rounded to two
digits, so none is a client's own figure. Extremes reach to what clients had or past it, and every field that a request
may leave out is missing now and then.
"""

from typing import Any

import numpy as np
import pandas as pd

from credit_scoring.application.arrays import Floats
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.fields import ApplicationField

DIGITS = 2
MISSING_SHARE = 0.1
EXTREMES = 2  # rows at the lower end of every number, and as many at the upper one


def proof_rows(frame: pd.DataFrame, catalogue: Catalogue, size: int, seed: int) -> pd.DataFrame:
    """So many rows with the columns and types of a training frame; the last one leaves out all that may be."""
    generator = np.random.default_rng(seed)
    fields = {str(name): catalogue.fields[str(name)] for name in frame}
    return pd.DataFrame({name: _column(field, frame[name], size, generator) for name, field in fields.items()})


def _column(
    field: ApplicationField, column: "pd.Series[Any]", size: int, generator: np.random.Generator
) -> "pd.Series[Any]":
    drawn: Any
    if field.kind == "category":
        drawn = generator.choice(np.array(field.categories, dtype=object), size)
    elif field.kind == "flag":
        drawn = generator.integers(0, 2, size).astype(np.float64)
    else:
        drawn = _numbers(column.dropna().to_numpy(dtype=np.float64), size, generator)
    rows: pd.Series[Any] = pd.Series(drawn, dtype=column.dtype)
    if not field.required:
        missing = generator.random(size) < MISSING_SHARE
        missing[-1:] = True
        rows[missing] = None if column.dtype == object else np.nan
    return rows


def _numbers(known: Floats, size: int, generator: np.random.Generator) -> Floats:
    if not known.size:
        return np.full(size, np.nan)
    drawn = np.quantile(known, generator.random(size))
    if (known == np.round(known)).all():
        drawn = np.round(drawn)
    drawn = _rounded(drawn, DIGITS, np.round)
    drawn[:EXTREMES] = _rounded(np.array([known.min()]), 1, np.floor)[0]
    drawn[EXTREMES : 2 * EXTREMES] = _rounded(np.array([known.max()]), 1, np.ceil)[0]
    return drawn


def _rounded(numbers: Floats, digits: int, how: Any) -> Floats:
    """Numbers with so many significant digits."""
    magnitude = np.floor(np.log10(np.abs(numbers), out=np.zeros_like(numbers), where=numbers != 0))
    unit = 10.0 ** (magnitude - digits + 1)
    rounded: Floats = how(numbers / unit) * unit
    return rounded
