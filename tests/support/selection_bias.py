"""What a card says of a model that was trained on a decision log, made up for tests of how it is shown."""

from typing import Any

from credit_scoring.model.card import CutOffStudy, Effect, FieldGap, Interval, ScoreBand, SelectionBias
from credit_scoring.model.reference import RISK


def bias(**changes: Any) -> SelectionBias:
    """Of 3,000 clients with an outcome, 1,200 refused and 300 others, in two bands, the upper one with few outcomes."""
    said: dict[str, Any] = {
        "known": 3000,
        "open": 300,
        "refused": 1200,
        "unusable": 7,
        "fewest": 20,
        "bands": (
            ScoreBand(low=-3, high=-2, risk=0.1, known=2990, open=10, refused=0),
            ScoreBand(low=-2, high=1, risk=0.4, known=10, open=290, refused=1200),
        ),
        "fields": (
            FieldGap(field=RISK, psi=4.1, limit=0.1, bin="≥0.155", known_share=0.1, refused_share=0.867),
            FieldGap(
                field="monthly_income", psi=0.815, limit=0.1, bin="missing", known_share=0.026, refused_share=0.183
            ),
            FieldGap(field="housing", psi=0.02, limit=0.1, bin="OWNER", known_share=0.4, refused_share=0.42),
        ),
        "study": CutOffStudy(
            seen_rows=1313,
            hidden_rows=657,
            seen_default_rate=_around(0.05),
            hidden_default_rate=_around(0.2),
            effects={
                "auc": Effect(full=_around(0.65), hidden=_around(0.6), difference=_around(-0.05)),
                "predicted_default_rate": Effect(full=_around(0.19), hidden=_around(0.05), difference=_around(-0.14)),
            },
        ),
    }
    return SelectionBias(**{**said, **changes})


def _around(value: float) -> Interval:
    return Interval(value=value, low=value - 0.03, high=value + 0.03)
