"""`credit-scoring decisions erase`: erase the data of one application, where no law asks to keep them."""

from functools import partial
from typing import Annotated

import typer

from credit_scoring.cli.decisions import DatabaseOption, console, open_log
from credit_scoring.cli.subject import decisions
from credit_scoring.decisions.database import Database
from credit_scoring.decisions.erasure import Candidate, Order, candidates, erase
from credit_scoring.errors import ConfigurationError
from credit_scoring.model.champion import operating_user
from credit_scoring.policy.dates import today

__all__ = ["decisions"]

LONGEST = 500
FILES = {
    True: "Backups, exports and earlier copies of its pages in the file are not reached",
    False: "The database's files may hold it until they are vacuumed; backups and exports are not reached",
}


@decisions.command("erase")
def erase_application(
    name: Annotated[str, typer.Argument(metavar="APPLICATION_ID|DECISION_ID", help="Whose data to erase.")],
    reason: Annotated[str, typer.Option(help="Why, for the record; name nobody in it.")],
    owner: Annotated[
        str | None, typer.Option(show_default="the only one", help="Owner of the key that sent it; '' for none.")
    ] = None,
    legal_basis_ended: Annotated[
        str | None, typer.Option(help="Why there is no duty to keep it, where no end of its group is on record.")
    ] = None,
    by: Annotated[str | None, typer.Option(show_default="your user name", help="Who erases it.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Erase; without it, only say what would be erased.")] = False,
    database: DatabaseOption = None,
) -> None:
    """Erase the data of one application for good; its answer, time and model stay, and the log still verifies.

    A decision is kept until five years after the end of its group. Where no end is on record, it is kept unless you say
    why it need not be; an end on record that is wrong is corrected by `decisions group-ends`.

    It does not see what still waits in a spool (best_effort): erase once
    credit_scoring_decision_log_spooled has been 0 for 10 seconds, and look again afterwards (`decisions subject`).
    """
    order = Order(
        _text("--reason", reason),
        _text("--by", operating_user() if by is None else by),
        None if legal_basis_ended is None else _text("--legal-basis-ended", legal_basis_ended),
    )
    opened, day = open_log(database), today()
    found = opened.run_now(partial(candidates, name, owner), reading=True)
    if yes:
        opened.run_now(partial(erase, found, order, day))
        _tell_erased(found, opened)
        return
    for each in found:
        print(_would_go(each))
        for other in each.named_by:
            print(f"Decision {other} goes on naming its application id, as the one that it replaces; erase it as well.")
        if duty := each.duty(day):
            refused = each.refusal(order, day)
            why = f"It would be erased although {duty}, since you say: {order.legal_basis_ended}"
            print(f"It would be refused: {refused}" if refused else why)
    console.print("Nothing was erased. Use --yes to erase for good.", soft_wrap=True)


def _text(option: str, given: str) -> str:
    found = given.strip()
    if not found or len(found) > LONGEST or not found.isprintable():
        raise ConfigurationError(f"{option}: {len(found)} characters, expected 1 to {LONGEST} on one line.")
    return found


def _would_go(each: Candidate) -> str:
    on = f" on application {each.application_id}" if each.application_id else ""
    return (
        f"Decision {each.decision_id}{on}, {each.decision} at {each.decided_at:%Y-%m-%d %H:%M} UTC. To be erased: its "
        "application id, the application as received and as the model saw it, its rules, its exact risk, "
        f"the end of its group; outcomes: {each.outcomes}, given reasons: {each.explanations}, "
        f"texts of review steps: {each.reviews}. "
        "What stays: the decision's id, time, model, key and answer, the tenth in which its risk lies, the kinds of "
        "its review steps and who recorded them, and who looked at it."
    )


def _tell_erased(found: list[Candidate], opened: Database) -> None:
    for each in found:
        print(each.decision_id)
    console.print(
        f"{len(found):,} decisions: their data were erased, and that is on record. {FILES[opened.wipe()]}: see "
        "docs/lgpd.md.",
        soft_wrap=True,
    )
