"""What is sent: real applications of the embedded data as JSON, with the decisions that the pipeline itself gives."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.fields import ApplicationField
from credit_scoring.application.schemas import Answer
from credit_scoring.data.datasets import load_embedded
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.policy import Policy
from credit_scoring.settings import PROJECT_FOLDER


@dataclass(frozen=True)
class Sample:
    """Applications as JSON texts, and for each the risk and the decision of the uncompiled pipeline."""

    bodies: list[str]
    risks: list[float]
    decisions: list[Answer]


def sample(scorer: Scorer) -> Sample:
    """Every row of the embedded data, absent values left out."""
    return sample_of(scorer, load_embedded(PROJECT_FOLDER / "data").frame)


def sample_of(scorer: Scorer, frame: pd.DataFrame) -> Sample:
    """Every row of a frame with the fields of the scorer's catalogue."""
    bodies = [_body(row, scorer.catalogue) for row in frame.to_dict(orient="records")]
    risks = scorer.score(frame).tolist()
    return Sample(bodies, risks, [answer_of(risk, scorer.policy) for risk in risks])


def answer_of(risk: float, policy: Policy) -> Answer:
    """What a policy without rules answers."""
    return Answer.DENIED if risk >= policy.threshold else Answer.APPROVED


def _body(row: dict[Any, Any], catalogue: Catalogue) -> str:
    values = {name: _value(catalogue.fields[name], value) for name, value in row.items() if not pd.isna(value)}
    return catalogue.application.model_validate(values).model_dump_json(exclude_none=True)


def _value(field: ApplicationField, value: Any) -> Any:
    """Flags and whole numbers are floats in the frame; the API wants them as what they are."""
    if field.kind == "flag":
        return bool(value)
    return int(value) if field.is_number and float(value).is_integer() else value
