"""The policy file: TOML that a risk analyst writes; together with a model's threshold it makes a policy."""

from datetime import date
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from credit_scoring.application.toml_files import read_toml
from credit_scoring.errors import PolicyError
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.rules import Case, PolicyPart, Rule

MAX_RULES = 500
MAX_CASES = 1000

_Probability = Annotated[float, Field(gt=0, lt=1)]


class Heading(PolicyPart):
    """What the policy is called, and from and until which day, inclusive, it is valid."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    valid_from: date | None = None
    valid_until: date | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise ValueError(
                f"valid_until {self.valid_until} is before valid_from {self.valid_from}; exchange or correct them"
            )
        return self


class Bands(PolicyPart):
    """Where the risk alone decides; what is left out is as training chose it."""

    deny_at: _Probability | None = None
    review_from: _Probability | None = None


class PolicyFile(PolicyPart):
    """A policy as it is written."""

    policy: Heading
    threshold: Bands = Bands()
    rule: Annotated[tuple[Rule, ...], Field(max_length=MAX_RULES)] = ()
    case: Annotated[tuple[Case, ...], Field(max_length=MAX_CASES)] = ()

    @classmethod
    def read(cls, path: Path) -> Self:
        """The policy in a TOML file; raises PolicyError, which names every fault."""
        return read_toml(path, cls, "Policy", PolicyError)

    def applied_to(self, trained: Policy) -> Policy:
        """The policy of this file for a model: its costs and, where the file has none, its threshold are training's."""
        return Policy(
            **self.policy.model_dump(),
            threshold=self.threshold.deny_at or trained.threshold,
            review_from=self.threshold.review_from,
            costs=trained.costs,
            limits=trained.limits,
            rules=self.rule,
            cases=self.case,
        )
