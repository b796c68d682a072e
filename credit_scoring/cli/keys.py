"""`credit-scoring keys …`: make, list, rotate and revoke API keys."""

import secrets
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from credit_scoring.cli.decisions import moment
from credit_scoring.cli.listing import Listing, messages
from credit_scoring.errors import ConfigurationError
from credit_scoring.serving import keys_file
from credit_scoring.serving.auth import Key, Scope, entry, read_keys

PREFIX = "cs_"
SECRET_BYTES = 32
APPLY = "Send SIGHUP to the service, or restart it, to apply it."

console = messages()
app = typer.Typer(no_args_is_help=True, help="Make, list, rotate and revoke API keys; only their hashes are kept.")

FileOption = Annotated[
    Path,
    typer.Option(envvar="CREDIT_SCORING_API_KEYS_FILE", show_default="required", help="Keys file."),
]
NewFileOption = Annotated[
    Path | None, typer.Option(show_default="print the lines to add", help="Keys file to add the key to.")
]
ExpiresOption = Annotated[
    str | None, typer.Option(show_default="never", help="Day or time, UTC, from which the key is refused.")
]


@app.callback()
def keys() -> None:
    """Make, list, rotate and revoke API keys; only their hashes are kept."""


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the key's user; the decision log records it.")],
    scope: Annotated[
        list[Scope],
        typer.Option(
            help="Repeatable: predict; outcomes (report outcomes and reviews); read (dossiers); what_if (simulations); "
            "review (the desk at /mesa)."
        ),
    ],
    owner: Annotated[
        str | None,
        typer.Option(
            show_default="the key's name", help="Owner of the key; all keys of an owner share application ids."
        ),
    ] = None,
    file: NewFileOption = None,
    expires: ExpiresOption = None,
) -> None:
    """Make a key and print it once; only its hash is stored."""
    until = _to_come(expires)
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    lines = entry(name, secret, frozenset(scope), owner, until)
    if file is None:
        console.print("Add these lines to the file in CREDIT_SCORING_API_KEYS_FILE:\n", highlight=False)
        console.print(lines, highlight=False, markup=False)
    else:
        kept = _with_room_for(name, file)
        keys_file.write(_joined(kept, lines, file), file)
        console.print(f"Added to {file}. {APPLY}", soft_wrap=True)
    _tell(secret)


@app.command("list")
def list_keys(file: FileOption) -> None:
    """Show the keys of a file: owner, scopes, and whether each is good."""
    now = datetime.now(UTC)
    found = read_keys(file)
    if not found:
        print(f"{file} has no key.")
        return
    listing = Listing("name", "owner", "scopes", "expires (UTC)", "state", text="scopes")
    for key in found:
        scopes = " ".join(scope.value for scope in Scope if scope in key.scopes)
        expires = f"{key.expires:%Y-%m-%d %H:%M}" if key.expires else "never"
        state = "expired" if key.is_expired(now) else "good"
        listing.add(escape(key.name), escape(key.owner or key.name), scopes, expires, state)
    listing.show(Console())


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="Name of the key.")],
    file: FileOption,
) -> None:
    """Refuse a key from now on; its name stays in the file, so that nobody else can get it."""
    key, now = keys_file.find(name, file), datetime.now(UTC)
    if key.is_expired(now):
        console.print(f"{name} is refused already, since {key.expires:%Y-%m-%d %H:%M} UTC.", soft_wrap=True)
        return
    keys_file.write(keys_file.with_expiry(name, now, file), file)
    console.print(
        f"{name} is revoked. Until the service reads the file again it is still good: {APPLY}", soft_wrap=True
    )


@app.command()
def rotate(
    name: Annotated[str, typer.Argument(help="Name of the key to replace.")],
    new_name: Annotated[str, typer.Argument(help="Name of the new key.")],
    file: FileOption,
    days: Annotated[int, typer.Option(min=0, max=365, help="Days for which the old key stays good.")] = 7,
    expires: ExpiresOption = None,
) -> None:
    """Make a new key with the scopes and the owner of an old one, which stays good for some days."""
    old, now = keys_file.find(name, file), datetime.now(UTC)
    if old.is_expired(now):
        raise ConfigurationError(f"{name} is refused since {old.expires:%Y-%m-%d}. Make a key with `keys new`.")
    _with_room_for(new_name, file)
    until = _to_come(expires)
    last = min(filter(None, (now + timedelta(days=days), old.expires)))
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    lines = entry(new_name, secret, old.scopes, old.owner or old.name, until)
    keys_file.write(_joined(keys_file.with_expiry(name, last, file), lines, file), file)
    console.print(f"{new_name} is added, {name} is good until {last:%Y-%m-%d %H:%M} UTC. {APPLY}", soft_wrap=True)
    _tell(secret)


def _to_come(expires: str | None) -> datetime | None:
    until = moment(expires)
    if until and until <= datetime.now(UTC):
        raise ConfigurationError(f"--expires {expires}: lies in the past. Give a day or time to come.")
    return until


def _with_room_for(name: str, file: Path) -> str:
    """What the file holds, which has no key of this name; empty where there is no file."""
    if not _exists(file):
        return ""
    found: list[Key] = [key for key in read_keys(file) if key.name == name]
    if found:
        raise ConfigurationError(f"{file} has a key named {name} already. Choose another name.")
    return file.read_text(encoding="utf-8")


def _joined(kept: str, lines: str, file: Path) -> str:
    text = f"{kept.rstrip()}\n\n{lines}" if kept else lines
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"--file {file}: a [[keys]] table cannot follow an inline list of keys. Write that list as [[keys]] tables."
        ) from error
    return text


def _tell(secret: str) -> None:
    console.print("The key itself, shown only once:")
    print(secret)


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except OSError as error:  # a name too long, a folder that may not be entered
        raise ConfigurationError(f"--file {file}: cannot be read ({error.strerror}).") from error
