"""Decisions looked up, on both kinds of database, over HTTP and on the command line."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from benchmarks.support.consorcio import EXAMPLE_APPLICATION
from benchmarks.support.decision_records import ORIGIN, ask, entry, of_model, put
from credit_scoring.application.schemas import Answer
from credit_scoring.decisions import lookup, moments, queries
from credit_scoring.decisions.entries import Entry
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.lookup import FoundDecision, FoundDecisions, Lookup
from tests.conftest import RunningService
from tests.decisions.test_effective import COUNTS, applied, put_judged, take
from tests.support.command_line import error_here, run_here

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MORE_PAGES_THAN_THERE_ARE = 50


def page(address: str, **query: Any) -> FoundDecisions:
    return ask(address, partial(lookup.page, Lookup.model_validate(query)), reading=True)


def pages(address: str, **query: Any) -> Iterator[FoundDecisions]:
    """All pages, each after the one before."""
    found = page(address, **query)
    yield found
    while found.next:
        found = page(address, after=found.next, **query)
        yield found


def found_by(address: str, **query: Any) -> list[str]:
    """Ids of all pages, oldest first; what the command line lists is the same."""
    found = [each for one in islice(pages(address, **query), MORE_PAGES_THAN_THERE_ARE) for each in one.decisions]
    ids = [each.decision_id for each in found][::-1]
    wanted = Lookup.model_validate(query).wanted
    assert [each["id"] for each in ask(address, partial(queries.latest, wanted, 10_000), reading=True)][::-1] == ids
    assert ask(address, partial(queries.count, wanted), reading=True) == len(ids)
    return ids


def failing(*rules: str) -> Entry:
    """A decision where these rules did not pass."""
    made = entry()
    listed = ",".join(f'"{rule}"' for rule in rules)
    return made._replace(row=made.row._replace(rules=f"[{listed}]" if rules else None))


@pytest.fixture
def various(address: str) -> list[str]:
    """One decision an hour, each of another kind."""
    entries = [
        (entry(0.1, application_id="7", asked_by="one"), ORIGIN),
        (entry(0.6, application_id="7", asked_by="two"), ORIGIN),
        (failing("PARCELA_RENDA"), ORIGIN),
        (failing("PARCELA_RENDA_2", "RESTRICAO"), of_model("credit_scoring:new")),
        (applied(Answer.REVIEW, application_id="8"), ORIGIN),
    ]
    return [
        put(address, [each], at=NOON + number * HOUR, origin=origin)[0] for number, (each, origin) in enumerate(entries)
    ]


ASKED: dict[str, tuple[dict[str, Any], list[int]]] = {
    "nothing": ({}, [0, 1, 2, 3, 4]),
    "an application id of two owners": ({"application_id": "7"}, [0, 1]),
    "an application id and a decision": ({"application_id": "7", "decision": "NEGADO"}, [1]),
    "an unknown application id": ({"application_id": "9"}, []),
    "an application id that is empty": ({"application_id": ""}, []),
    "from a time on": ({"since": "2026-11-24T14:00"}, [2, 3, 4]),
    "from a time in another zone on": ({"since": "2026-11-24T14:00-01:00"}, [3, 4]),
    "before a time": ({"until": "2026-11-24T13:00Z"}, [0]),
    "the day after": ({"since": "2026-11-25"}, []),
    "a decision": ({"decision": "EM_ANALISE"}, [4]),
    "a rule": ({"rule": "PARCELA_RENDA"}, [2]),
    "a second rule": ({"rule": "RESTRICAO"}, [3]),
    "a rule with a wildcard": ({"rule": "PARCELA%"}, []),
    "a model": ({"model": "credit_scoring:new"}, [3]),
    "an unknown model": ({"model": "credit_scoring"}, []),
    "a policy": ({"policy": ORIGIN.policy_version}, [0, 1, 2, 3, 4]),
    "an unknown policy": ({"policy": "policy-2"}, []),
    "what waits": ({"review": "waiting"}, [4]),
    "what waits before it came": ({"review": "waiting", "until": "2026-11-24T16:00"}, []),
}


@pytest.mark.parametrize("scanned", [1, 2, 10_000])
@pytest.mark.parametrize("limit", [1, 2, 100])
def test_pages_together_hold_what_is_asked_for_however_large_they_are(
    address: str, various: list[str], monkeypatch: pytest.MonkeyPatch, limit: int, scanned: int
) -> None:
    monkeypatch.setattr(lookup, "SCANNED", scanned)
    for name, (query, expected) in ASKED.items():
        assert found_by(address, limit=limit, **query) == [various[place] for place in expected], name


def test_a_page_looks_at_no_more_than_it_may_and_says_where_to_go_on(
    address: str, various: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "SCANNED", 2)
    asked = {"model": "credit_scoring:new", "limit": 9}
    sizes = [(len(each.decisions), each.next) for each in islice(pages(address, **asked), 9)]
    assert sizes == [(1, various[3]), (0, various[1]), (0, None)]


def test_what_waits_is_what_no_verdict_has_followed(address: str) -> None:
    judged = put_judged(address)
    expected = [
        decision
        for (decision, _), (answer, steps, _) in zip(judged, COUNTS, strict=True)
        if (steps[-1:] == ["REQUESTED"] or (answer is Answer.REVIEW and not steps))
    ]
    assert found_by(address, review="waiting") == expected
    shown = page(address, limit=100).decisions
    assert [each.decision_id for each in shown if each.waiting] == expected[::-1]
    assert {each.decision_id: each.effective_decision for each in shown} == dict(judged)


def test_a_found_decision_tells_what_its_dossier_does_in_short(address: str) -> None:
    (decision,) = put(address, [failing("A", "B")], at=NOON)
    (found,) = page(address).decisions
    assert (found.decision_id, found.decided_at, found.rules) == (decision, NOON, ["A", "B"])
    assert (found.risk_probability, found.threshold, found.model) == (0.1 + 0.2, ORIGIN.threshold, ORIGIN.model)
    assert (found.outcome, found.waiting) == (None, False)


@pytest.mark.parametrize(
    "query",
    [
        {"since": "soon"},
        {"limit": "0"},
        {"limit": "1001"},
        {"after": "x"},
        {"review": "done"},
        {"decision": "TALVEZ"},
        {"rule": "\x00"},
        {"color": "red"},
    ],
)
def test_a_query_that_cannot_be_used_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as caught:
        Lookup.model_validate(query)
    assert [each["loc"] for each in caught.value.errors()] == [(name,) for name in query]


def test_local_time_is_that_of_brasilia() -> None:
    assert moments.local(datetime(2026, 1, 1, 2, 30, tzinfo=UTC)) == "31/12/2025 23:30:00"


# Over HTTP


def test_decisions_are_looked_up_over_http(service: RunningService) -> None:
    application: dict[str, Any] = {**EXAMPLE_APPLICATION, "application_id": new_id()}
    with httpx.Client(base_url=service.url, timeout=30) as client:
        decision = client.post("/predict", json=application).json()
        asked = {"application_id": application["application_id"]}
        found = client.get("/decisions", params=asked)
        path = f"/decisions/{decision['decision_id']}/review"
        client.post(path, json={"step": "REQUESTED", "reason": "Why?"}).raise_for_status()
        waiting = client.get("/decisions", params={**asked, "review": "waiting"}).json()["decisions"]
        first = client.get("/decisions", params={"limit": 1}).json()
        wrong = client.get("/decisions", params={"limit": "many", "since": "soon", "colour": "red"})
    (shown,) = FoundDecisions.model_validate(found.json()).decisions
    assert {name: getattr(shown, name) for name in FoundDecision.model_fields if name in decision} == {
        name: value for name, value in decision.items() if name in FoundDecision.model_fields
    }
    assert [each["waiting"] for each in waiting] == [True]
    assert len(first["decisions"]) == 1
    assert wrong.status_code == 400
    assert all(f"{name}: " in wrong.json()["detail"] for name in ("limit", "since", "colour"))


# On the command line


def test_the_list_has_the_same_options_and_shows_what_counts_and_local_time(address: str, various: list[str]) -> None:
    take(address, various[4], "DENIED")
    take(address, various[1], "REQUESTED")

    def shown(*options: str) -> str:
        found = run_here("decisions", "list", *options, "--database", address)
        assert found.exit_code == 0, found.output
        return str(found.stdout)

    asked = {
        ("--application-id", "7"): [0, 1],
        ("--decision", "EM_ANALISE"): [4],
        ("--rule", "RESTRICAO"): [3],
        ("--policy", "policy-2"): [],
        ("--waiting",): [1],
    }
    for options, expected in asked.items():
        assert [place for place, each in enumerate(various) if each in shown(*options)] == expected, options
    (line,) = [each for each in shown().splitlines() if various[4] in each]
    assert all(each in line for each in ("2026-11-24 16:00:00", "24/11/2026 13:00:00", "EM_ANALISE", "NEGADO"))
    assert "(waiting)" in shown("--waiting")
    assert error_here("decisions", "list", "--since", "soon", "--database", address).startswith("soon: expected a day")
