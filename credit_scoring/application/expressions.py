"""Expressions over fields: `+ - * /`, `min` and `max`, in text, evaluated a column at a time and never as code."""

import ast
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from credit_scoring.application.arrays import Floats

MAX_LENGTH = 500
MAX_DEPTH = 50
ALLOWED = "names of fields, numbers, + - * /, parentheses, min(…) and max(…)"

_Evaluate = Callable[[Mapping[str, Floats]], Any]


def _ratio(numerator: Any, denominator: Any) -> Any:
    """Quotient that stays monotone at a zero denominator: x/0 is infinite, 0/0 is zero.

    A denominator of -0.0 is zero as well, which + 0.0 makes of it: over it, x would be infinite the other way.
    """
    return np.where(np.logical_or(numerator, denominator), np.divide(numerator, np.add(denominator, 0.0)), 0.0)


_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: _ratio,
}
_FUNCTIONS = {"min": np.minimum, "max": np.maximum}


def quiet() -> AbstractContextManager[Any]:
    """Within it NumPy does not warn of what `Expression` defines: x/0, overflow, inf − inf."""
    return np.errstate(divide="ignore", over="ignore", invalid="ignore")


@dataclass(frozen=True)
class Expression:
    """A text such as `(monthly_income - monthly_expenses) / instalment`; a missing value makes the result missing.

    Raises ValueError where the text is none.
    """

    text: str

    def __post_init__(self) -> None:
        _ = self._parsed

    def __reduce__(self) -> tuple[type["Expression"], tuple[str]]:
        """Only the text is pickled."""
        return Expression, (self.text,)

    @property
    def names(self) -> tuple[str, ...]:
        """The fields in it, each once, as they come."""
        return tuple(dict.fromkeys(self._parsed[1]))

    def evaluate(self, columns: Mapping[str, Floats]) -> Floats:
        """Its value in each row, shape (rows,); each name in it is a key of `columns`, with such an array."""
        with quiet():
            return self.compute(columns)

    def compute(self, columns: Mapping[str, Floats]) -> Floats:
        """The same, without care for NumPy's warnings: for those who evaluate many within one `quiet()`."""
        values: Floats = self._parsed[0](columns)
        return values

    @cached_property
    def _parsed(self) -> tuple[_Evaluate, list[str]]:
        names: list[str] = []
        evaluate = _compiled(_tree(self.text), names, 0)
        if not names:
            raise ValueError(f"'{_short(self.text)}' names no field")
        return evaluate, names


def _tree(text: str) -> ast.expr:
    if len(text) > MAX_LENGTH:
        raise ValueError(f"is {len(text)} characters long; {MAX_LENGTH} are allowed")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ValueError(f"'{_short(text)}' cannot be read; allowed are {ALLOWED}") from None


def _compiled(node: ast.expr, names: list[str], depth: int) -> _Evaluate:
    if depth > MAX_DEPTH:
        raise ValueError(f"is nested more than {MAX_DEPTH} deep")
    match node:
        case ast.Name(id=name):
            names.append(name)
            return lambda columns: columns[name]
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            number = float(value)
            return lambda columns: number
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _compiled(operand, names, depth + 1)
            return lambda columns: np.negative(inner(columns))
        case ast.BinOp(op=op, left=left, right=right) if type(op) in _OPERATORS:
            return _folded(_OPERATORS[type(op)], [left, right], names, depth)
        case ast.Call(func=ast.Name(id="min" | "max" as name), args=[_, _, *_] as arguments, keywords=[]):
            return _folded(_FUNCTIONS[name], arguments, names, depth)
    raise ValueError(f"'{_short(ast.unparse(node))}' is not allowed; allowed are {ALLOWED}")


def _folded(combine: Callable[[Any, Any], Any], nodes: list[ast.expr], names: list[str], depth: int) -> _Evaluate:
    first, *others = [_compiled(node, names, depth + 1) for node in nodes]
    for other in others:
        first = _pair(combine, first, other)
    return first


def _pair(combine: Callable[[Any, Any], Any], left: _Evaluate, right: _Evaluate) -> _Evaluate:
    return lambda columns: combine(left(columns), right(columns))


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"
