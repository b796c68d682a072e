"""The page of a backtest: two languages, pictures, nothing that loads or runs."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.support.made_up import made_up, quickly_trained
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.errors import DecisionLogError
from credit_scoring.evaluation.backtest_page import JSON_FILE, PAGE_FILE, page, write
from credit_scoring.evaluation.backtest_results import Backtest
from credit_scoring.evaluation.languages import ENGLISH, PORTUGUESE, MoneyUnit
from credit_scoring.model.card import Interval
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.rules import Rule
from tests.evaluation.test_backtest import COSTS, POLICY, clients, found
from tests.evaluation.test_model_report import Outline
from tests.evaluation.test_plots import HOSTILE

TITLES = ("Os quatro quadrantes", "The four quadrants", "Curva de estratégia", "Strategy curve")


@pytest.fixture(scope="module")
def small() -> Scorer:
    """A scorer under the policy, with an audit field that has a title in Portuguese."""
    scorer = quickly_trained(made_up(10, 400))
    audit = {"title": "Estado civil", "kind": "category", "role": "audit", "values": {"A": "Solteiro(a)", "B": "B"}}
    age = {"title": "Idade", "kind": "integer", "role": "audit"}
    income = {"title": "Renda", "kind": "number"}
    content = scorer.catalogue.model_dump()
    content["fields"] |= {"age": age, "marital_status": audit, "monthly_income": income}
    return replace(scorer, catalogue=Catalogue.model_validate(content), policy=POLICY)


def status(rows: int) -> Any:
    return np.array([None if place % 7 == 0 else "AB"[place % 2] for place in range(rows)], dtype=object)


@pytest.fixture(scope="module")
def usual() -> Backtest:
    chunk = clients(2000)
    return found(replace(chunk, audit={**chunk.audit, "marital_status": status(2000)}))


@pytest.fixture(scope="module")
def outline(usual: Backtest, small: Scorer) -> Outline:
    return Outline(page(usual, small))


def test_it_is_well_formed_and_loads_and_runs_nothing(usual: Backtest, small: Scorer, outline: Outline) -> None:
    assert outline.faults == []
    assert outline.open == []
    assert {"script", "link", "img", "iframe", "object"}.isdisjoint(outline.elements)
    links = {value for name, value in outline.attributes if name in ("href", "src", "xlink:href") and value}
    assert all(each.startswith("#") for each in links)
    assert not re.search(r"url\((?!#)", page(usual, small))


def test_it_has_every_section_and_picture_in_both_languages(outline: Outline) -> None:
    labels = {value for name, value in outline.attributes if name == "aria-label"}
    assert labels >= {*TITLES}
    assert outline.elements.count("svg") == 2 * 6
    languages = [value for name, value in outline.attributes if name == "lang"]
    assert languages[0] == "pt-BR"
    assert {"pt-BR", "en"} == {*languages}
    for portuguese, english in (
        ("O que se sabe e o que se estima", "What is known, and what is estimated"),
        ("Prova do histórico", "History, decided again"),
        ("Quem entra e quem sai", "Who comes in, who goes out"),
        ("O que cada regra barra", "What each rule stops"),
        ("Aprovação por grupo", "Approval by group"),
    ):
        assert portuguese in outline.text
        assert english in outline.text
    assert "Estado civil: Solteiro(a)" in outline.text
    assert "marital_status A" in outline.text


def test_it_says_how_many_outcomes_are_known(usual: Backtest, outline: Outline) -> None:
    known, decisions = PORTUGUESE.number(usual.known), PORTUGUESE.number(usual.decisions)
    assert f"só desses se conhece o desfecho: {known} de {decisions} propostas" in outline.text
    assert f"{ENGLISH.number(usual.known)} of {ENGLISH.number(usual.decisions)} applications" in outline.text
    assert "EM_ANALISE conta como não aprovado" in outline.text


def test_the_same_backtest_gives_the_same_page(usual: Backtest, small: Scorer) -> None:
    assert page(usual, small) == page(usual, small)


def test_what_outcomes_contradict_is_said(small: Scorer) -> None:
    chunk = clients(4000)
    text = Outline(page(found(clients(4000, risk=chunk.risk / 2)), small)).text
    assert "where outcomes are known, the default rate is" in text
    assert "mas o risco previa" in text


def test_without_rules_groups_and_swaps_it_is_still_whole(small: Scorer) -> None:
    chunk = clients(50, audit={})
    bare = replace(chunk, severities=chunk.severities[:, :1], was=chunk.severities[:, 0])
    policy = Policy(threshold=0.4, review_from=0.3, costs=COSTS)
    outline = Outline(page(found(bare, policy=policy), replace(small, policy=policy)))
    assert outline.faults == []
    assert "Ninguém passa a ser aprovado." in outline.text
    assert "The applications have no audit field." in outline.text
    assert "EM_ANALISE a partir de 0,30" in outline.text


def test_a_single_application_has_a_page(small: Scorer) -> None:
    assert Outline(page(found(clients(1)), small)).faults == []


def test_texts_of_the_lender_run_nothing(usual: Backtest, small: Scorer) -> None:
    content = {"id": "LOW", "when": {"field": "monthly_income", "below": 1}, "then": "deny", "if_missing": "pass"}
    policy = Policy(threshold=0.4, costs=COSTS, rules=(Rule.model_validate({**content, "reason": HOSTILE}),))
    fields = small.catalogue.model_dump()
    fields["fields"]["marital_status"]["title"] = HOSTILE
    hostile = replace(small, policy=policy, catalogue=Catalogue.model_validate(fields))
    outline = Outline(page(usual.model_copy(update={"policy": HOSTILE, "model": HOSTILE}), hostile))
    assert outline.faults == []
    assert "script" not in outline.elements
    assert "<script>" in outline.text


def test_both_files_are_written_and_replace_older_ones(usual: Backtest, small: Scorer, tmp_path: Path) -> None:
    (tmp_path / PAGE_FILE).write_text("older", encoding="utf-8")
    assert write(usual, small, tmp_path) == tmp_path / PAGE_FILE
    assert (tmp_path / PAGE_FILE).read_text(encoding="utf-8") == page(usual, small)
    assert Backtest.model_validate_json((tmp_path / JSON_FILE).read_bytes()) == usual
    assert {path.name for path in tmp_path.iterdir()} == {JSON_FILE, PAGE_FILE}
    assert json.loads((tmp_path / JSON_FILE).read_text(encoding="utf-8"))["policy"] == "nova"


def test_a_file_that_cannot_be_written_leaves_nothing_half(usual: Backtest, small: Scorer, tmp_path: Path) -> None:
    (tmp_path / PAGE_FILE).mkdir()
    with pytest.raises(DecisionLogError, match=PAGE_FILE):
        write(usual, small, tmp_path)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("largest", "english", "amount"),
    [
        (999.4, "R$", "999 [0, 999]"),
        (5_000.0, "R$ thousand", "5.00 [0.00, 5.00]"),
        (2.5e8, "R$ million", "250 [0, 250]"),
    ],
)
def test_money_is_shown_in_a_unit_that_keeps_it_short(largest: float, english: str, amount: str) -> None:
    unit = MoneyUnit.of([0.0, -largest])
    assert ENGLISH.unit(unit) == english
    assert (
        ENGLISH.scaled(Interval(value=largest, low=0, high=largest), unit).replace("\N{NO-BREAK SPACE}", " ") == amount
    )


def test_numbers_are_written_as_each_language_does() -> None:
    assert (PORTUGUESE.number(-1234.5, 1), ENGLISH.number(-1234.5, 1)) == ("−1.234,5", "−1,234.5")
    assert PORTUGUESE.percent(0.1234) == "12,3\N{NO-BREAK SPACE}%"
    assert PORTUGUESE.reais(-1234) == "−R$\N{NO-BREAK SPACE}1.234"
