"""A scorer under another policy than its own: checked for its catalogue, its cases decided by its model."""

from dataclasses import replace
from pathlib import Path

from credit_scoring.application.toml_files import in_lines
from credit_scoring.errors import PolicyError
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.cases import CaseReport, run_cases
from credit_scoring.policy.checks import problems
from credit_scoring.policy.dates import not_valid, today
from credit_scoring.policy.file import PolicyFile
from credit_scoring.policy.policy import Policy


def governed(scorer: Scorer, policy: Policy, title: str) -> tuple[Scorer, CaseReport]:
    """The scorer under this policy, and what its cases came to; raises PolicyError, whose message begins with `title`.

    The policy is refused where a check or a case fails.
    """
    if found := problems(policy, scorer.catalogue):
        raise PolicyError(in_lines(title, found))
    under = replace(scorer, policy=policy)
    report = run_cases(policy, scorer.catalogue, lambda records: under.decide(records)[1])
    if report.failures:
        raise PolicyError(in_lines(title, [*report.failures]))
    return under, report


def governed_by_file(scorer: Scorer, path: Path) -> Scorer:
    """The scorer under the policy in this file, which must be valid today; raises PolicyError."""
    title = f"Policy {path}"
    under, _ = governed(scorer, PolicyFile.read(path).applied_to(scorer.policy), title)
    check_valid(under, title)
    return under


def scorer_in_use(tag: str, folder: Path, policy_file: Path | None) -> Scorer:
    """The scorer in a model's folder, under the policy in the file or its own; raises where it must not decide."""
    scorer = Scorer.load(folder)
    if policy_file:
        return governed_by_file(scorer, policy_file)
    check_valid(scorer, f"The policy of model {tag}")
    return scorer


def check_valid(scorer: Scorer, title: str) -> None:
    """Raises PolicyError where the scorer's policy may not decide today."""
    if reason := not_valid(scorer.policy, today()):
        raise PolicyError(f"{title}: {reason}.")
