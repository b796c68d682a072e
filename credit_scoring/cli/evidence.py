"""`credit-scoring decisions verify`, `anchor` and `signing-key`: prove that the decision log is as it was written."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from sqlalchemy import Connection

from credit_scoring.cli.decisions import DatabaseOption, console, open_log, progress_bar
from credit_scoring.cli.decisions import app as decisions
from credit_scoring.decisions import ends, events
from credit_scoring.decisions.anchors import Anchor, Anchors, make_keys, read_key, read_public_key
from credit_scoring.decisions.verdict import Verdict
from credit_scoring.decisions.verification import check_anchors, verify
from credit_scoring.errors import ConfigurationError, CreditScoringError

__all__ = ["decisions"]

AnchorsOption = Annotated[
    Path | None, typer.Option(help="File of anchors to compare the log with; keep it on another machine.")
]
PublicKeyOption = Annotated[Path | None, typer.Option(help="Public key that verifies the anchors' signatures.")]


@decisions.command("verify")
def verify_log(
    database: DatabaseOption = None, anchors: AnchorsOption = None, public_key: PublicKeyOption = None
) -> None:
    """Check that no record was altered, removed or inserted; exit code 1 if one was."""
    known = _anchors(anchors, public_key)
    with progress_bar("Verifying", None) as advance:
        opened = open_log(database)
        verdict = opened.run_now(lambda connection: verify(connection, known or (), advance.to), reading=True)
    for problem in verdict.problems:
        console.print(f"[red]problem:[/] {escape(problem)}", soft_wrap=True)
    console.print(f"{verdict.decisions:,} decisions in {verdict.blocks:,} blocks{_besides(verdict)}.", soft_wrap=True)
    if known and known.last:
        console.print(f"{known.last.number:,} anchors, the last one of {known.last.noted_at:%Y-%m-%d %H:%M} UTC.")
    if verdict.problems:
        raise typer.Exit(1)
    console.print("[green]Nothing was altered, removed or inserted.[/]")


def _anchors(path: Path | None, public_key: Path | None) -> Anchors | None:
    """The anchors to compare with; every line is checked here, before the long verification starts."""
    if path is None and public_key is None:
        return None
    if path is None or public_key is None:
        raise ConfigurationError("--anchors and --public-key: one was given, expected both or none.")
    anchors = Anchors(path, read_public_key(public_key))
    if not sum(1 for _ in anchors):
        raise ConfigurationError(f"--anchors {path}: holds no anchor. `credit-scoring decisions anchor` adds one.")
    return anchors


def _besides(verdict: Verdict) -> str:
    purged = f", {verdict.purged:,} more were purged, as recorded" if verdict.purged else ""
    unchained = "outcomes and reviews of an earlier version are not in the event chain"
    purged += f", of {verdict.erased:,} the data were erased, as recorded" if verdict.erased else ""
    return purged + (f", {verdict.unchained:,} {unchained}" if verdict.unchained else "")


@decisions.command()
def anchor(
    key: Annotated[Path, typer.Option(help="Private key to sign with, made by `decisions signing-key`.")],
    anchors: Annotated[Path, typer.Option(help="File to append to; created if missing. Keep it on another machine.")],
    database: DatabaseOption = None,
) -> None:
    """Sign the ends of all chains and append them to a file; with it `verify` detects truncated or rewritten chains."""
    signing = read_key(key)
    file = Anchors(anchors, signing.public_key())

    def note(connection: Connection) -> Anchor:
        if anchors.exists():
            _refuse_another_log(file, connection)
        return file.append(signing, ends.of_all(connection), events.last(connection))

    noted = open_log(database).run_now(note, reading=True)
    console.print(f"Anchor {noted.number:,}: {len(noted.heads):,} chains have grown.")


def _refuse_another_log(file: Anchors, connection: Connection) -> None:
    """Raise CreditScoringError if the log contradicts earlier anchors: a new anchor would confirm it."""
    verdict = Verdict()
    check_anchors(file, connection, verdict)
    if verdict.problems:
        raise CreditScoringError(f"No anchor was added: the log contradicts earlier anchors. {verdict.problems[0]}")


@decisions.command("signing-key")
def signing_key(
    key: Annotated[Path, typer.Option(help="File for the private key; keep it away from the database.")],
    public_key: Annotated[Path, typer.Option(help="File for the public key, which `verify` needs.")],
) -> None:
    """Make an Ed25519 key pair for `anchor` and `verify`."""
    make_keys(key, public_key)
    console.print(escape(f"{key} signs anchors, {public_key} verifies them."), soft_wrap=True)
