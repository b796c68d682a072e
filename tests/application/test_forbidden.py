"""Names that the law keeps out of a credit decision."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.support.consorcio import FIELDS
from credit_scoring.application.catalogue import shipped
from credit_scoring.application.forbidden import disguise_reason, forbidden_reason, is_age
from credit_scoring.data.datasets import SOURCES_FOLDER
from credit_scoring.data.mapping import ColumnMapping

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


IN_DISGUISE = {
    "sex": [
        *("sex", "SEX", "sexo_cliente", "SexoCliente", "cd_sexo", "CDSEXO", "tp_sexo", "sexo2", "personal_status_sex"),
        *("gender_code", "CODE_GENDER", "genderCode", "applicant_gender", "cod_genero", "genero_cliente"),
        *("identidade_de_genero", "sx", "sx_cliente"),
    ],
    "race": [
        *("race_code", "applicant_race_1", "derived_race", "raça_cliente", "TP_COR_RACA", "ethnic_group", "raca-cor"),
        *("racial_group", "cor_cliente", "cor da pele do cliente", "etnia_cod", "grupo_étnico", "skinColor"),
    ],
    "origin": [
        *("NACIONALITY", "nationality", "nacionalidade", "NACIONALIDADE_CLIENTE", "naturalidade", "cd_naturalidade"),
        *("STATE_OF_BIRTH", "stateOfBirth", "STATEOFBIRTH", "birth_place", "birthplace", "city of birth"),
        *("country_birth", "uf_nascimento", "UF_NASC", "município de nascimento", "pais_nascimento", "cidade natal"),
        *("citizenship", "national_origin", "país de origem", "foreign_worker", "estrangeiro", "immigration_status"),
    ],
    "religion": ["religious_group", "cd_religiao", "crença_cliente", "Religião do titular"],
    "political": ["political_view", "PARTIDO_POLITICO", "filiação partidária", "opiniaoPolitica"],
    "union": ["union_member", "trade_union", "contribuicao_sindical", "sindicalizado", "sindicato_cliente"],
    "health": [
        *(
            "health_status",
            "estado_de_saude",
            "condição de saúde",
            "has_disability",
            "flag_deficiente",
            "pcd",
            "IN_PCD",
        ),
        *("pessoa_com_deficiencia", "gestante", "disease_code", "doenca_cronica", "saude_cliente"),
    ],
    "genetic": ["genetic_risk", "dna_sample", "biometric_score", "biometria_facial"],
    "sexual orientation": ["orientacao_sexual_cod", "sexualOrientation", "sexuality"],
    "marital status": [
        *("MARITAL_STATUS", "Marital", "maritalStatus", "marital_cd", "estado_civil", "ESTADOCIVIL", "cd_estado_civil"),
        *("situação conjugal", "civil_status", "is_married", "casado"),
    ],
}
HONEST = (
    *("percentage", "essex", "middlesex_branch", "sextant", "sexta_parcela", "generated", "neutral"),
    *("trace", "grace", "grace_period", "racetrack", "terrace", "horace", "corretora", "seguro_saude_valor", "salary"),
    *("credit_union", "canal_origem", "origem_recurso", "cod_origem", "loan_origination_fee", "origin_channel"),
    *("politica_credito", "policy_version", "id_politica", "partido_em", "cor_veiculo", "cod_cor", "corporate"),
    *("nacional", "renda_nacional", "national_id", "natural_person", "pessoa_natural", "state", "uf", "estado"),
    *(
        "birth_date",
        "data_nascimento",
        "date_of_birth",
        "natal_bonus",
        "registro_civil",
        "acoes_civeis",
        "estado_conta",
    ),
    *("divida_moeda_estrangeira", "foreign_currency_debt", "gravidade", "plano_saude_valor", "setor_saude"),
    *("health_insurance_premium", "sindico", "syndicated_loan", "faithful_customer", "conjuge_renda", "dependents"),
    *("genre", "generico", "migrated_account", "person_home_ownership", "cb_person_default_on_file", "income", ""),
)


@pytest.mark.parametrize(("subject", "name"), [(what, name) for what, names in IN_DISGUISE.items() for name in names])
def test_a_name_that_says_the_same_with_codes_or_in_other_words_is_refused(subject: str, name: str) -> None:
    reason = forbidden_reason(name)
    assert reason is not None
    assert subject in reason


@pytest.mark.parametrize("name", HONEST)
def test_a_name_that_only_looks_like_a_forbidden_one_is_not_refused(name: str) -> None:
    assert forbidden_reason(name) is None


@pytest.mark.parametrize("name", ["Marital", "MARITAL_STATUS", "marital_status", "estado_civil"])
def test_marital_status_may_be_audited_and_be_nothing_else(name: str) -> None:
    assert disguise_reason("marital_status", name) is None
    reason = disguise_reason("housing", name)
    assert reason is not None
    assert "kept for audits only, as the field marital_status" in reason


def test_the_audit_field_for_marital_status_may_not_hold_anything_else_that_is_forbidden() -> None:
    assert "Refused: sex " in (disguise_reason("marital_status", "personal_status_and_sex") or "")


@pytest.mark.parametrize(("source", "catalogue"), [("embedded.toml", "consorcio"), ("kaggle.toml", "kaggle")])
def test_no_column_of_a_shipped_source_is_refused(source: str, catalogue: str) -> None:
    mapping = ColumnMapping.read(SOURCES_FOLDER / source, shipped(catalogue))
    assert [disguise_reason(*pair) for pair in mapping.columns.items()] == [None] * len(mapping.columns)


AGES = (
    *("age", "AGE", "idade", "Idade", "idade_cliente", "client_age", "nr_idade", "age_in_years", "idade_18_25"),
    *("age_band", "age_group", "ageGroup", "AGERANGE", "age bracket", "faixa_etaria", "Faixa etária", "faixa_idade"),
    *("grupo etário", "cd_faixa_etaria_cliente", "birth_date", "date_of_birth", "year of birth", "BIRTHDATE", "dob"),
    *("data_nascimento", "DT_NASC", "dtnasc", "Ano de nascimento", "ano_nasc_titular", "nascimento", "DAYS_BIRTH"),
)


@pytest.mark.parametrize("name", AGES)
def test_the_age_or_birth_of_a_person_is_told_by_its_name(name: str) -> None:
    assert is_age(name)


@pytest.mark.parametrize(
    "name",
    [
        *("vehicle_age", "idade_veiculo", "account_age_months", "ano_modelo", "data_proposta", "company_years"),
        *("usage", "", "idade_do_grupo", "idade_grupo_meses"),
    ],
)
def test_the_age_of_something_else_is_not(name: str) -> None:
    assert not is_age(name)
