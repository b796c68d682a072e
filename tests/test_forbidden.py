"""Names that the law keeps out of a credit decision."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_scoring.forbidden import forbidden_reason
from credit_scoring.schemas import FIELDS

ENGLISH_AND_PORTUGUESE = {
    "sex": ["sex", "gender", "sexo", "gênero", "genero"],
    "race": ["race", "ethnicity", "skin_color", "raça", "raca", "etnia", "cor", "cor da pele"],
    "origin": ["origin", "social origin", "ethnic_origin", "origem", "origem étnica", "origem-social"],
    "religion": ["religion", "religião", "religiao", "crença"],
    "political": ["politics", "political opinion", "political_party", "política", "opinião política", "partido"],
    "union": ["union_membership", "sindicato", "filiação sindical"],
    "health": ["health", "disease", "disability", "pregnancy", "saúde", "doença", "deficiência", "gravidez"],
    "genetic": ["genetics", "genetic_data", "biometrics", "genética", "dados genéticos", "biometria"],
    "sexual orientation": ["sexual orientation", "sexual_life", "orientação sexual", "vida sexual"],
}
NAMES = [(subject, name) for subject, names in ENGLISH_AND_PORTUGUESE.items() for name in names]
SUBJECT_AND_NAME = st.sampled_from(NAMES)


@pytest.mark.parametrize(("subject", "name"), NAMES)
def test_a_forbidden_name_is_refused_with_its_subject_and_the_law(subject: str, name: str) -> None:
    reason = forbidden_reason(name)
    assert reason is not None
    assert subject in reason
    assert "Lei 12.414/2011" in reason
    assert "LGPD art. 5 II" in reason


@given(SUBJECT_AND_NAME, st.sampled_from([str.upper, str.title, str.swapcase]), st.sampled_from(["_", "-", " "]))
def test_case_and_separators_do_not_hide_a_forbidden_name(
    pair: tuple[str, str], recase: Callable[[str], str], separator: str
) -> None:
    disguised = recase(pair[1]).replace("_", separator).replace(" ", separator)
    assert forbidden_reason(f" {disguised} ") == forbidden_reason(pair[1])


@pytest.mark.parametrize("name", FIELDS)
def test_no_field_of_the_application_is_forbidden(name: str) -> None:
    assert forbidden_reason(name) is None


@pytest.mark.parametrize("name", ["corretora", "seguro_saude_valor", "essex", "salary", ""])
def test_a_name_that_only_contains_a_forbidden_one_is_not_refused_for_it(name: str) -> None:
    assert forbidden_reason(name) is None
