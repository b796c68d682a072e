"""Options in groups, by a small command of the tests' own."""

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from credit_scoring.cli.options import grouped

Name = Annotated[str, typer.Argument()]


@dataclass(frozen=True)
class Sizes:
    """Sizes."""

    rows: Annotated[int, typer.Option(min=1, help="How many rows.")] = 3
    share: Annotated[float | None, typer.Option(help="Their share.")] = None


@dataclass(frozen=True)
class MoreSizes(Sizes):
    """More sizes."""

    columns: Annotated[int, typer.Option(help="How many columns.")] = 4


app = typer.Typer()


@app.command()
@grouped
def one(sizes: Sizes, name: Name, loud: Annotated[bool, typer.Option("--loud")] = False) -> None:
    """Show a group."""
    print(name, sizes, loud)


@app.command()
@grouped
def two(sizes: MoreSizes) -> None:
    """Show a group that extends another."""
    print(sizes)


def _run(*arguments: str) -> str:
    found = CliRunner(env={"COLUMNS": "120", "NO_COLOR": "1"}).invoke(app, arguments)
    return found.output


def test_a_command_gets_its_options_in_their_groups() -> None:
    assert _run("one", "x", "--rows", "7", "--loud") == f"x {Sizes(rows=7)} True\n"


def test_options_that_are_not_given_have_the_defaults_of_their_group() -> None:
    assert _run("one", "x") == f"x {Sizes()} False\n"


def test_a_group_may_extend_another_one() -> None:
    assert _run("two", "--share", "0.5", "--columns", "1") == f"{MoreSizes(share=0.5, columns=1)}\n"


def test_an_option_of_a_group_is_checked_as_any_other() -> None:
    assert "Input should be greater than or equal to 1" in _run("one", "x", "--rows", "0")


def test_help_shows_each_group_in_a_panel_of_its_own() -> None:
    assert "─ Sizes ─" in _run("one", "--help")
    shown = _run("two", "--help")
    assert "─ More sizes ─" in shown
    assert "─ Sizes ─" not in shown
