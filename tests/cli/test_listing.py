"""Every table of the command line on a terminal of 80 columns and off one, and the one rule that they follow."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from benchmarks.support.consorcio import FIELDS
from benchmarks.support.decision_records import decided_by, entry, origin_of, put
from credit_scoring.cli.listing import Listing
from credit_scoring.cli.results import show_result
from credit_scoring.decisions.ids import new_id
from credit_scoring.model import champion, store
from credit_scoring.model.promotions import Promotions
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import PROJECT_FOLDER
from tests.conftest import make_sqlite_log
from tests.support.command_line import run_here, walk_on_terminal

COLUMNS = 80
LONGEST_ID = f"loja:car:{'7' * 55}"
KEY = "aplicativo-da-loja-de-campinas"
REASON = "o comitê de crédito viu o relatório de novembro e o achou melhor em todas as faixas de renda"
RULE = "PARCELA_RENDA_DE_QUEM_TEM_RESTRICAO"
POLICY = f"""
[policy]
name = "own"

[[rule]]
id = "{RULE}"
when = {{ field = "instalment_over_income", above = 0.3 }}
if_missing = "review"
then = "deny"
reason = "Parcela acima de 30% da renda mensal, que é o que o regulamento do grupo permite a quem tem restrição"
"""


@pytest.fixture
def walk(
    scorer: Scorer, model_tag: str, promotions: Promotions, published: Callable[[], list[str]], tmp_path: Path
) -> dict[str, tuple[str, ...]]:
    """Each command that prints a table or prose, with what has to be in it whole."""
    newer = store.save(scorer)
    champion.promote(model_tag, "ana", "first")
    champion.promote(newer, "comitê de crédito", REASON)
    log = make_sqlite_log(tmp_path)
    clients = [entry(application_id=LONGEST_ID).application, entry().application]
    decided = put(log, decided_by(scorer, model_tag, clients), origin=origin_of(scorer, model_tag))
    (keys := tmp_path / "keys.toml").write_text("", encoding="utf-8")
    scopes = [part for scope in ("predict", "outcomes", "read", "review") for part in ("--scope", scope)]
    run_here("keys", "new", KEY, *scopes, "--owner", "loja", "--expires", "2999-01-01", "--file", keys)
    (policy := tmp_path / "own.toml").write_text(POLICY, encoding="utf-8")
    tags = (model_tag, newer)
    return {
        "data": ("credit_letter_value", "16800–24000", "28.2%"),
        "models list": (*tags, scorer.policy.version, f"{store.find(newer).info.creation_time:%Y-%m-%d %H:%M}"),
        "models history": tags,
        f"keys list --file {keys}": (KEY, "2999-01-01 00:00"),
        f"fields show {model_tag}": (*FIELDS.keys() - {"application_id"}, "monthly_income", "1,000,000"),
        f"policy check {policy} --model {model_tag}": (RULE,),
        f"policy show {policy} --model {model_tag}": (RULE,),
        f"decisions list --database {log}": (*decided, LONGEST_ID, model_tag, "APROVADO"),
        f"decisions replay --database {log}": ("decision changed",),
    }


def test_on_a_terminal_no_line_is_wider_than_it_and_what_is_there_to_be_copied_is_whole(
    walk: dict[str, tuple[str, ...]],
) -> None:
    shown = walk_on_terminal(*walk, columns=COLUMNS)
    for command, whole in walk.items():
        text = shown[command]
        assert [each for each in whole if each not in text] == [], text
        assert [line for line in text.splitlines() if len(line) > COLUMNS] == [], command
        assert re.findall(r"\w+…", text) == [], command


def test_off_a_terminal_a_row_is_a_line_as_long_as_its_cells(walk: dict[str, tuple[str, ...]]) -> None:
    for command, whole in walk.items():
        found = run_here(*command.split(), COLUMNS=str(COLUMNS))
        assert found.exit_code == 0, found.output
        assert [each for each in whole if each not in found.output] == [], found.output
        assert [line for line in found.stdout.splitlines() if line != line.rstrip()] == [], command
    told = run_here("models", "history", COLUMNS=str(COLUMNS)).stdout
    assert f"comitê de crédito: {REASON}\n" in told


def test_what_training_tells_of_its_candidates_fits_a_terminal(
    scorer: Scorer, capsys: pytest.CaptureFixture[str]
) -> None:
    console = Console(width=COLUMNS, force_terminal=True, color_system=None)
    show_result(console, scorer, compare_rows=60_000)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= COLUMNS
    titles = next(place for place, line in enumerate(lines) if line.startswith("candidate "))
    assert {line.split()[0] for line in lines[titles:]} >= {each.name for each in scorer.card.candidates}


def test_no_command_has_tables_of_its_own() -> None:
    folder = PROJECT_FOLDER / "credit_scoring" / "cli"
    users = {path.name for path in folder.glob("*.py") if "rich.table" in path.read_text(encoding="utf-8")}
    assert users == {"listing.py"}


def printed(listing: Listing, *, width: int, terminal: bool = True) -> list[str]:
    console = Console(width=width, force_terminal=terminal, color_system=None)
    with console.capture() as found:
        listing.show(console)
    return found.get().splitlines()


def test_a_row_that_does_not_fit_becomes_a_record_without_its_empty_cells() -> None:
    listing = Listing("id", "made", "why", text="why", title="Two of them")
    listing.add(ids := new_id(), "2026-11-26", "")
    listing.add("7", "", "short")
    assert printed(listing, width=60)[0].rstrip() == "Two of them"
    assert printed(listing, width=40) == [
        "Two of them",
        f"id    {ids}",
        "made  2026-11-26",
        "",
        "id    7",
        "why   short",
        "",
    ]


def test_what_looks_like_markup_or_an_emoji_is_neither() -> None:
    listing = Listing("id")
    listing.add(r"loja:car:7 \[red]")
    assert printed(listing, width=40)[1] == "loja:car:7 [red]"


def test_what_would_steer_the_terminal_is_shown_as_a_mark() -> None:
    listing = Listing("id")
    listing.add("loja\x1b[2J\x9b2J\u202etxt\ttab")
    assert printed(listing, width=60)[1] == "loja\ufffd[2J\ufffd2J\ufffdtxt\ufffdtab"


words = st.text("abc1-_:", min_size=1, max_size=30)
cells = st.tuples(words, st.lists(words, max_size=12).map(" ".join), words)


@given(rows=st.lists(cells, min_size=1, max_size=4), width=st.integers(36, 120))
def test_at_every_width_lines_fit_and_no_word_is_broken(rows: list[tuple[str, str, str]], width: int) -> None:
    listing = Listing("id", "text", "n", text="text")
    for row in rows:
        listing.add(*row)
    on, off = printed(listing, width=width), printed(listing, width=width, terminal=False)
    assert max(map(len, on)) <= width
    assert {word for row in rows for cell in row for word in cell.split()} <= set(" ".join(on).split())
    assert [line.split() for line in off[1:]] == [" ".join(row).split() for row in rows]
    assert all(line == line.rstrip() for line in off)
