"""The dossier of a decision: everything on record of it, on both kinds of database, and over HTTP."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Connection, select

from benchmarks.support.consorcio import EXAMPLE_APPLICATION, ConsorcioApplication
from benchmarks.support.decision_records import ORIGIN, ask, decided_by, entry, of_model, origin_of, put
from credit_scoring import __version__
from credit_scoring.application.schemas import ErrorAnswer
from credit_scoring.decisions import dossiers, outcomes, reviews
from credit_scoring.decisions.dossiers import Dossier
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.outcomes import Outcome, OutcomeReport
from credit_scoring.decisions.reviews import ReviewStep, Step
from credit_scoring.decisions.tables import blocks
from credit_scoring.errors import RequestError
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.rules import Rule
from tests.conftest import RunningService

Json = dict[str, Any]


def find(address: str, decision_id: str) -> Dossier:
    return ask(address, partial(dossiers.find, decision_id), reading=True)


def test_a_dossier_tells_what_was_decided_when_and_for_whom(address: str) -> None:
    risk = 0.1 + 0.2
    given = entry(risk, asked_by="gateway", application_id="proposta 7", age=52)
    before = datetime.now(UTC)
    (decision,) = put(address, [given])
    found = find(address, decision)
    assert (found.decision_id, found.decision, found.risk_probability) == (decision, "NEGADO", risk)
    assert (found.application_id, found.asked_by) == ("proposta 7", "gateway")
    assert before <= found.decided_at <= datetime.now(UTC)
    assert found.decided_at.utcoffset() is not None


def test_a_dossier_tells_what_decided(address: str) -> None:
    (decision,) = put(address, [entry()], origin=of_model("credit_scoring:another"))
    found = find(address, decision)
    assert (found.model, found.policy_version, found.threshold, found.service_version) == (
        *("credit_scoring:another", ORIGIN.policy_version, ORIGIN.threshold, ORIGIN.service_version),
    )


def test_a_dossier_holds_the_application_as_it_came_and_what_the_model_saw_of_it(address: str) -> None:
    (decision,) = put(address, [entry(monthly_income=4321.75, age=52, job_type=None)])
    found = find(address, decision)
    assert found.received == {**EXAMPLE_APPLICATION, "monthly_income": 4321.75, "age": 52, "job_type": None}
    assert found.seen == {"monthly_income": 4321.75, "has_negative_record": False}


def test_a_dossier_names_its_place_in_the_chain(address: str) -> None:
    for size in (1, 3):
        decision = put(address, [entry() for _ in range(size)])[-1]
        found = find(address, decision)

        def hash_of(connection: Connection, place: Dossier = found) -> str | None:
            of_block = (blocks.c.writer == place.writer) & (blocks.c.number == place.batch)
            return connection.scalar(select(blocks.c.hash).where(of_block))

        assert ask(address, hash_of, reading=True) == found.batch_hash


def test_a_dossier_of_a_new_decision_has_no_outcomes_and_no_reviews(address: str) -> None:
    (decision,) = put(address, [entry()])
    found = find(address, decision)
    assert (found.application_id, found.outcomes, found.reviews) == (None, [], [])


def test_a_dossier_holds_the_history_of_its_own_decision_oldest_first(address: str) -> None:
    decision, other = put(address, [entry(), entry()])

    def happen(connection: Connection) -> None:
        for which, known in ((decision, Outcome.PAID), (other, Outcome.PAID), (decision, Outcome.DEFAULTED)):
            report = OutcomeReport(decision_id=which, outcome=known, observed_on=datetime.now(UTC).date())
            outcomes.record([report], "collections", connection)
        for which, taken in ((decision, Step.REQUESTED), (other, Step.REQUESTED), (decision, Step.UPHELD)):
            step = ReviewStep.model_validate({"step": taken, "reason": "Why.", "reviewer": "Ana"})
            reviews.record(which, step, "ombudsman", connection)

    ask(address, happen)
    found = find(address, decision)
    assert [each.outcome for each in found.outcomes] == ["PAID", "DEFAULTED"]
    assert [each.step for each in found.reviews] == ["REQUESTED", "UPHELD"]
    assert {each.decision_id for each in found.outcomes} == {each.decision_id for each in found.reviews} == {decision}


@pytest.mark.parametrize("decision_id", [new_id(), str(uuid4())])
def test_an_unknown_decision_has_no_dossier(address: str, decision_id: str) -> None:
    put(address, [entry()])
    with pytest.raises(RequestError, match="No such decision is on record") as caught:
        find(address, decision_id)
    assert (caught.value.status, caught.value.kind) == (404, "no_decision")


def test_a_dossier_tells_what_a_rule_did_for_want_of_a_datum_and_not_what_it_would_have_done_with_it(
    address: str, scorer: Scorer, model_tag: str
) -> None:
    rule = Rule.model_validate(
        {
            "id": "SHARE",
            "when": {"field": "instalment_over_income", "above": 0.3},
            "if_missing": "review",
            "then": "deny",
            "reason": "Parcela acima de 30% da renda mensal",
        }
    )
    then = replace(scorer, policy=Policy(threshold=0.999, costs=scorer.policy.costs, rules=(rule,)))
    clients = [
        ConsorcioApplication.model_validate({**EXAMPLE_APPLICATION, "monthly_income": each}) for each in (None, 1.0)
    ]
    without, poor = put(address, decided_by(then, model_tag, clients), origin=origin_of(then, model_tag))
    (failed,) = find(address, without).rules
    assert (failed.then, failed.missing) == ("review", ("monthly_income",))
    assert failed.reason == "Dado não informado: Renda mensal"
    (failed,) = find(address, poor).rules
    assert (failed.then, failed.reason) == ("deny", "Parcela acima de 30% da renda mensal")


# Over HTTP


def test_a_dossier_over_http_agrees_with_the_decision_that_was_answered(service: RunningService) -> None:
    application = {**EXAMPLE_APPLICATION, "application_id": new_id()}
    with httpx.Client(base_url=service.url, timeout=30) as client:
        decision = client.post("/predict", json=application).json()
        found = client.get(f"/decisions/{decision['decision_id']}")
        card = client.get("/model").json()
    assert found.status_code == 200
    assert decision.items() <= found.json().items()
    assert found.json()["received"] == application
    assert found.json()["application_id"] == application["application_id"]
    assert found.json()["service_version"] == __version__
    assert list(found.json()["seen"]) == card["card"]["features"]
    assert (found.json()["asked_by"], found.json()["outcomes"], found.json()["reviews"]) == ("", [], [])


def test_every_decision_of_many_has_its_own_dossier(service: RunningService) -> None:
    incomes = [1000.0, 2000.0, 3000.0]
    applications = [{**EXAMPLE_APPLICATION, "monthly_income": income} for income in incomes]
    with httpx.Client(base_url=service.url, timeout=30) as client:
        decisions = client.post("/predict_many", json=applications).json()
        found = [client.get(f"/decisions/{decision['decision_id']}").json() for decision in decisions]
    assert [dossier["received"] for dossier in found] == applications
    assert [dossier["seen"]["monthly_income"] for dossier in found] == incomes


@pytest.mark.parametrize("decision_id", [new_id(), new_id().upper(), str(uuid4()), "7", "%00", "' OR 1=1"])
def test_an_unknown_decision_over_http_is_a_404(service: RunningService, decision_id: str) -> None:
    answer = httpx.get(f"{service.url}/decisions/{decision_id}")
    assert answer.status_code == 404
    assert ErrorAnswer.model_validate(answer.json()).detail.startswith("No such decision is on record")


@pytest.mark.parametrize(("method", "path", "allowed"), [("POST", "", "GET"), ("GET", "/review", "POST")])
def test_a_wrong_method_on_a_decision_is_a_405(service: RunningService, method: str, path: str, allowed: str) -> None:
    answer = httpx.request(method, f"{service.url}/decisions/{new_id()}{path}")
    assert answer.status_code == 405
    assert allowed in answer.headers["allow"]
