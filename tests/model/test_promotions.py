"""The record of promotions: whole after a crash, complete under concurrency, bounded, and a way back."""

import errno
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_scoring.errors import ModelStoreError
from credit_scoring.model.promotions import KEPT, Entries, Promotion, Promotions, previous

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
ENDED_WITHIN = 120.0
APPEND = """
import sys
from pathlib import Path
from credit_scoring.model.promotions import Promotion, Promotions
record, who, times = Promotions(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
for number in range(times):
    record.change(lambda _: Promotion(tag=f"m:{number}", at="2026-11-26T12:00:00Z", by=who, reason="x"))
    print(number, flush=True)
"""


def entry(tag: str, *, rollback: bool = False, reason: str = "better") -> Promotion:
    return Promotion(tag=tag, at=NOW, by="ana", reason=reason, rollback=rollback)


def appending(path: Path, who: str, times: int) -> "subprocess.Popen[bytes]":
    """A process of its own that appends to this record and prints the number of each entry once it is written."""
    command = [sys.executable, "-c", APPEND, str(path), who, str(times)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


@pytest.fixture
def record(tmp_path: Path) -> Promotions:
    return Promotions(tmp_path / "folder" / "promotions.jsonl")


def test_a_store_without_a_record_has_no_champion(record: Promotions) -> None:
    assert (record.read(), record.champion()) == ((), None)


def test_entries_are_read_as_they_were_written_oldest_first(record: Promotions) -> None:
    made = [entry("m:1", reason="línea 'ç' \\ \" \u2028"), entry("m:2", rollback=True)]
    for each in made:
        assert record.change(lambda _, each=each: each) == each  # type: ignore[misc]
    assert record.read() == tuple(made)
    assert record.champion() == made[-1]


def test_what_decides_sees_the_entries_so_far_and_may_write_none(record: Promotions) -> None:
    record.change(lambda _: entry("m:1"))
    seen: list[Entries] = []
    assert record.change(seen.append) is None
    assert seen == [record.read()] == [(entry("m:1"),)]


def test_processes_that_append_at_once_lose_no_entry(record: Promotions) -> None:
    writers = ("ana", "bia", "caio")
    running = [appending(record.path, who, 30) for who in writers]
    for each in running:
        each.communicate(timeout=ENDED_WITHIN)
    found = [(each.by, each.tag) for each in record.read()]
    assert len(found) == 90
    for who in writers:
        assert [tag for by, tag in found if by == who] == [f"m:{number}" for number in range(30)]


def test_a_process_killed_while_it_writes_leaves_every_entry_that_it_had_written(record: Promotions) -> None:
    process = appending(record.path, "ana", 100_000)
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(50)]
    process.kill()
    process.communicate(timeout=ENDED_WITHIN)
    found = [each.tag for each in record.read()]
    assert len(found) >= int(lines[-1])
    assert found == [f"m:{number}" for number in range(len(found))]
    record.change(lambda _: entry("m:after"))
    assert record.read()[-1].tag == "m:after"


def test_a_disk_that_fills_up_changes_nothing_and_is_said(record: Promotions, monkeypatch: pytest.MonkeyPatch) -> None:
    record.change(lambda _: entry("m:1"))
    before = record.path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ModelStoreError, match=r"promotions\.jsonl: .*cannot be written \(No space left"):
        record.change(lambda _: entry("m:2"))
    assert record.path.read_bytes() == before


def test_only_the_newest_entries_are_kept(record: Promotions) -> None:
    record.change(lambda _: entry("m:0"))
    line = record.path.read_text(encoding="utf-8")
    record.path.write_text("".join(line.replace("m:0", f"m:{number}") for number in range(KEPT)), encoding="utf-8")
    record.change(lambda _: entry("m:new"))
    found = record.read()
    assert len(found) == KEPT
    assert (found[0].tag, found[-1].tag) == ("m:1", "m:new")


@pytest.mark.parametrize("damage", [b"half a li", b"{}", b"\xff\xfe", b'{"tag": 1}', b""])
def test_a_damaged_line_is_named_and_the_record_is_not_written_over(record: Promotions, damage: bytes) -> None:
    record.change(lambda _: entry("m:1"))
    damaged = record.path.read_bytes() + damage + b"\n"
    record.path.write_bytes(damaged)
    for use in (record.read, lambda: record.change(lambda _: entry("m:2"))):
        with pytest.raises(ModelStoreError, match=r"promotions\.jsonl: line 2 .* backup"):
            use()
    assert record.path.read_bytes() == damaged


def test_a_record_that_cannot_be_opened_is_one_error(record: Promotions) -> None:
    record.path.mkdir(parents=True)
    with pytest.raises(ModelStoreError, match="cannot be read"):
        record.read()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ("", None),
        ("A", None),
        ("A B", "A"),
        ("A B C", "B"),
        ("A B C <B", "A"),
        ("A B C <B <A", None),
        ("A B <A C", "A"),
        ("A B A", "B"),
        ("<B", None),
        ("C <B", None),
        ("<B C", "B"),
    ],
)
def test_a_rollback_goes_to_the_champion_before_past_those_that_were_rolled_back(
    changes: str, expected: str | None
) -> None:
    entries = tuple(entry(each.removeprefix("<"), rollback=each.startswith("<")) for each in changes.split())
    assert previous(entries) == expected


@given(moves=st.lists(st.sampled_from("ABC<"), max_size=30), dropped=st.integers(0, 30))
def test_where_old_entries_were_dropped_a_rollback_goes_to_the_same_champion_or_nowhere(
    moves: list[str], dropped: int
) -> None:
    entries: Entries = ()
    for move in moves:
        before = previous(entries)
        champion = entries[-1].tag if entries else None
        if move not in ("<", champion):
            entries = (*entries, entry(move))
        elif move == "<" and before is not None:
            entries = (*entries, entry(before, rollback=True))
    assert previous(entries[dropped:]) in (None, previous(entries))
