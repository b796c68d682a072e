"""The stored model as the variants that know nothing of this project's scorer load it: pipeline, threshold, fields."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import joblib
from pydantic import BaseModel

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.application.schemas import Answer, Application
from credit_scoring.model.card import ModelCard
from credit_scoring.model.features import application_frame
from credit_scoring.model.manifest import CARD_FILE, PIPELINE_FILE, POLICY_FILE
from credit_scoring.policy.policy import Policy

MODEL_FOLDER = "BENCHMARK_MODEL_FOLDER"
MODEL_TAG = "BENCHMARK_MODEL_TAG"


class Verdict(BaseModel):
    """What these variants reply: shorter than this service's decision, which is to their advantage."""

    decision: Answer
    risk_probability: float


@dataclass(frozen=True)
class PipelineModel:
    """The scikit-learn pipeline itself, pandas and ColumnTransformer included."""

    pipeline: Any
    policy: Policy
    features: Sequence[str]

    @classmethod
    def load(cls) -> Self:
        """The model whose folder the environment names."""
        folder = model_folder()
        policy = Policy.model_validate_json((folder / POLICY_FILE).read_bytes())
        card = ModelCard.model_validate_json((folder / CARD_FILE).read_bytes())
        return cls(joblib.load(folder / PIPELINE_FILE), policy, card.features)

    def decide(self, applications: Sequence[Application]) -> list[Verdict]:
        """One verdict per application, in order, from one call of the pipeline."""
        frame = application_frame([application.model_dump() for application in applications], CATALOGUE, self.features)
        risks = self.pipeline.predict_proba(frame)[:, 1]
        return [Verdict(decision=self._answer(risk), risk_probability=risk) for risk in risks.tolist()]

    def _answer(self, risk: float) -> Answer:
        return Answer.DENIED if risk >= self.policy.threshold else Answer.APPROVED


def model_folder() -> Path:
    """The folder of the model under test in the BentoML store."""
    return Path(os.environ[MODEL_FOLDER])
