"""The groups that reasons name leave no field of the model out."""

import pytest

from benchmarks.support.made_up import made_up
from credit_scoring.application.catalogue import SHIPPED, Catalogue, shipped
from credit_scoring.explanation.groups import REST, reason_groups


@pytest.mark.parametrize("name", SHIPPED)
def test_every_feature_of_a_shipped_catalogue_is_in_exactly_one_of_its_groups(name: str) -> None:
    catalogue = shipped(name)
    groups = reason_groups(catalogue, catalogue.features)
    assert sorted(field for group in groups for field in group.fields) == sorted(catalogue.features)
    assert [group.name for group in groups] == list(catalogue.groups)


def test_a_group_whose_fields_the_model_does_not_use_is_left_out() -> None:
    groups = reason_groups(shipped(), ("monthly_income", "outstanding_debt"))
    assert [(group.name, group.fields) for group in groups] == [
        ("income", ("monthly_income",)),
        ("debts", ("outstanding_debt",)),
    ]


def own(*names: str) -> Catalogue:
    fields = {name: {"title": name.title(), "kind": "number"} for name in names}
    grouped = {"title": "Renda", "kind": "number", "group": "income"}
    income = {"title": "Renda", "weak": "Renda baixa", "missing": "Renda não informada"}
    return Catalogue.model_validate(
        {"name": "own", "groups": {"income": income}, "fields": {**fields, "income": grouped}}
    )


def test_a_few_fields_without_a_group_each_make_one_of_their_own_title() -> None:
    catalogue = own("score", "tenure")
    groups = reason_groups(catalogue, catalogue.features)
    assert [(group.name, group.weak, group.missing) for group in groups] == [
        ("income", "Renda baixa", "Renda não informada"),
        ("score", "Score", "Dado não informado: Score"),
        ("tenure", "Tenure", "Dado não informado: Tenure"),
    ]


def test_many_fields_without_a_group_make_one_together() -> None:
    catalogue = own(*(f"field_{number}" for number in range(10)))
    *_, rest = groups = reason_groups(catalogue, catalogue.features)
    assert [group.name for group in groups] == ["income", REST]
    assert rest.fields == tuple(f"field_{number}" for number in range(10))
    assert rest.weak == "Outros dados da proposta"


def test_two_hundred_fields_without_a_group_are_one() -> None:
    catalogue = made_up(200, rows=10).catalogue
    (rest,) = reason_groups(catalogue, catalogue.features)
    assert len(rest.fields) == 200
