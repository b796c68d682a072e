"""`credit-scoring fields …`: show, check and draft field catalogues."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from credit_scoring.application.catalogue import FOLDER, SHIPPED, Catalogue, shipped
from credit_scoring.application.fields import ApplicationField
from credit_scoring.cli.listing import Listing, messages
from credit_scoring.data import draft as drafting
from credit_scoring.data.layout import Layout
from credit_scoring.data.mapping import ColumnMapping
from credit_scoring.data.profile import defaulted_of, profile
from credit_scoring.errors import ConfigurationError
from credit_scoring.model import store
from credit_scoring.model.manifest import CATALOGUE_FILE, inspect

console = messages()
ABOUT = "title\nrange or values"
app = typer.Typer(no_args_is_help=True, help="Show, check and draft the fields that your applications have.")


@app.command()
def show(
    catalogue: Annotated[
        str, typer.Argument(help=f"A file, the tag of a stored model, or one that is shipped: {', '.join(SHIPPED)}.")
    ] = SHIPPED[0],
    toml: Annotated[
        bool, typer.Option("--toml", help="Print a shipped one as TOML: the file to copy and change.")
    ] = False,
) -> None:
    """Show the fields of a catalogue: kind, range, direction of risk, what a missing value counts as."""
    if toml and catalogue not in SHIPPED:
        raise ConfigurationError(f"--toml: {catalogue} is not shipped; expected {' or '.join(SHIPPED)}.")
    if toml:
        print((FOLDER / f"{catalogue}.toml").read_text(encoding="utf-8"), end="")
        return
    _print(_found(catalogue))


@app.command()
def check(path: Annotated[Path, typer.Argument(help="Field catalogue as TOML.")]) -> None:
    """Check a catalogue: every fault in a line, with the way out."""
    found = Catalogue.read(path)
    console.print(
        f"{found.name}: {len(found.features)} fields for the model, {len(found.derived)} derived, "
        f"{len(found.fields) - len(found.features)} for rules or audits. Nothing is wrong with it.",
        soft_wrap=True,
    )


@app.command()
def draft(
    history: Annotated[Path, typer.Argument(help="CSV, .xlsx or .parquet file of applications and their outcomes.")],
    target: Annotated[str | None, typer.Option(help="Column with the outcome. [told by its name]")] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(help="TOML file: encoding, delimiter, decimal, sheet, header, where the file does not tell."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for fields.toml and mapping.toml.")] = Path(),
) -> None:
    """Propose a catalogue and a mapping for a file of your own; look at both, then train with them."""
    found = profile(history, target, Layout.of_file(mapping) if mapping else None)
    texts = {"fields.toml": drafting.catalogue_of(found, history.stem), "mapping.toml": drafting.mapping_of(found)}
    if there := [name for name in texts if (output / name).exists()]:
        raise ConfigurationError(f"{output / there[0]} is there already. Remove it, or name another folder: --output.")
    _check(texts)
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (output / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"--output {output}: cannot be written ({error.strerror}). Name another.") from error
    for column in found.columns:
        if column.left_out:
            console.print(f"left out {column.name}: {column.left_out}", markup=False, soft_wrap=True)
    console.print(
        f"Outcome: {found.target}, where {defaulted_of(found.outcomes)} means default. Look at both files, then:",
        markup=False,
        soft_wrap=True,
    )
    print(
        f"credit-scoring train --source csv --path {history} --fields {output / 'fields.toml'} "
        f"--mapping {output / 'mapping.toml'}"
    )


def _check(texts: Mapping[str, str]) -> None:
    """Raises an error before anything is written, should a file be so strange that no draft of it can be read."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        ColumnMapping.read(Path(folder) / "mapping.toml", Catalogue.read(Path(folder) / "fields.toml"))


def _found(catalogue: str) -> Catalogue:
    if catalogue in SHIPPED:
        return shipped(catalogue)
    if catalogue.endswith(".toml"):
        return Catalogue.read(Path(catalogue))
    folder = Path(store.find(catalogue).path)
    inspect(folder)
    return Catalogue.model_validate_json((folder / CATALOGUE_FILE).read_bytes())


def _print(catalogue: Catalogue) -> None:
    listing = Listing("field\nkind", ABOUT, "role, risk\nmissing counts as", "lever", text=ABOUT)
    for field in catalogue.fields.values():
        name = f"{field.name} *" if field.required else field.name
        lever = f"{field.lever.at_least:,} to\n{field.lever.at_most:,}" if field.lever else ""
        about = escape(_lines(field.title, _range(field)))
        role = _lines(_joined(field.role, field.risk_moves), _missing(field))
        listing.add(f"{name}\n{field.kind}", about, role, lever)
    for name, entry in catalogue.derived.items():
        about = escape(_lines(entry.title, entry.expression))
        listing.add(f"{name}\nderived", about, _joined("feature", entry.risk_moves), "")
    listing.show(Console())
    console.print("* in every application. docs/fields.md says what each column means.")


def _lines(first: str, second: str) -> str:
    return f"{first}\n{second}" if second else first


def _joined(role: str, risk: str | None) -> str:
    return f"{role}, {risk}" if risk else role


def _range(field: ApplicationField) -> str:
    bounds = [(">", field.above), ("≥", field.at_least), ("≤", field.at_most)]
    told = " ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)
    unit = f" {field.unit}" if field.unit else ""
    return ", ".join(field.values) if field.values else f"{told}{unit}".strip()


def _missing(field: ApplicationField) -> str:
    if field.required or field.role != "feature":
        return ""
    if field.kind == "category":
        return "usual or worse"
    return "the worst" if field.risk_moves and field.if_missing == "worst" else "median or worse"
