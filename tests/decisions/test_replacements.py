"""Corrected applications and those that they replace, linked on both kinds of database, over HTTP and in the spool."""

import asyncio
import csv
from functools import partial
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection, text

from benchmarks.support.consorcio import EXAMPLE_APPLICATION
from benchmarks.support.decision_records import ask, entry, put, rows_in, tamper
from credit_scoring.decisions import dossiers, lookup
from credit_scoring.decisions.dossiers import Dossier
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.lookup import Lookup
from credit_scoring.decisions.replacements import Linked
from credit_scoring.decisions.verification import verify
from credit_scoring.errors import RequestError, UnknownReplacedError
from tests.conftest import RunningService, make_sqlite_log
from tests.decisions.test_effective import again
from tests.decisions.test_spool import Outage, ample_patience, answered, outage, spooling
from tests.support.command_line import run_here

__all__ = ["ample_patience", "outage"]  # fixtures

OWNER, ANOTHER_KEY = "loja/caixa", "loja/site"


def dossier(address: str, decision: str) -> Dossier:
    return ask(address, partial(dossiers.find, decision), reading=True)


@pytest.fixture
def linked(address: str) -> tuple[str, str]:
    """The decisions on an application A and on B, its correction, among others that have nothing to do with them."""
    first, _ = put(address, [entry(asked_by=OWNER, application_id="A"), entry(asked_by="banco", application_id="A")])
    (second,) = put(address, [entry(asked_by=ANOTHER_KEY, application_id="B", replaces="A")])
    put(address, [entry(asked_by=OWNER, application_id="C"), entry(asked_by=OWNER)])
    return first, second


def test_dossiers_of_both_name_each_other_and_those_of_other_owners_neither(
    address: str, linked: tuple[str, str]
) -> None:
    first, second = linked
    earlier, later = dossier(address, first), dossier(address, second)
    assert (earlier.replaces, earlier.replaced_by) == (None, [Linked(application_id="B", decision_id=second)])
    assert (later.replaces, later.replaced_by) == (Linked(application_id="A", decision_id=first), [])
    for found in ask(address, partial(lookup.page, Lookup()), reading=True).decisions:
        if found.decision_id not in linked:
            assert (found.replaces, found.replaced_by) == (None, [])


def test_a_look_up_links_both(address: str, linked: tuple[str, str]) -> None:
    first, second = linked
    found = {each.decision_id: each for each in ask(address, partial(lookup.page, Lookup()), reading=True).decisions}
    assert found[first].replaced_by == [Linked(application_id="B", decision_id=second)]
    assert found[second].replaces == Linked(application_id="A", decision_id=first)


def test_list_show_subject_and_export_tell_of_it(address: str, linked: tuple[str, str], tmp_path: Path) -> None:
    first, second = linked

    def said(*arguments: str) -> str:
        return str(run_here("decisions", *arguments, "--database", address).stdout)

    listed = {line.split()[0]: line.split() for line in said("list").splitlines()}
    assert (listed[first][5:7], listed[second][5:7]) == (["A", "B"], ["B", "A"])
    assert f'"decision_id": "{second}"' in said("show", first)
    subject = partial(said, "subject", "--owner", "loja")
    assert "Substituída pela proposta: B" in subject("A")
    assert "Substitui a proposta: A" in subject("B")
    assert "replaces" not in subject("B")
    said("export", "-o", str(tmp_path / "all.csv"))
    with (tmp_path / "all.csv").open(encoding="utf-8") as file:
        rows = {row["decision_id"]: row for row in csv.DictReader(file)}
    assert (rows[first]["replaces"], rows[first]["replaced_by"]) == ("", second)
    assert (rows[second]["replaces"], rows[second]["replaced_by"]) == ("A", "")


@pytest.mark.parametrize("replaced", ["unknown", "A", "B"], ids=["unknown", "of another owner", "itself"])
def test_what_replaces_no_earlier_application_of_its_owner_is_refused_and_not_stored(
    address: str, replaced: str
) -> None:
    put(address, [entry(asked_by="banco", application_id="A")])
    beside = entry(asked_by=OWNER)
    found, other = again(address, entry(asked_by=OWNER, application_id="B", replaces=replaced), beside)
    assert isinstance(found, UnknownReplacedError)
    assert (found.status, found.kind, "`replaces`" in str(found)) == (409, "unknown_replaced", True)
    assert other == beside.decision
    assert rows_in(address, "decisions") == 2


