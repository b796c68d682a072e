"""`credit-scoring policy backtest`: what a policy would have changed of the decisions on record."""

from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from credit_scoring.cli.backtest_tables import show
from credit_scoring.cli.decisions import (
    DatabaseOption,
    SinceOption,
    UntilOption,
    console,
    moment,
    open_log,
    progress_bar,
)
from credit_scoring.cli.policy import LATEST, FileArgument, ModelOption, tried
from credit_scoring.cli.policy import app as policy
from credit_scoring.decisions import policy_of_the_day, queries
from credit_scoring.decisions.database import Database
from credit_scoring.decisions.policy_of_the_day import History
from credit_scoring.decisions.queries import Wanted
from credit_scoring.decisions.redecision import WHAT_DECIDES, Redecision
from credit_scoring.errors import ConfigurationError, DataError
from credit_scoring.evaluation.backtest_results import Backtest
from credit_scoring.model import store
from credit_scoring.model.stored_policy import StoredPolicy

if TYPE_CHECKING:
    from credit_scoring.evaluation.backtest import Tally

__all__ = ["policy"]

LONGEST_SHOWN = 100


@policy.command()
def backtest(
    file: FileArgument,
    model: ModelOption = LATEST,
    database: DatabaseOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", show_default="backtest-NAME", help="Folder for page and JSON.")
    ] = None,
) -> None:
    """Decide history again under a policy: who would come in, who would go out, and what that earns.

    Each decision is first decided again under the policy of its day. If any differs, these are shown: exit code 1.
    """
    wanted = Wanted(moment(since), moment(until))
    scorer, _, _ = tried(file, model)
    tag = str(store.find(model).tag)
    folder = output or Path(f"backtest-{scorer.policy.name}")
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"--output {folder}: is a file, expected a folder. Name another.")
    numbers, report = _evaluation()
    opened, beside = open_log(database), open_log(database)  # workers may be asked for while a chunk is read ahead
    origins = partial(beside.run_now, policy_of_the_day.origins, reading=True)
    redecision = Redecision(scorer, _stored(tag).pipeline, origins, _stored)
    tally = numbers.Tally(scorer.policy)
    _decide_again(opened, wanted, redecision, tally)
    _stop_where_history_differs(redecision.history)
    if not tally.decisions:
        raise DataError(f"The field catalogue of {tag} allows no application on record; name another model: --model.")
    if redecision.erased:
        console.print(f"{redecision.erased:,} decisions are left out: their applications were erased.")
    found: Backtest = tally.result(tag, wanted.since, wanted.until, redecision)
    show(found, Console())
    try:
        print(report.write(found, scorer, folder))
    except OSError as error:
        raise ConfigurationError(f"--output {folder}: cannot be written ({error.strerror}). Name another.") from error


def _decide_again(opened: Database, wanted: Wanted, redecision: Redecision, tally: "Tally") -> None:
    total = opened.run_now(partial(queries.count, wanted), reading=True)
    if not total:
        raise DataError(f"{opened} has no decision{_period(wanted)}; there is nothing to decide again.")
    with progress_bar("Deciding again", total) as advance:
        for chunk in queries.chunks(opened, wanted, WHAT_DECIDES):
            for part in redecision(chunk):
                tally.add(part)
            advance(len(chunk))


def _period(wanted: Wanted) -> str:
    since = f" from {wanted.since:%Y-%m-%d %H:%M} on" if wanted.since else ""
    return since + (f" before {wanted.until:%Y-%m-%d %H:%M}" if wanted.until else "")


def _stored(tag: str) -> StoredPolicy:
    return StoredPolicy.read(Path(store.find(tag).path))


def _stop_where_history_differs(history: History) -> None:
    if not history.differing:
        return
    for each in history.differences:
        recorded, found = escape(each.recorded[:LONGEST_SHOWN]), escape(each.found[:LONGEST_SHOWN])
        console.print(f"[red]differs:[/] {each.decision_id}, on record {recorded}, now {found}", soft_wrap=True)
    console.print(
        f"{history.differing:,} of {history.policies.total():,} decisions differ from what the policy of their day "
        "gives, so nothing was learned from them. Look for what was altered with `credit-scoring decisions verify`.",
        soft_wrap=True,
    )
    raise typer.Exit(1)


def _evaluation() -> tuple[ModuleType, ModuleType]:
    try:
        from credit_scoring.evaluation import (  # noqa: PLC0415 - brings fairlearn and matplotlib, which the served image does not carry
            backtest,
            backtest_page,
        )
    except ImportError as error:
        raise ConfigurationError(f"{error.name} is not installed: a backtest needs `make install`.") from error
    return backtest, backtest_page
