"""The README: short, true of what there is, and the same in both languages."""

import json
import re
from typing import Any

import pytest
from typer.main import get_command

from credit_scoring.cli.app import app
from credit_scoring.settings import PROJECT_FOLDER

ENGLISH, PORTUGUESE = "README.md", "README.pt-BR.md"
BOTH = pytest.mark.parametrize("name", [ENGLISH, PORTUGUESE])
MOST_LINES = 120


def text_of(name: str) -> str:
    return (PROJECT_FOLDER / name).read_text(encoding="utf-8")


def headings(name: str) -> list[int]:
    """The levels of its headings, outside of blocks of code."""
    prose = re.sub(r"```.*?```", "", text_of(name), flags=re.DOTALL)
    return [len(marks) for marks in re.findall(r"^(#+) ", prose, re.MULTILINE)]


def commands(name: str) -> list[str]:
    """Its indented lines without their comments."""
    return [
        line.partition("  #")[0].strip()
        for line in re.findall(r"^ {4}((?:make|credit-scoring) .+)$", text_of(name), re.M)
    ]


def blocks(name: str) -> list[str]:
    """Its fenced blocks; of a picture only which boxes there are and how they hang together."""
    found = re.findall(r"```.*?\n(.*?)```", text_of(name), flags=re.DOTALL)
    return [
        re.sub(r"\[\(?.*?\)?\](?= |$)", "", block, flags=re.M) if "flowchart" in block else block for block in found
    ]


def links(name: str) -> set[str]:
    return {*re.findall(r"\]\(([^)#]+)", text_of(name))} - {ENGLISH, PORTUGUESE}


def answered(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The application that it sends, and the answer that it shows."""
    request, answer = re.findall(r"\{.*?\}", text_of(name), flags=re.DOTALL)[:2]
    return json.loads(request), json.loads(answer)


@BOTH
def test_it_is_short(name: str) -> None:
    assert len(text_of(name).splitlines()) <= MOST_LINES


@BOTH
def test_every_link_leads_to_a_file(name: str) -> None:
    assert len(links(name)) > 15
    missing = [link for link in links(name) if not (PROJECT_FOLDER / link).exists()]
    assert missing == []


def test_both_have_the_same_commands() -> None:
    assert len(commands(ENGLISH)) > 10
    assert commands(ENGLISH) == commands(PORTUGUESE)


def test_both_have_the_same_request_answer_and_picture() -> None:
    assert len(blocks(ENGLISH)) == 2
    assert blocks(ENGLISH) == blocks(PORTUGUESE)


def test_both_have_the_same_headings() -> None:
    assert headings(ENGLISH) == headings(PORTUGUESE)


def test_both_lead_to_the_same_documents() -> None:
    assert links(ENGLISH) == links(PORTUGUESE)


def test_every_make_target_of_it_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", text_of("Makefile"), re.MULTILINE))
    used = {line.split()[1] for line in commands(ENGLISH) if line.startswith("make")}
    assert {"serve", "test"} <= used <= targets


def test_every_command_of_it_exists_with_its_options() -> None:
    for line in commands(ENGLISH):
        if line.startswith("credit-scoring"):
            words = line.split()[1:]
            assert {word for word in words if word.startswith("--")} <= options_of(words), line


def options_of(words: list[str]) -> set[str]:
    """The options of the command that these words call."""
    command: Any = get_command(app)
    for word in words:
        command = getattr(command, "commands", {}).get(word, command)
    assert not hasattr(command, "commands"), f"{words}: there is no such command"
    return {option for parameter in command.params for option in parameter.opts}


def test_the_guides_are_linked_from_both() -> None:
    guides = {"docs/analista.md", "docs/integracao.md", "docs/lgpd.md", "docs/mesa.md"}
    assert guides <= links(ENGLISH) & links(PORTUGUESE)
