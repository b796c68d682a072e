"""`credit-scoring keys …`: make API keys."""

import secrets
import tomllib
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from credit_scoring.errors import ConfigurationError
from credit_scoring.serving.auth import Scope, entry, read_keys

PREFIX = "cs_"
SECRET_BYTES = 32

console = Console(stderr=True)
app = typer.Typer(no_args_is_help=True, help="Make API keys; only their hashes are kept.")


@app.callback()
def keys() -> None:
    """Make API keys; only their hashes are kept."""


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
    file: Annotated[
        Path | None, typer.Option(show_default="print the lines to add", help="Keys file to add the key to.")
    ] = None,
) -> None:
    """Make a key and print it once; only its hash is stored.

    To replace a key, add a new one under another name with the same owner, let its user switch, then remove the old
    one's lines. If the old key names no owner, its name is the owner.
    """
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    lines = entry(name, secret, frozenset(scope), owner)
    if file is None:
        console.print("Add these lines to the file in CREDIT_SCORING_API_KEYS_FILE:\n", highlight=False)
        console.print(lines, highlight=False, markup=False)
    else:
        _add(name, lines, file)
    console.print("The key itself, shown only once:")
    print(secret)


def _add(name: str, lines: str, file: Path) -> None:
    kept = ""
    if _exists(file):
        if any(key.name == name for key in read_keys(file)):
            raise ConfigurationError(f"{file} has a key named {name} already. Choose another name.")
        kept = file.read_text(encoding="utf-8").rstrip() + "\n\n"
    try:
        tomllib.loads(kept + lines)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"--file {file}: a [[keys]] table cannot follow an inline list of keys. Write that list as [[keys]] tables."
        ) from error
    try:
        file.touch(mode=0o600)
        file.write_text(kept + lines, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"--file {file}: cannot be written ({error.strerror}).") from error
    console.print(f"Added to {file}. Restart the service to apply it.")


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except OSError as error:  # a name too long, a folder that may not be entered
        raise ConfigurationError(f"--file {file}: cannot be read ({error.strerror}).") from error
