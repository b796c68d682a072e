"""The application: what it accepts, what it refuses, and what it never says."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from benchmarks.support.consorcio import AUDIT_FIELDS, EXAMPLE_APPLICATION, FEATURES, FIELDS, ConsorcioApplication
from credit_scoring.application.fields import Role
from credit_scoring.application.schemas import Answer, Decision, Fault, faults

# The field table of the design: role, kind, unit, risk direction, required; then bounds and categories.
FIELD_TABLE = {
    "application_id": ("envelope", "text", None, None, False),
    "good_type": ("feature", "category", None, None, False),
    "credit_letter_value": ("feature", "number", "BRL", None, True),
    "good_value": ("feature", "number", "BRL", None, False),
    "term_months": ("feature", "integer", "months", None, False),
    "monthly_income": ("feature", "number", "BRL", "down", False),
    "monthly_expenses": ("feature", "number", "BRL", None, False),
    "assets_value": ("feature", "number", "BRL", "down", False),
    "outstanding_debt": ("feature", "number", "BRL", "up", False),
    "job_type": ("feature", "category", None, None, False),
    "job_tenure_years": ("feature", "number", "years", "down", False),
    "housing": ("feature", "category", None, None, False),
    "has_negative_record": ("feature", "flag", None, "up", False),
    "credit_history_years": ("feature", "number", "years", "down", False),
    "age": ("audit", "integer", "years", None, True),
    "marital_status": ("audit", "category", None, None, False),
}
CATEGORIES = {
    "good_type": ("CAR", "MOTORCYCLE", "REAL_ESTATE", "HEAVY", "SERVICES", "OTHER"),
    "job_type": ("PERMANENT", "SELF_EMPLOYED", "PART_TIME", "OTHER"),
    "housing": ("OWNER", "RENT", "PARENTS", "PRIVATE", "MORTGAGE", "OTHER"),
    "marital_status": ("SINGLE", "MARRIED", "WIDOWED", "SEPARATED", "DIVORCED"),
}
TITLES = {
    "application_id": "Id da proposta",
    "good_type": "Tipo de bem",
    "credit_letter_value": "Valor da carta de crédito",
    "good_value": "Valor do bem",
    "term_months": "Prazo",
    "monthly_income": "Renda mensal",
    "monthly_expenses": "Despesas mensais",
    "assets_value": "Patrimônio",
    "outstanding_debt": "Dívidas em aberto",
    "job_type": "Vínculo de trabalho",
    "job_tenure_years": "Tempo no emprego",
    "housing": "Moradia",
    "has_negative_record": "Restrição cadastral",
    "credit_history_years": "Histórico de crédito",
    "age": "Idade",
    "marital_status": "Estado civil",
}
JUST_OUTSIDE: list[tuple[str, Any]] = [
    ("application_id", ""),
    ("application_id", "x" * 65),
    ("good_type", "YACHT"),
    ("good_type", "car"),
    ("credit_letter_value", 0.0),
    ("credit_letter_value", -0.01),
    ("good_value", 0.0),
    ("term_months", 0),
    ("term_months", 421),
    ("monthly_income", -0.01),
    ("monthly_expenses", -0.01),
    ("assets_value", -0.01),
    ("outstanding_debt", -0.01),
    ("job_type", "PIRATE"),
    ("job_tenure_years", -0.01),
    ("job_tenure_years", 60.01),
    ("housing", "CASTLE"),
    ("credit_history_years", -0.01),
    ("credit_history_years", 60.01),
    ("age", 17),
    ("age", 121),
    ("marital_status", "COMPLICATED"),
]
JUST_INSIDE: list[tuple[str, Any]] = [
    ("application_id", "x"),
    ("application_id", "x" * 64),
    ("credit_letter_value", 0.01),
    ("good_value", 0.01),
    ("term_months", 1),
    ("term_months", 420),
    ("monthly_income", 0.0),
    ("monthly_expenses", 0.0),
    ("assets_value", 0.0),
    ("outstanding_debt", 0.0),
    ("job_tenure_years", 0.0),
    ("job_tenure_years", 60.0),
    ("credit_history_years", 0.0),
    ("credit_history_years", 60.0),
    ("age", 18),
    ("age", 120),
]
NUMBER_FIELDS = [name for name, field in FIELDS.items() if field.is_number]


def _money(smallest: float = 0.0) -> st.SearchStrategy[float]:
    return st.floats(smallest, exclude_min=smallest == 0, allow_infinity=False) | st.integers(1, 10**12).map(float)


def _category(name: str) -> st.SearchStrategy[str]:
    return st.sampled_from(CATEGORIES[name])


_REQUIRED = {"credit_letter_value": _money(), "age": st.integers(18, 120)}
_OPTIONAL: dict[str, st.SearchStrategy[Any]] = {
    "application_id": st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=64),
    "good_value": _money(),
    "term_months": st.integers(1, 420),
    "monthly_income": st.floats(0, allow_infinity=False),
    "monthly_expenses": st.floats(0, allow_infinity=False),
    "assets_value": st.floats(0, allow_infinity=False),
    "outstanding_debt": st.floats(0, allow_infinity=False),
    "job_tenure_years": st.floats(0, 60) | st.integers(0, 60),
    "has_negative_record": st.booleans(),
    "credit_history_years": st.floats(0, 60) | st.integers(0, 60),
    **{name: _category(name) for name in CATEGORIES},
}
applications = st.fixed_dictionaries(
    _REQUIRED, optional={name: strategy | st.none() for name, strategy in _OPTIONAL.items()}
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def _faults_of(data: Any) -> list[Fault]:
    with pytest.raises(ValidationError) as caught:
        ConsorcioApplication.model_validate(data)
    return faults(caught.value, FIELDS)


def _with(**changes: Any) -> dict[str, Any]:
    return {**EXAMPLE_APPLICATION, **changes}


def test_the_application_has_exactly_the_fields_of_the_design() -> None:
    assert list(FIELDS) == list(FIELD_TABLE)


@pytest.mark.parametrize("name", FIELD_TABLE)
def test_a_field_has_the_role_kind_unit_and_risk_direction_of_the_design(name: str) -> None:
    field = FIELDS[name]
    assert (field.role, field.kind, field.unit, field.risk_moves, field.required) == FIELD_TABLE[name]


@pytest.mark.parametrize("name", FIELD_TABLE)
def test_a_field_has_its_portuguese_title_and_an_english_description(name: str) -> None:
    assert FIELDS[name].title == TITLES[name]
    assert FIELDS[name].description.endswith(".")


@pytest.mark.parametrize("name", CATEGORIES)
def test_a_category_field_has_the_values_of_the_design(name: str) -> None:
    assert FIELDS[name].categories == CATEGORIES[name]


def test_every_field_is_either_a_feature_or_for_audits_or_the_envelope() -> None:
    assert {*FEATURES, *AUDIT_FIELDS, "application_id"} == set(FIELDS)
    assert len(FEATURES) + len(AUDIT_FIELDS) + 1 == len(FIELDS)


def test_age_and_marital_status_are_never_features() -> None:
    assert AUDIT_FIELDS == ("age", "marital_status")


@pytest.mark.parametrize("name", [name for name, row in FIELD_TABLE.items() if row[2] == "BRL"])
def test_the_description_of_a_money_field_names_its_unit(name: str) -> None:
    assert "in R$" in FIELDS[name].description


@pytest.mark.parametrize("name", FIELD_TABLE)
def test_the_json_schema_of_a_field_shows_role_unit_and_risk_direction(name: str) -> None:
    shown = ConsorcioApplication.model_json_schema()["properties"][name]
    role, _, unit, risk_moves, _ = FIELD_TABLE[name]
    assert shown["x-role"] == role
    assert shown.get("x-unit") == unit
    assert shown.get("x-risk-moves") == risk_moves


def test_the_json_schema_carries_an_example_that_validates() -> None:
    example = ConsorcioApplication.model_json_schema()["example"]
    assert ConsorcioApplication.model_validate_json(json.dumps(example)).model_dump(exclude_none=True) == example
    assert set(example) == set(FIELDS) - {"application_id"}  # sent again with other values it would be refused


def test_the_json_schema_forbids_further_fields() -> None:
    assert ConsorcioApplication.model_json_schema()["additionalProperties"] is False


@given(applications)
def test_any_application_built_from_values_in_range_validates(data: dict[str, Any]) -> None:
    application = ConsorcioApplication.model_validate(data)
    assert {name: getattr(application, name) for name in data} == data


@given(applications)
def test_an_application_is_read_the_same_from_json_as_from_python(data: dict[str, Any]) -> None:
    assert ConsorcioApplication.model_validate_json(json.dumps(data)) == ConsorcioApplication.model_validate(data)


def test_letter_value_and_age_alone_make_an_application() -> None:
    application = ConsorcioApplication.model_validate({"credit_letter_value": 1000, "age": 40})
    assert application.model_dump()["monthly_income"] is None


@pytest.mark.parametrize(("name", "value"), JUST_INSIDE)
def test_a_value_on_the_edge_of_its_range_is_accepted(name: str, value: Any) -> None:
    assert getattr(ConsorcioApplication.model_validate(_with(**{name: value})), name) == value


@pytest.mark.parametrize(("name", "value"), JUST_OUTSIDE)
def test_a_value_just_outside_its_range_is_refused(name: str, value: Any) -> None:
    assert [fault.field for fault in _faults_of(_with(**{name: value}))] == [name]


@pytest.mark.parametrize("name", NUMBER_FIELDS)
@pytest.mark.parametrize("value", ["30", True, math.nan, math.inf, -math.inf, [30], {"value": 30}])
def test_a_number_field_takes_numbers_only_and_finite_ones(name: str, value: Any) -> None:
    assert {fault.field for fault in _faults_of(_with(**{name: value}))} == {name}


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("name", ["credit_letter_value", "monthly_income", "term_months"])
def test_a_number_that_is_not_finite_is_refused_in_json_too(name: str, constant: str) -> None:
    with pytest.raises(ValidationError):
        ConsorcioApplication.model_validate_json(f'{{"credit_letter_value": 1000, "age": 40, "{name}": {constant}}}')


@pytest.mark.parametrize("value", [0, 1, "true", "false", "yes"])
def test_a_flag_field_takes_true_and_false_only(value: Any) -> None:
    assert [fault.field for fault in _faults_of(_with(has_negative_record=value))] == ["has_negative_record"]


@pytest.mark.parametrize("name", ["term_months", "age"])
def test_a_whole_number_field_refuses_a_fraction(name: str) -> None:
    assert [fault.field for fault in _faults_of(_with(**{name: 40.5}))] == [name]


@pytest.mark.parametrize("body", [None, [], "text", 3, True])
def test_a_body_that_is_not_an_object_is_refused_as_a_whole(body: Any) -> None:
    assert [fault.field for fault in _faults_of(body)] == [""]


def test_every_fault_is_reported_at_once() -> None:
    wrong = dict(JUST_OUTSIDE)
    data = {**wrong, "has_negative_record": "perhaps", "sexo": "F", "nickname": "Bia"}
    assert {fault.field for fault in _faults_of(data)} == {*FIELDS, "sexo", "nickname"}


def test_missing_required_fields_are_reported_together() -> None:
    assert [(fault.field, fault.code) for fault in _faults_of({})] == [
        ("credit_letter_value", "missing"),
        ("age", "missing"),
    ]


def test_a_forbidden_field_is_refused_by_name_with_the_law() -> None:
    (fault,) = _faults_of(_with(sexo="F"))
    assert (fault.field, fault.code) == ("sexo", "forbidden_field")
    assert "Lei 12.414/2011" in fault.message
    assert "LGPD" in fault.message


def test_an_unknown_field_is_answered_with_the_known_ones() -> None:
    (fault,) = _faults_of(_with(income=3000))
    assert (fault.field, fault.code) == ("income", "unknown_field")
    assert all(name in fault.message for name in FIELDS)


def test_of_many_misspelt_fields_the_first_are_answered_with_what_was_meant_and_all_names_stand_once() -> None:
    misspelt = ["good_valu", "term_month", "monthly_incom", "assets_valu", "job_typ"]
    messages = [fault.message for fault in _faults_of(_with(**dict.fromkeys(misspelt, 1)))]
    assert messages[:3] == [
        "Unknown field; did you mean good_value?",
        "Unknown field; did you mean term_months?",
        "Unknown field; did you mean monthly_income?",
    ]
    assert messages[3].startswith("Unknown field; the known ones are application_id, ")
    assert messages[4] == "Unknown field"


def test_an_endless_field_name_is_cut_short() -> None:
    (fault,) = _faults_of(_with(**{"x" * 100_000: 1}))
    assert len(fault.field) <= 64
    assert len(fault.message) < 1000


@given(st.sampled_from(list(FIELDS)), st.integers(10**9, 10**30).flatmap(lambda n: st.sampled_from([n, -n])))
def test_no_fault_contains_the_number_that_was_sent(name: str, sent: int) -> None:
    for value in (str(sent), [sent], {"value": sent}, -abs(sent), math.copysign(math.inf, sent)):
        data = {"credit_letter_value": value, "age": sent, name: value}
        assert all(str(abs(sent)) not in fault.model_dump_json() for fault in _faults_of(data))


@given(st.sampled_from(list(FIELDS)), st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=12, max_size=40))
def test_no_fault_contains_the_text_that_was_sent(name: str, sent: str) -> None:
    secret = f"§{sent}§"
    value = [secret] if name == "application_id" else secret
    for fault in _faults_of(_with(**{name: value, "sexo": secret, "unheard_of": secret})):
        assert secret not in fault.model_dump_json()
        assert sent not in fault.model_dump_json()


@given(st.dictionaries(st.sampled_from(list(FIELDS)), json_values, max_size=6))
def test_whatever_is_sent_the_answer_is_an_application_or_faults_on_its_fields(data: dict[str, Any]) -> None:
    try:
        ConsorcioApplication.model_validate(data)
        named = set()
    except ValidationError as error:
        named = {fault.field for fault in faults(error)}
    assert named <= set(FIELDS)


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=12, max_size=40))
def test_the_text_of_a_validation_error_holds_no_value_either(sent: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ConsorcioApplication.model_validate(_with(housing=sent, monthly_income=sent))
    assert sent not in str(caught.value)
    assert sent not in repr(caught.value)


def test_an_application_cannot_be_changed_once_it_is_read() -> None:
    application = ConsorcioApplication.model_validate(EXAMPLE_APPLICATION)
    with pytest.raises(ValidationError):
        setattr(application, "age", 50)  # noqa: B010 - the type checker refuses it too, as it should


def test_the_answers_are_aprovado_em_analise_and_negado() -> None:
    assert [answer.value for answer in Answer] == ["APROVADO", "EM_ANALISE", "NEGADO"]


def test_a_decision_has_the_fields_of_the_api_with_titles() -> None:
    fields = Decision.model_fields
    assert list(fields) == [
        *("decision", "risk_probability", "threshold", "decision_id", "model", "policy_version"),
        *("rules", "missing", "outside_training"),
    ]
    assert all(field.title and field.description for field in fields.values())


def test_the_roles_are_feature_policy_audit_and_envelope() -> None:
    assert {role.value for role in Role} == {"feature", "policy", "audit", "envelope"}


def test_a_whole_bound_is_a_whole_number_in_the_json_schema() -> None:
    age = ConsorcioApplication.model_json_schema()["properties"]["age"]
    assert json.dumps([age["minimum"], age["maximum"]]) == "[18, 120]"
