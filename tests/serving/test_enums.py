"""Named enumerations of the OpenAPI document: what a value means, and names that generators take."""

import re
from typing import Any

import pytest

from credit_scoring.application.catalogue import SHIPPED, Catalogue, shipped
from credit_scoring.application.schemas import Answer
from credit_scoring.serving.openapi import document

Json = dict[str, Any]

ODD: dict[str, Any] = {
    "name": "odd",
    "fields": {
        "step": {
            "title": "Etapa",
            "kind": "category",
            "values": {"Pré-aprovado": "Pré-aprovado", "pre aprovado": "De novo", "2": "Dois", "%": "Outro"},
        },
        "income": {"title": "Renda", "kind": "number"},
    },
}


def schemas(catalogue: Catalogue) -> Json:
    found: Json = document("1", catalogue, (Answer.APPROVED, Answer.DENIED))["components"]["schemas"]
    return found


@pytest.mark.parametrize("name", ["consorcio", "consorcio_bureau"])
def test_every_value_of_a_category_is_explained_in_both_languages(name: str) -> None:
    for field in shipped(name).fields.values():
        if field.kind == "category":
            assert {*field.meanings} == {*field.values}
            assert all(each.pt != each.en for each in field.meanings.values())


@pytest.mark.parametrize("name", SHIPPED)
def test_every_field_has_a_title_in_both_languages(name: str) -> None:
    assert all(field.title_en and field.title_en != field.title for field in shipped(name).fields.values())


def test_a_category_is_a_named_enumeration_that_says_who_goes_where() -> None:
    found = schemas(shipped())
    assert found["Application"]["properties"]["job_type"]["anyOf"][0] == {"$ref": "#/components/schemas/JobType"}
    job_type = found["JobType"]
    assert job_type["enum"] == [*shipped().fields["job_type"].categories]
    assert "pensionista" in job_type["x-enum-descriptions"][job_type["enum"].index("OTHER")]
    assert "- `SELF_EMPLOYED`: Autônomo" in job_type["description"]
    assert found["Application"]["properties"]["job_type"]["x-title-en"] == "Employment"


def test_every_named_enumeration_explains_each_of_its_values() -> None:
    named = {name: each for name, each in schemas(shipped()).items() if "enum" in each}
    assert {"Answer", "DecisionAnswer", "Outcome", "OutcomeStatus", "Step", "ReviewStepKind"} < {*named}
    for name, each in named.items():
        assert each["title"] == name
        assert len(each["enum"]) == len(each["x-enum-descriptions"]) == len({*each["x-enum-varnames"]})


def test_values_of_any_catalogue_get_names_in_ascii_that_are_told_apart() -> None:
    found = schemas(Catalogue.model_validate(ODD))
    assert found["Step"]["enum"][0] == "REQUESTED"
    assert found["StepValue"]["enum"] == [*ODD["fields"]["step"]["values"]]
    names = found["StepValue"]["x-enum-varnames"]
    assert len({*names}) == 4
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*", name) for name in names)


def test_no_name_of_a_generated_class_has_an_accent() -> None:
    for name, schema in schemas(shipped()).items():
        assert name.isascii()
        inline = [each for each in schema.get("properties", {}).values() if "enum" in each or "properties" in each]
        assert all(each.get("title", "").isascii() for each in inline), name


def test_a_meaning_of_no_value_is_refused() -> None:
    field = {**ODD["fields"]["step"], "meanings": {"other": {"pt": "a", "en": "b"}}}
    with pytest.raises(ValueError, match="meanings: 'other' is not among the values"):
        Catalogue.model_validate({**ODD, "fields": {"step": field}})


def test_a_catalogue_without_the_optional_keys_is_hashed_as_before_they_came() -> None:
    dumped = Catalogue.model_validate(ODD).model_dump_json()
    assert "meanings" not in dumped
    assert "title_en" not in dumped
    again = Catalogue.model_validate_json(shipped().model_dump_json())
    assert again.digest == shipped().digest
    assert again.fields["job_type"].meanings
