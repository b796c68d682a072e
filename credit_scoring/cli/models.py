"""`credit-scoring models …`: list the stored models, import, check or promote one, roll back, show the history."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from credit_scoring.cli.download import downloaded, is_url
from credit_scoring.cli.listing import Listing, messages
from credit_scoring.errors import ConfigurationError, ModelNotFoundError
from credit_scoring.model import champion, store
from credit_scoring.model.card import ModelCard
from credit_scoring.model.exported import NEWEST, import_file
from credit_scoring.model.manifest import CARD_FILE, POLICY_FILE
from credit_scoring.model.promotions import Promotion, Promotions
from credit_scoring.model.release import check_compared, check_releasable
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.policy import Policy
from credit_scoring.settings import CHAMPION

TIME = "%Y-%m-%d %H:%M"
UNREADABLE = datetime.min.replace(tzinfo=UTC)

console = messages()
app = typer.Typer(
    no_args_is_help=True, help="Which model serves: list, import, check, promote, roll back, with a record of each."
)

ReasonOption = Annotated[str, typer.Option(help="Why; goes on record.")]
ByOption = Annotated[str | None, typer.Option(show_default="the user of this process", help="Who; goes on record.")]


@app.command("list")
def list_models() -> None:
    """List the stored models, newest first, with their AUC on the test part; `*` marks the champion, which serves."""
    current = Promotions.of_store().champion()
    rows = sorted(map(_described, store.versions()), reverse=True)
    if not rows:
        console.print("The store holds no model. Train one with `credit-scoring train`, or import one.")
        return
    listing = Listing("", "model", "made (UTC)", "AUC", "threshold")
    for each in rows:
        mark = "*" if current and current.tag == each.tag else ""
        made = "" if each.made == UNREADABLE else f"{each.made:{TIME}}"
        listing.add(mark, f"{each.tag}\n{each.algorithm}", made, each.auc, each.policy)
    listing.show(Console())
    _tell_champion(current, {each.tag for each in rows})


@app.command("import")
def import_model(
    file: Annotated[
        str,
        typer.Argument(
            help="File or https address of what `bentoml models export` made; beside a file lies its hash, FILE.sha256."
        ),
    ],
    sha256: Annotated[
        str | None, typer.Option(help="Hash of the file; needed with an address, for the hash must come another way.")
    ] = None,
    if_missing: Annotated[
        bool, typer.Option("--if-missing", help="Do nothing if the store has a model already.")
    ] = False,
    for_production: Annotated[
        bool, typer.Option("--for-production", help="Refuse what `credit-scoring models check` refuses.")
    ] = False,
) -> None:
    """Import a model from a file or an address. In a store without models it becomes the champion.

    A file that does not have its hash, and a model that does not reproduce its stored scores, are refused.
    """
    if if_missing and store.has(NEWEST):
        return
    tag, is_new = _imported(file, sha256, check_releasable if for_production else None)
    if is_new:
        _tell_imported(tag)
    else:
        console.print(f"{tag} is in the store already. Nothing was changed.", soft_wrap=True, highlight=False)
    print(tag)


@app.command("check")
def check_model(
    tag: Annotated[str, typer.Argument(help="A tag, or `champion`.")] = CHAMPION,
    against: Annotated[
        str | None, typer.Option(help="Own tag of the released model; need not be in the store.", show_default=False)
    ] = None,
) -> None:
    """Check that a model may go to production; its tag if it may.

    Refused is what does not reproduce its stored scores, and what was trained on the demo data or a public data set.
    With --against also what was not compared with that model when it was trained, and what was worse.
    """
    model = store.find(tag)
    card = Scorer.load(Path(model.path)).card
    check_releasable(str(model.tag), card)
    if against:
        check_compared(str(model.tag), card, against)
    print(model.tag)


@app.command()
def history(last: Annotated[int, typer.Option(min=1, help="Number of changes to show.")] = 20) -> None:
    """Show the changes of the champion, newest first: when, to which model, by whom and why."""
    entries = Promotions.of_store().read()
    if not entries:
        console.print("No model has been promoted yet.")
        return
    why = "by whom and why"
    listing = Listing("when (UTC)", "champion", why, text=why)
    for each in entries[: -last - 1 : -1]:
        how = "rolled back: " if each.rollback else ""
        replaced = f"\nafter {each.replaced}" if each.replaced else ""
        listing.add(f"{each.at:{TIME}}", f"{each.tag}{replaced}", escape(f"{each.by}: {how}{each.reason}"))
    listing.show(Console())


@app.command()
def promote(
    tag: Annotated[str, typer.Argument(help="Model in the store; see `credit-scoring models list`.")],
    reason: ReasonOption,
    by: ByOption = None,
) -> None:
    """Make a stored model the champion, which CREDIT_SCORING_MODEL=credit_scoring:champion serves.

    A model that is missing, incomplete or does not reproduce its stored scores is refused.
    """
    made = champion.promote(tag, champion.operating_user() if by is None else by, reason)
    if made is None:
        console.print(f"{store.find(tag).tag} is the champion already. Nothing was changed.", soft_wrap=True)
        return
    _tell_change(made)


@app.command()
def rollback(reason: ReasonOption, by: ByOption = None) -> None:
    """Make the champion before this one champion again."""
    _tell_change(champion.rollback(champion.operating_user() if by is None else by, reason))


@app.command()
def resolve(tag: Annotated[str, typer.Argument(help="A tag, or `champion`.")] = CHAMPION) -> None:
    """Print the own tag of the model that is found under this one."""
    print(store.find(tag).tag)


def _imported(file: str, sha256: str | None, check: Callable[[str, ModelCard], None] | None) -> tuple[str, bool]:
    if not is_url(file):
        return import_file(Path(file), sha256, check=check)
    if not sha256:
        raise ConfigurationError("--sha256 is missing: an address needs the hash that was told when it was exported.")
    with downloaded(file) as (path, name):
        return import_file(path, sha256, name, check)


def _tell_imported(tag: str) -> None:
    serving = store.find(CHAMPION).tag
    if str(serving) == tag:
        told = f"Imported {tag}. It is the champion: serve it with `make serve`."
    else:
        told = f"Imported {tag}. {serving} still serves: `credit-scoring models promote {tag} --reason …` changes that."
    console.print(told, soft_wrap=True, highlight=False)


def _tell_change(made: Promotion) -> None:
    replaced = f", in place of {made.replaced}" if made.replaced else ""
    console.print(
        f"{made.tag} is the champion now{replaced}. A running service takes it up when it is restarted or gets SIGHUP; "
        "an image keeps the model that it was built with.",
        soft_wrap=True,
        highlight=False,
    )
    print(made.tag)


class _Row(NamedTuple):
    made: datetime
    tag: str
    algorithm: str
    auc: str = ""
    policy: str = ""


def _described(tag: str) -> _Row:
    try:
        model = store.find(tag)
        card = ModelCard.model_validate_json((Path(model.path) / CARD_FILE).read_bytes())
        policy = Policy.model_validate_json((Path(model.path) / POLICY_FILE).read_bytes())
    except (ModelNotFoundError, OSError, ValidationError):
        return _Row(UNREADABLE, tag, "incomplete: cannot be served")
    auc = f"{card.test['auc'].value:.3f}"
    return _Row(model.info.creation_time, tag, card.chosen, auc, f"{policy.threshold:g}\n{policy.version}")


def _tell_champion(current: Promotion | None, tags: set[str]) -> None:
    if current is None:
        told = "No model has been promoted yet, so the newest serves: `credit-scoring models promote TAG --reason …`."
    elif current.tag not in tags:
        told = f"[red]The champion {current.tag} is not in this store.[/] Import it again, or promote another model."
    else:
        told = escape(f"* champion since {current.at:{TIME}}, promoted by {current.by}: {current.reason}")
    console.print(told, highlight=False)
