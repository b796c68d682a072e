"""The cases of a policy: each is decided, and must come to what its author expects."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.schemas import faults
from credit_scoring.policy.evaluator import Ruling
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.rules import Case

Decide = Callable[[Sequence[Mapping[str, Any]]], Sequence[Ruling]]


@dataclass(frozen=True)
class CaseReport:
    """What is wrong with the cases, a line for each, and how many cases each rule failed in."""

    failures: Sequence[str]
    touched: Mapping[str, int]


def run_cases(policy: Policy, catalogue: Catalogue, decide: Decide) -> CaseReport:
    """Decide every case; `decide` gives the rulings of valid applications."""
    failures: list[str] = []
    valid: list[tuple[Case, Mapping[str, Any]]] = []
    for case in policy.cases:
        try:
            valid.append((case, catalogue.application.model_validate(case.application).__dict__))
        except ValidationError as error:
            named = "; ".join(f"{fault.field}: {fault.message}" for fault in faults(error, catalogue.fields))
            failures.append(f"case '{case.name}': its application is not valid: {named}")
    rulings = decide([record for _, record in valid]) if valid else []
    touched = Counter(id for ruling in rulings for id in ruling.rules)
    failures += [
        f"case '{case.name}': came to {_text(ruling.answer, ruling.rules)}, "
        f"expected {_text(case.expect.decision, case.expect.rules)}; correct the case or the policy"
        for (case, _), ruling in zip(valid, rulings, strict=True)
        if (ruling.answer, {*ruling.rules}) != (case.expect.decision, {*case.expect.rules})
    ]
    return CaseReport(failures, {rule.id: touched[rule.id] for rule in policy.rules})


def _text(answer: str, rules: Sequence[str]) -> str:
    return f"{answer} by {', '.join(sorted(rules))}" if rules else f"{answer} without a rule"
