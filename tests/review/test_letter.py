"""The letter to the client, over HTTP, of decisions that were given under policies of their day."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import bentoml
import pytest

from benchmarks.support.consorcio import EXAMPLE_APPLICATION
from benchmarks.support.decision_records import ORIGIN, decided_by, entry, origin_of, put
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.rules import Rule
from tests.conftest import RunningService
from tests.decisions.test_verdicts import in_analysis
from tests.review.desk import WEAK, Reviewer, desk

Json = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("letter")


@pytest.fixture(scope="module")
def running(folder: Path, model_tag: str) -> Iterator[RunningService]:
    with desk(folder, model_tag, CREDIT_SCORING_WORKERS="1") as service:
        yield service


def on_record(
    address: str,
    scorer: Scorer,
    tag: str,
    *,
    threshold: float = 0.999,
    review_from: float | None = None,
    rules: Sequence[Json] = (),
    **fields: Any,
) -> str:
    """The id of a decision on the example application with these fields, under such a policy."""
    made = tuple(map(Rule.model_validate, rules))
    policy = Policy(threshold=threshold, review_from=review_from, costs=scorer.policy.costs, rules=made)
    then = replace(scorer, policy=policy)
    application = scorer.catalogue.application.model_validate({**EXAMPLE_APPLICATION, **fields})
    (found,) = put(address, decided_by(then, tag, [application]), origin=origin_of(then, tag))
    return found


def test_where_the_reasons_of_a_refusal_cannot_be_found_there_is_no_letter_but_a_page_that_says_why(
    ana: Reviewer, address: str
) -> None:
    (decision,) = put(address, [entry()])  # of a model that is not in the store
    letter = ana.get(f"/mesa/decisoes/{decision}/carta")
    assert (letter.status_code, "O modelo que decidiu não está mais neste serviço" in letter.text) == (409, True)
    assert "não foi aprovada" not in letter.text
    assert "O modelo que decidiu não está mais neste serviço" in ana.get(f"/mesa/decisoes/{decision}").text


LACKING: Json = {
    "id": "PARCELA_RENDA",
    "when": {"field": "instalment_over_income", "above": 0.3},
    "if_missing": "review",
    "then": "deny",
    "reason": "Parcela acima de 30% da renda mensal",
}


def test_a_datum_that_was_missing_is_told_as_such_and_the_score_beside_it_where_the_risk_was_reviewed_too(
    ana: Reviewer, address: str, scorer: Scorer, model_tag: str
) -> None:
    for review_from, is_told in ((scorer.policy.threshold, True), (None, False)):
        fields: Json = {**WEAK, "monthly_income": None}
        decision = on_record(address, scorer, model_tag, review_from=review_from, rules=[LACKING], **fields)
        assert "em análise" in ana.get(f"/mesa/decisoes/{decision}/carta").text
        dossier = ana.judge(decision, "DENIED").text
        assert "(PARCELA_RENDA, não conferida por falta do dado, leva à análise)" in dossier
        letter = ana.get(f"/mesa/decisoes/{decision}/carta").text
        assert "<li>Dado não informado: Renda mensal</li>" in letter
        assert "Parcela acima" not in letter + dossier
        assert ("O que mais pesou na análise de risco" in letter) == is_told


def test_where_nothing_can_tell_a_missing_datum_from_a_condition_that_held_there_is_no_letter(
    ana: Reviewer, address: str, scorer: Scorer
) -> None:
    catalogue = Catalogue.model_validate({**scorer.catalogue.model_dump(), "name": "other"})
    other = replace(scorer, catalogue=catalogue)
    decision = on_record(address, other, "credit_scoring:gone", rules=[LACKING], monthly_income=None)
    assert "efeito não conhecido sem o modelo que decidiu" in ana.judge(decision, "DENIED").text
    letter = ana.get(f"/mesa/decisoes/{decision}/carta")
    assert (letter.status_code, "O modelo que decidiu não está mais" in letter.text) == (409, True)


def test_a_refusal_by_people_of_what_the_system_approved_is_told_as_theirs_and_gives_no_reasons_of_the_score(
    ana: Reviewer, address: str, scorer: Scorer, model_tag: str
) -> None:
    decision = on_record(address, scorer, model_tag)
    path = f"/mesa/decisoes/{decision}"
    ana.get(path)
    ana.send(f"{path}/revisao", motivo="O cliente pediu revisão.")
    assert "Decisão revertida" in ana.judge(decision, "REVERSED").text
    letter = ana.get(f"{path}/carta").text
    assert "não foi aprovada" in letter
    assert "Pessoas da nossa equipe tomaram esta decisão depois de uma revisão" in letter
    assert "O que mais pesou na análise de risco" not in letter


def test_a_decision_is_told_in_the_words_of_the_catalogue_of_its_own_model(
    ana: Reviewer, address: str, scorer: Scorer
) -> None:
    content = scorer.catalogue.model_dump()
    content["fields"]["monthly_income"]["title"] = "Renda de então"
    content["fields"]["age"]["title"] = "Idade de então"
    then = replace(scorer, catalogue=Catalogue.model_validate(content))
    tag = store.save(then)
    try:
        decision = on_record(address, then, tag)
        dossier, letter = (ana.get(f"/mesa/decisoes/{decision}{page}").text for page in ("", "/carta"))
    finally:
        bentoml.models.delete(tag)
    assert "Renda de então" in dossier
    assert 'Idade de então <span class="quiet">(só auditoria, fora da decisão)' in dossier
    assert "<dt>Renda de então</dt>" in letter
    assert "Idade" not in letter


def test_where_the_catalogue_of_the_day_is_gone_a_letter_lists_only_what_the_model_saw_and_rules_asked_for(
    ana: Reviewer, address: str, scorer: Scorer
) -> None:
    rule = {"id": "TERM", "when": {"field": "term_months", "above": 500}, "then": "deny", "if_missing": "pass"}
    rules = (Rule.model_validate({**rule, "reason": "Prazo acima do permitido"}),)
    policy = Policy(threshold=0.3, costs=scorer.policy.costs, rules=rules).model_dump_json(exclude={"version"})
    (decision,) = put(address, [in_analysis()], origin=replace(ORIGIN, policy=policy))
    titles = re.findall("<dt>(.+?)</dt>", ana.get(f"/mesa/decisoes/{decision}/carta").text)
    assert sorted(titles) == ["Prazo", "Renda mensal", "Restrição cadastral"]
    assert "só auditoria" not in ana.get(f"/mesa/decisoes/{decision}").text


def test_a_letter_says_that_an_answer_was_automated_but_not_so_of_what_is_still_in_analysis(
    ana: Reviewer, address: str, scorer: Scorer, model_tag: str
) -> None:
    refused = {**LACKING, "if_missing": "deny"}
    for rules, answer, is_automated in (
        ([], "foi <strong>aprovada</strong>", True),
        ([refused], "<strong>não foi aprovada</strong>", True),
        ([LACKING], "está <strong>em análise</strong>", False),
    ):
        decision = on_record(address, scorer, model_tag, rules=rules, monthly_income=None)
        letter = ana.get(f"/mesa/decisoes/{decision}/carta").text
        assert answer in letter
        assert ("A resposta foi dada por meio automatizado" in letter) == is_automated


@pytest.mark.parametrize(("source", "told"), [("bureau", "birô de crédito"), ("SCR", "SCR"), ("Holerite", "Holerite")])
def test_a_source_and_its_day_are_told_in_portuguese(
    ana: Reviewer, address: str, scorer: Scorer, model_tag: str, source: str, told: str
) -> None:
    sources = {"monthly_income": {"source": source, "consulted_at": "2026-11-20"}}
    decision = on_record(address, scorer, model_tag, sources=sources)
    assert f"({told}, 20/11/2026)" in ana.get(f"/mesa/decisoes/{decision}/carta").text
    assert f"{told}, consultada em 20/11/2026" in ana.get(f"/mesa/decisoes/{decision}").text