def test_what_was_refused_can_be_sent_again_once_the_earlier_one_is_decided(address: str) -> None:
    late = entry(asked_by=OWNER, application_id="B", replaces="A")
    assert isinstance(again(address, late, late)[1], UnknownReplacedError)
    assert again(address, entry(asked_by=OWNER, application_id="A"), late)[1] == late.decision
    assert again(address, entry(0.9, OWNER, application_id="B", replaces="A")) == [late.decision]
    (other,) = again(address, entry(asked_by=OWNER, application_id="B"))
    assert isinstance(other, RequestError)
    assert other.kind == "repeated_application_id"


def test_an_application_may_be_corrected_more_than_once(address: str, linked: tuple[str, str]) -> None:
    first, second = linked
    third, fourth = put(
        address, [entry(asked_by=OWNER, application_id="D", replaces="B"), entry(asked_by=OWNER, replaces="A")]
    )
    assert [each.decision_id for each in dossier(address, first).replaced_by] == [second, fourth]
    assert dossier(address, second).replaced_by == [Linked(application_id="D", decision_id=third)]


def test_a_link_that_was_altered_or_removed_is_seen(address: str, linked: tuple[str, str]) -> None:
    assert ask(address, verify, reading=True).problems == []
    for value in ("'C'", "NULL"):
        tamper(address, f"UPDATE decisions SET replaces = {value} WHERE application_id = 'B'")
        (problem,) = ask(address, verify, reading=True).problems
        assert problem.endswith("block 1: a decision was altered.")


def test_an_entry_that_is_refused_leaves_its_application_id_to_the_next_one(address: str) -> None:
    """All of one micro-batch: as if they had been sent one after the other."""
    refused = entry(asked_by=OWNER, application_id="B", replaces="A")
    plain = entry(0.9, asked_by=OWNER, application_id="B")
    first, *others = again(address, refused, plain, refused)
    assert getattr(first, "kind", None) == "unknown_replaced"
    assert others[0] == plain.decision
    assert getattr(others[1], "status", None) == 409
    assert again(address, plain) == [plain.decision]


def test_in_an_outage_what_replaces_another_is_answered_and_linked_when_it_is_over(
    address: str, outage: Outage, tmp_path: Path
) -> None:
    corrected = entry(asked_by=OWNER, application_id="B", replaces="A")
    lost = entry(asked_by=OWNER, application_id="C", replaces="unknown")
    first = entry(asked_by=OWNER, application_id="A")

    async def life() -> None:
        async with spooling(address, tmp_path / "spool") as (log, told):
            await answered(log, [first])
            async with outage():
                await answered(log, [corrected, lost])
            await told.drained()

    asyncio.run(life())
    assert dossier(address, corrected.row.id).replaces == Linked(application_id="A", decision_id=first.row.id)
    assert dossier(address, lost.row.id).replaces == Linked(application_id="unknown", decision_id=None)
    assert ask(address, verify, reading=True).problems == []


def test_sqlite_finds_what_replaces_an_application_by_its_index(tmp_path: Path) -> None:
    query = "SELECT id FROM decisions WHERE replaces IN ('A', 'B') ORDER BY id"

    def plan(connection: Connection) -> str:
        return " ".join(str(row) for row in connection.execute(text(f"EXPLAIN QUERY PLAN {query}")))

    assert "decisions_by_replaced" in ask(make_sqlite_log(tmp_path), plan, reading=True)


def test_over_http_both_are_linked_and_an_unknown_one_is_named_without_its_value(service: RunningService) -> None:
    first, second, unknown = (new_id() for _ in range(3))
    with httpx.Client(base_url=service.url, timeout=30) as client:

        def sent(**fields: str) -> httpx.Response:
            return client.post("/predict", json={**EXAMPLE_APPLICATION, **fields})

        earlier = sent(application_id=first).json()
        later = sent(application_id=second, replaces=first).json()
        assert later == {**earlier, "decision_id": later["decision_id"]}
        dossiers = [client.get(f"/decisions/{each['decision_id']}").json() for each in (earlier, later)]
        (found,) = client.get("/decisions", params={"application_id": second}).json()["decisions"]
        refused = sent(application_id=new_id(), replaces=unknown)
        (of_many,) = client.post("/predict_many", json=[{**EXAMPLE_APPLICATION, "replaces": unknown}]).json()
    assert dossiers[0]["replaced_by"] == [{"application_id": second, "decision_id": later["decision_id"]}]
    assert dossiers[1]["replaces"] == found["replaces"]
    assert found["replaces"] == {"application_id": first, "decision_id": earlier["decision_id"]}
    assert refused.status_code == 409
    assert of_many["code"] == "unknown_replaced"
    assert "`replaces`" in refused.text
    assert unknown not in refused.text + str(of_many)
