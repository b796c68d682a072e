"""What is held on one application, on both kinds of database."""

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from pydantic import JsonValue
from sqlalchemy import delete

from benchmarks.support.consorcio import EXAMPLE_APPLICATION
from benchmarks.support.decision_records import ask, entry, put
from credit_scoring.decisions import dossiers, explanations, outcomes, tables
from credit_scoring.decisions.outcomes import Outcome, OutcomeReport
from credit_scoring.decisions.subject import Subject, subject, tables_of_a_decision
from credit_scoring.errors import RequestError
from tests.decisions.test_effective import take
from tests.support.command_line import error_here, run_here

SOURCES: dict[str, JsonValue] = {"monthly_income": {"source": "Holerite", "consulted_at": "2026-11-20"}}


def held(address: str, application_id: str, owner: str | None = None) -> Subject:
    return ask(address, partial(subject, application_id, owner), reading=True)


def refusal(address: str, application_id: str, owner: str | None = None) -> RequestError:
    with pytest.raises(RequestError) as caught:
        held(address, application_id, owner)
    return caught.value


@pytest.fixture
def decision(address: str) -> str:
    """The decision on an application 7 that much has happened to, among others."""
    given = entry(application_id="7", asked_by="gateway", sources=SOURCES)
    (found,) = put(address, [given])
    put(address, [entry(application_id="8"), entry()])
    take(address, found, "REQUESTED", "REVERSED")
    report = OutcomeReport(decision_id=found, outcome=Outcome.PAID, observed_on=datetime.now(UTC).date())
    ask(address, partial(outcomes.record, [report], "collections"))
    ask(address, partial(explanations.keep, {found: _explanation(found)}, {found: "gateway"}))
    return found


def _explanation(decision: str) -> str:
    rule = {"id": "TERM", "then": "deny", "reason": "Prazo acima do permitido", "basis": ""}
    return json.dumps({"decision_id": decision, "decision": "NEGADO", "rules": [rule], "score": None})


def test_all_that_belongs_to_a_decision_is_held_whatever_table_it_is_in(address: str, decision: str) -> None:
    (found,) = held(address, "7").decisions
    assert found.dossier == ask(address, partial(dossiers.find, decision), reading=True)
    counts = {name: len(rows) for name, rows in found.rows.items()}
    assert counts == {"claims": 1, "outcomes": 1, "reviews": 2, "explanations": 1, "events": 4}
    assert all(row["decision"] == decision for name, rows in found.rows.items() if name != "events" for row in rows)


def test_every_table_that_names_a_decision_is_looked_into() -> None:
    named = {each.name for each in tables_of_a_decision()}
    assert {"claims", "namesakes", "outcomes", "reviews", "explanations"} <= named
    assert all("decision" in tables.metadata.tables[name].c for name in named)


def test_what_belongs_to_other_applications_is_not_held(address: str, decision: str) -> None:
    (found,) = held(address, "8").decisions
    assert found.dossier.decision_id != decision
    assert list(found.rows) == ["claims"]


def test_a_decision_that_no_claim_names_is_found_all_the_same(address: str, decision: str) -> None:
    ask(address, lambda connection: connection.execute(delete(tables.claims)))
    assert [each.dossier.decision_id for each in held(address, "7").decisions] == [decision]


def test_of_two_owners_of_an_id_one_has_to_be_named(address: str, decision: str) -> None:
    (other,) = put(address, [entry(application_id="7", asked_by="broker/broker-2")])
    error = refusal(address, "7")
    assert (error.status, error.kind) == (409, "owners")
    assert "2 owners have sent this id, perhaps for different clients: 'broker', 'gateway'." in str(error)
    for owner, expected in (("gateway", decision), ("broker", other)):
        found = held(address, "7", owner)
        assert (found.owner, [each.dossier.decision_id for each in found.decisions]) == (owner, [expected])


@pytest.mark.parametrize(("application_id", "owner"), [("9", None), ("7", "broker"), ("7", "")])
def test_where_nothing_is_held_that_is_said(
    address: str, decision: str, application_id: str, owner: str | None
) -> None:
    assert decision
    assert refusal(address, application_id, owner).kind == "no_decision"


# On the command line


def test_the_client_reads_it_in_portuguese(address: str, decision: str) -> None:
    found = run_here("decisions", "subject", "7", "--database", address)
    assert found.exit_code == 0, found.output
    lines = [line.strip() for line in found.stdout.splitlines()]
    assert lines[0] == "Dados guardados sobre a proposta 7"
    assert f"Decisão {decision}" in lines
    place = lines.index("Resposta: Negado")
    assert lines[place + 1] == "Vale hoje: Aprovado"
    income = EXAMPLE_APPLICATION["monthly_income"]
    assert isinstance(income, int | float)
    written = f"{income:,.2f}".replace(",", "x").replace(".", ",").replace("x", ".")
    assert any(f"R$ {written} (fonte: Holerite, consultada em 20/11/2026)" in line for line in lines)
    assert any(line.startswith("Decisão revertida em ") for line in lines)
    assert any(line.startswith("Pago, conhecido em: ") for line in lines)
    assert "Ana" not in found.stdout


def test_the_client_reads_numbers_and_sources_as_brazilians_write_them(address: str) -> None:
    sources: dict[str, JsonValue] = {"term_months": {"source": "internal", "consulted_at": "2026-11-20"}}
    put(address, [entry(application_id="9", job_tenure_years=0.104, term_months=1, sources=sources)])
    lines = {line.strip() for line in run_here("decisions", "subject", "9", "--database", address).stdout.splitlines()}
    assert "Tempo no emprego: 0,104 anos" in lines
    assert "Prazo: 1 mês (fonte: dados da administradora, consultada em 20/11/2026)" in lines


def test_the_files_hold_it_for_a_browser_and_in_full(address: str, decision: str, tmp_path: Path) -> None:
    put(address, [entry(application_id="<b>9</b>")])
    folder = f"{tmp_path}/made/here"
    found = run_here("decisions", "subject", "<b>9</b>", "--output", folder, "--database", address)
    assert found.exit_code == 0, found.output
    html_path, json_path = sorted(found.stdout.split())
    page = Path(html_path).read_text(encoding="utf-8")
    assert "proposta &lt;b&gt;9&lt;/b&gt;</h1>" in page
    assert "<b>" not in page
    printed = run_here("decisions", "subject", "7", "--json", "--database", address).stdout
    assert Subject.model_validate_json(printed).decisions[0].dossier.decision_id == decision
    assert Subject.model_validate_json(Path(json_path).read_bytes()).application_id == "<b>9</b>"


def test_wrong_use_is_one_clear_line(address: str, decision: str, tmp_path: Path) -> None:
    assert decision
    assert "Check its id and --owner" in error_here("decisions", "subject", "9", "--database", address)
    both = ("--json", "--output", f"{tmp_path}/x")
    assert "--output and --json" in error_here("decisions", "subject", "7", *both, "--database", address)
    nowhere = error_here("decisions", "subject", "7", "--output", "/proc/nowhere", "--database", address)
    assert nowhere.startswith("--output /proc/nowhere: cannot be made")
