"""`python -m benchmarks.policy`: how long the checks of many rules take, in seconds of processor time."""

import time
from statistics import median
from typing import Annotated

import typer

from benchmarks.policy.rules import boxes
from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.policy.checks import problems
from credit_scoring.policy.costs import CostMatrix
from credit_scoring.policy.policy import Policy

REPETITIONS = 3


def main(
    counts: Annotated[str, typer.Option(help="Numbers of rules, with commas between.")] = "50,100,200,500",
) -> None:
    """Print a row for each number of rules."""
    typer.echo("| rules | faults found | checked in, CPU s |")
    typer.echo("|--:|--:|--:|")
    for count in map(int, counts.split(",")):
        policy = Policy(threshold=0.3, costs=CostMatrix(), rules=boxes(count))
        found = [_checked(policy) for _ in range(REPETITIONS)]
        typer.echo(f"| {count} | {found[0][0]} | {median(seconds for _, seconds in found):.2f} |")


def _checked(policy: Policy) -> tuple[int, float]:
    """How many faults the policy has, and the CPU seconds that it took to tell."""
    started = time.process_time()
    found = problems(policy, CATALOGUE)
    return len(found), time.process_time() - started


if __name__ == "__main__":
    typer.run(main)
