"""What clients read of a simulation: Brazilian notation, plain sentences, no promise."""

import pytest

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.application.catalogue import shipped
from credit_scoring.application.fields import ApplicationField
from credit_scoring.explanation.levers import Path, Way
from credit_scoring.explanation.simulation import Extent, LargestLetter, NoPlan, Plan, WhatIf, amount

LETTER = Path.of(CATALOGUE.fields["credit_letter_value"], Way.LETTER, 24_000.0)
TERM = Path.of(CATALOGUE.fields["term_months"], Way.EITHER, 48)
INCOME = Path.of(CATALOGUE.fields["monthly_income"], Way.BETTER, None)
DEBT = Path.of(CATALOGUE.fields["outstanding_debt"], Way.BETTER, 1234.5)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        (LETTER.field, 1_234_567.8, "R$ 1.234.567,80"),
        (LETTER.field, 24_000.0, "R$ 24.000"),
        (TERM.field, 1, "1 mês"),
        (TERM.field, 48, "48 meses"),
        (CATALOGUE.fields["job_tenure_years"], 1.5, "1,5 anos"),
        (shipped("kaggle").fields["loan_amount"], 8000.0, "8.000 USD"),
        (ApplicationField(name="x", title="X", kind="number"), 3, "3"),
        (shipped("consorcio_bureau").fields["group_share"], 0.104, "0,104"),
        (shipped("consorcio_bureau").fields["group_share"], 0.1, "0,1"),
        (ApplicationField(name="x", title="X", kind="number"), 1e-7, "0,0000001"),
        (ApplicationField(name="x", title="X", kind="number"), 12345.678, "12.345,678"),
        (LETTER.field, 0.104, "R$ 0,10"),
    ],
)
def test_money_is_told_to_the_cent_and_all_else_exactly_in_brazilian_notation(
    field: ApplicationField, value: float, told: str
) -> None:
    assert amount(field, value) == told


def test_a_plan_says_what_changes_and_what_it_is_today() -> None:
    assert Plan.of([(LETTER, 18_500.0)]).text == (
        "Aprovada na simulação com valor da carta de crédito de R$ 18.500 (hoje R$ 24.000)."
    )
    assert Plan.of([(TERM, 60), (INCOME, 4200.0)]).text == (
        "Aprovada na simulação com prazo de 60 meses (hoje 48 meses) "
        "e renda mensal de pelo menos R$ 4.200 (hoje sem informação)."
    )
    assert Plan.of([(DEBT, 0.0)]).text == (
        "Aprovada na simulação com dívidas em aberto de no máximo R$ 0 (hoje R$ 1.234,50)."
    )


def test_a_change_says_for_which_other_values_it_holds() -> None:
    holds = [change.holds for change in Plan.of([(LETTER, 18_500.0), (TERM, 60)]).changes]
    assert [*holds, Plan.of([(DEBT, 0.0)]).changes[0].holds] == [
        "every_lower_grid_value",
        "this_value",
        "every_better_value",
    ]


def test_the_largest_letter_is_told_with_its_value_or_with_the_lowest_that_was_refused() -> None:
    assert LargestLetter.of(LETTER, 18_500.0).text == (
        "Valor da carta de crédito, máximo aprovado na simulação: R$ 18.500."
    )
    assert LargestLetter.of(LETTER, None).text == (
        "Valor da carta de crédito: sem aprovação na simulação já com o mínimo, R$ 1.000."
    )


def test_where_there_is_no_plan_what_is_proven_and_what_was_tried_are_told_apart() -> None:
    found = NoPlan.of([INCOME, DEBT], Extent.ANY_COMBINATION, [LETTER, TERM])
    assert (found.proven, found.tried) == (
        ("monthly_income", "outstanding_debt"),
        ("credit_letter_value", "term_months"),
    )
    assert found.text == (
        "Mudanças em renda mensal e dívidas em aberto, em qualquer combinação, não levam à aprovação dentro dos "
        "limites simulados. Com valor da carta de crédito e prazo, a simulação não encontrou alternativa."
    )
    assert NoPlan.of([], Extent.ANY_COMBINATION, [TERM]).text == "Com prazo, a simulação não encontrou alternativa."
    assert "isoladas ou duas a duas" in NoPlan.of([DEBT], Extent.ALONE_OR_IN_PAIRS, []).text


@pytest.mark.parametrize(("complete", "begins"), [(True, "Simulação, sem promessa"), (False, "A simulação foi interr")])
def test_every_answer_says_that_it_is_a_simulation_without_promise(complete: bool, begins: str) -> None:
    answer = WhatIf(approved=False, complete=complete, evaluations=1)
    assert answer.notice.startswith(begins)
    assert "sem promessa" in answer.model_dump_json()
    assert WhatIf.model_validate_json(answer.model_dump_json()) == answer
