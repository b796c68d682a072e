"""Which way derived fields move with a field, told from their expressions and the ranges of fields, for all values."""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce

from credit_scoring.application.fields import ApplicationField, Derived

_WAYS = {"up": 1, "down": -1}


@dataclass(frozen=True)
class _Part:
    """A part of an expression: its sign (1: never below 0, -1: never above) and how it moves; None is unknown."""

    sign: int | None
    slope: int | None


def one_way(fields: Mapping[str, ApplicationField], derived: Mapping[str, Derived], name: str) -> bool:
    """Whether every derived field moves the risk as this field itself is declared to; False where that is unknown."""
    way = _WAYS[fields[name].risk_moves or "up"]
    known = {each: _Part(_sign(field), int(each == name)) for each, field in fields.items()}
    for each, entry in derived.items():
        known[each] = _part(ast.parse(entry.expression.strip(), mode="eval").body, known)
        declared = _WAYS[entry.risk_moves] if entry.risk_moves else None
        if _times(known[each].slope, declared) not in (0, way):
            return False
    return True


def _sign(field: ApplicationField) -> int | None:
    low = [bound for bound in (field.above, field.at_least) if bound is not None]
    return 1 if field.kind == "flag" or max(low, default=-1) >= 0 else None


def _part(node: ast.expr, known: Mapping[str, _Part]) -> _Part:
    match node:
        case ast.Name(id=name):
            return known[name]
        case ast.Constant(value=int() | float() as value):
            return _Part(1 if value >= 0 else -1, 0)
        case ast.UnaryOp(operand=operand):
            return _negative(_part(operand, known))
        case ast.BinOp(op=op, left=left, right=right):
            return _OPERATORS[type(op)](_part(left, known), _part(right, known))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return reduce(_FUNCTIONS[name], (_part(each, known) for each in arguments))
    return _Part(None, None)


def _negative(part: _Part) -> _Part:
    return _Part(_times(part.sign, -1), _times(part.slope, -1))


def _sum(left: _Part, right: _Part) -> _Part:
    return _Part(left.sign if left.sign == right.sign else None, _both(left.slope, right.slope))


def _difference(left: _Part, right: _Part) -> _Part:
    return _sum(left, _negative(right))


def _product(left: _Part, right: _Part) -> _Part:
    slope = _both(_times(left.slope, right.sign), _times(right.slope, left.sign))
    return _Part(_times(left.sign, right.sign), slope)


def _quotient(left: _Part, right: _Part) -> _Part:
    """Over what may be negative nothing is known: the quotient jumps at 0."""
    if right.sign != 1:
        return _Part(None, 0 if (left.slope, right.slope) == (0, 0) else None)
    return _Part(left.sign, _both(left.slope, _times(_times(right.slope, left.sign), -1)))


def _smaller(left: _Part, right: _Part) -> _Part:
    return _Part(-1 if -1 in (left.sign, right.sign) else _same(left.sign, right.sign), _both(left.slope, right.slope))


def _larger(left: _Part, right: _Part) -> _Part:
    return _Part(1 if 1 in (left.sign, right.sign) else _same(left.sign, right.sign), _both(left.slope, right.slope))


def _times(left: int | None, right: int | None) -> int | None:
    if 0 in (left, right):
        return 0
    return None if left is None or right is None else left * right


def _same(left: int | None, right: int | None) -> int | None:
    return left if left == right else None


def _both(left: int | None, right: int | None) -> int | None:
    """The slope of what moves with either."""
    return right if left == 0 else left if right == 0 else _same(left, right)


_Combine = Callable[[_Part, _Part], _Part]
_OPERATORS: dict[type[ast.operator], _Combine] = {
    ast.Add: _sum,
    ast.Sub: _difference,
    ast.Mult: _product,
    ast.Div: _quotient,
}
_FUNCTIONS: dict[str, _Combine] = {"min": _smaller, "max": _larger}
