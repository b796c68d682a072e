"""HTML templates, with filters that format numbers."""

from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from credit_scoring.model.card import Interval


def _percent(value: float) -> str:
    return f"{value:.1%}".replace("%", "\N{NO-BREAK SPACE}%")


def _shares(interval: Interval) -> str:
    return f"{_percent(interval.value)} [{interval.low:.1%}, {interval.high:.1%}]".replace("%,", ",").replace("%]", "]")


def _whole(number: int) -> str:
    return f"{number:,}"


def _reais(value: float) -> str:
    sign = "−" if value < 0 else ""
    return f"{sign}R$\N{NO-BREAK SPACE}{abs(value):,.2f}"


def environment(titles: Mapping[str, str]) -> Environment:
    """The Jinja environment of the templates, with filters that format numbers; `titles` are those of fields."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": _percent,
        "shares": _shares,
        "whole": _whole,
        "reais": _reais,
        "portuguese": lambda field: titles.get(field, ""),
    }
    return environment
