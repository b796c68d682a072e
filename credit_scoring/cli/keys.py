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
    name: Annotated[str, typer.Argument(help="Who will use it; this name stands in the decision log.")],
    scope: Annotated[
        list[Scope],
        typer.Option(help="What for, several times: predict; outcomes (report them, reviews too); read (dossiers)."),
    ],
    owner: Annotated[
        str | None, typer.Option(help="Whose it is; all keys of an owner share its application ids. [the key's name]")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="Keys file to add it to. [print the lines to add]")] = None,
) -> None:
    """Make a key and print it, this once; what is kept is its hash.

    To replace a key, add the new one under another name with the same owner, let its user change over, then take the
    old one's lines out. Where the old one names no owner, its name is the owner.
    """
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    lines = entry(name, secret, frozenset(scope), owner)
    if file is None:
        console.print("Add these lines to the file that CREDIT_SCORING_API_KEYS_FILE names:\n", highlight=False)
        console.print(lines, highlight=False, markup=False)
    else:
        _add(name, lines, file)
    console.print("The key itself, shown this once:")
    print(secret)


def _add(name: str, lines: str, file: Path) -> None:
    kept = ""
    if _exists(file):
        if any(key.name == name for key in read_keys(file)):
            raise ConfigurationError(f"{file} has a key named {name} already. Take another name.")
        kept = file.read_text(encoding="utf-8").rstrip() + "\n\n"
    try:
        tomllib.loads(kept + lines)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"--file {file}: a [[keys]] cannot be added behind an inline list of keys. Write the list as [[keys]]."
        ) from error
    try:
        file.touch(mode=0o600)
        file.write_text(kept + lines, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"--file {file}: cannot be written ({error.strerror}).") from error
    console.print(f"Added to {file}. Restart the service to have it take effect.")


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except OSError as error:  # a name too long, a folder that may not be entered
        raise ConfigurationError(f"--file {file}: cannot be read ({error.strerror}).") from error
