"""Fields that a mapping computes from several columns of a file: by a formula, or by counting."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from credit_scoring.application.expressions import Expression

_QUOTED = re.compile("`([^`]+)`")


@dataclass(frozen=True)
class Formula:
    """An expression over columns; `columns` are their names, by the name that each has in the expression."""

    expression: Expression
    columns: Mapping[str, str]

    def value(self, numbers: Mapping[str, float]) -> float:
        """The result for the number in each column."""
        arrays = {name: np.array([numbers[column]]) for name, column in self.columns.items()}
        return float(self.expression.evaluate(arrays)[0])


@cache
def formula(text: str) -> Formula:
    """The formula in a text such as "salario / 12 + `Bônus (R$)`"; raises ValueError where it is none.

    A column whose name is no identifier stands in backquotes.
    """
    prefix = "_"
    while prefix in text:
        prefix += "_"
    quoted = {f"{prefix}{number}": name for number, name in enumerate(dict.fromkeys(_QUOTED.findall(text)))}
    names = {name: place for place, name in quoted.items()}
    try:
        expression = Expression(_QUOTED.sub(lambda found: f" {names[found[1]]} ", text))
    except ValueError as error:
        told = re.sub(rf"{prefix}\d+", lambda found: f"`{quoted.get(found[0], found[0])}`", str(error))
        raise ValueError(f"{told}; a column whose name has other letters stands in backquotes") from None
    return Formula(expression, {name: quoted.get(name, name) for name in expression.names})


class Count(BaseModel):
    """In how many of these columns the cell has one of `values`, or a number of `at_least` so much.

    Where a cell is missing, so is the count, unless `if_missing` says that it then counts as not so.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: tuple[str, ...] = Field(min_length=1)
    values: tuple[str, ...] = ()
    at_least: float | None = None
    if_missing: Literal["missing", "no"] = "missing"

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if bool(self.values) == (self.at_least is not None):
            raise ValueError("a count needs either values or at_least, which say what is counted")
        return self
