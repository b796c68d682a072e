"""Made-up rules on a consórcio's applications."""

from typing import Any

import numpy as np

from credit_scoring.policy.rules import Rule

NUMBERS = ("monthly_income", "term_months", "outstanding_debt", "assets_value", "instalment_over_income")
PAIRS = (
    ("outstanding_debt", 1_000_000.0, "credit_letter_value", 100_000.0),
    ("instalment_over_income", 3.0, "debt_over_assets", 30.0),
    ("assets_value", 10_000_000.0, "letter_over_good_value", 3.0),
)
DENYING = (("term_months", 60), ("monthly_income", 8_700), ("credit_letter_value", 50_100))


def boxes(count: int, seed: int = 1) -> tuple[Rule, ...]:
    """Rules that hold in a random box of three numbers each, as many as wanted; some boxes meet."""
    draw = np.random.default_rng(seed)
    return tuple(
        _rule(f"BOX_{place}", [_span(draw, each) for each in draw.choice(NUMBERS, 3, replace=False).tolist()])
        for place in range(count)
    )


def seldom_broken(count: int) -> tuple[Rule, ...]:
    """Rules on two numbers each, eight of them in all, three of them derived; three rules on one number deny some."""
    return tuple(_pair(place) for place in range(count))


def _span(draw: np.random.Generator, name: str) -> dict[str, Any]:
    return {"field": name, "between": sorted(draw.choice(range(1, 400), 2, replace=False).tolist())}


def _pair(place: int) -> Rule:
    first, most, second, least = PAIRS[place % len(PAIRS)]
    if place % 10 == 0 and place < 10 * len(DENYING):
        field, most = DENYING[place // 10]
        return _rule(f"SINGLE_{place}", [{"field": field, "above": most}])
    step = 1 + place // len(PAIRS)
    return _rule(
        f"PAIR_{place}", [{"field": first, "above": most * step}, {"field": second, "above": round(least / step, 2)}]
    )


def _rule(id: str, predicates: list[dict[str, Any]]) -> Rule:
    content = {"id": id, "when": {"all": predicates}, "if_missing": "pass", "then": "deny", "reason": "Regra"}
    return Rule.model_validate(content)
