"""The field catalogue: what is read, what is made of it, and every fault in one line with the way out."""

import pickle
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from benchmarks.support.consorcio import CATALOGUE, EXAMPLE_APPLICATION
from credit_scoring.application.catalogue import FOLDER, SHIPPED, Catalogue, freed, shipped
from credit_scoring.application.toml_files import MAX_BYTES
from credit_scoring.errors import CatalogueError

LEAST = """
name = "own"
[fields.limit]
title = "Limite"
kind = "number"
required = true
example = 10
[fields.score]
title = "Escore"
kind = "integer"
at_least = 0
at_most = 1000
risk_moves = "down"
[fields.intent]
title = "Finalidade"
kind = "category"
values = { HOME = "Casa", CAR = "Carro" }
"""


LEVER = "lever = { at_least = 1, at_most = 9, step = 1 }\n"


def read(tmp_path: Path, content: str) -> Catalogue:
    path = tmp_path / "own.toml"
    path.write_text(content, encoding="utf-8")
    return Catalogue.read(path)


def refused(tmp_path: Path, content: str) -> str:
    with pytest.raises(CatalogueError) as caught:
        read(tmp_path, content)
    return str(caught.value)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_catalogue_is_read(name: str) -> None:
    assert shipped(name).name == name


def test_the_small_one_makes_a_class_that_checks_applications(tmp_path: Path) -> None:
    application = read(tmp_path, LEAST).application
    assert application.model_validate_json('{"limit": 5, "score": 7.0, "intent": "CAR"}').model_dump() == {
        "sources": None,
        "application_id": None,
        "replaces": None,
        "limit": 5.0,
        "score": 7,
        "intent": "CAR",
    }
    for wrong in (
        '{"score": 1}',
        '{"limit": 5, "score": 1001}',
        '{"limit": 5, "intent": "car"}',
        '{"limit": 5, "x": 1}',
    ):
        with pytest.raises(ValidationError):
            application.model_validate_json(wrong)


def test_roles_name_features_audit_fields_and_what_is_required(tmp_path: Path) -> None:
    more = field("age", role="audit") + field("channel", title="Canal", kind="text", role="policy")
    found = read(tmp_path, LEAST + more)
    assert found.features == ("limit", "score", "intent")
    assert found.audit_fields == ("age",)
    assert found.required == ("limit",)
    assert [*found.all_fields] == ["application_id", "limit", "score", "intent", "age", "channel"]


def test_levers_are_those_fields_that_a_client_can_change(tmp_path: Path) -> None:
    assert read(tmp_path, LEAST).levers == {}
    found = read(tmp_path, LEAST + field(role="policy") + LEVER)
    assert {name: lever.model_dump() for name, lever in found.levers.items()} == {
        "x": {"at_least": 1, "at_most": 9, "step": 1}
    }


@pytest.mark.parametrize("name", SHIPPED)
def test_no_shipped_catalogue_moves_who_a_client_is_or_was(name: str) -> None:
    levers = {*shipped(name).levers}
    assert levers
    assert not levers & {"age", "marital_status", "job_tenure_years", "assets_value", "bureau_score"}
    assert not [lever for lever in levers if shipped(name).fields[lever].group in ("history", "job", "bureau")]


def test_a_catalogue_from_before_there_were_levers_is_read_as_it_was() -> None:
    content = CATALOGUE.model_dump(mode="json")
    for entry in content["fields"].values():
        del entry["lever"]
    found = Catalogue.model_validate(content)
    assert found.levers == {}
    assert found.application.model_json_schema() == CATALOGUE.application.model_json_schema()


def test_a_derived_field_is_known_by_its_raw_inputs_and_left_out_where_one_is_not_there(tmp_path: Path) -> None:
    up = "risk_moves = 'up'\n"
    more = derived("a", "limit / score", "A") + up + derived("b", "a * 2 + limit", "B") + up
    found = read(tmp_path, LEAST + more)
    assert [(each.name, each.inputs) for each in found.derived_from(found.features)] == [
        ("a", ("limit", "score")),
        ("b", ("limit", "score")),
    ]
    assert found.derived_from(["limit"]) == ()


def test_a_catalogue_survives_json_and_pickle_and_carries_no_class() -> None:
    assert Catalogue.model_validate_json(CATALOGUE.model_dump_json()) == CATALOGUE
    pickled = pickle.dumps(CATALOGUE)
    assert pickle.loads(pickled) == CATALOGUE  # noqa: S301 - our own
    assert b"Application" not in pickled


def test_the_example_shows_every_field_that_has_one() -> None:
    assert {
        name: entry["example"]
        for name, entry in tomllib.loads((FOLDER / "consorcio.toml").read_text())["fields"].items()
    } == {**EXAMPLE_APPLICATION}


def field(name: str = "x", **changes: Any) -> str:
    """A further field as TOML."""
    entry = {"title": "Outro", "kind": "number", **changes}
    lines = [
        f"{key} = {str(value).lower() if isinstance(value, bool | int) else repr(value)}"
        for key, value in entry.items()
    ]
    return f"\n[fields.{name}]\n" + "\n".join(lines) + "\n"


def derived(name: str = "y", expression: str = "limit * 2", title: str = "Derivado") -> str:
    return f"\n[derived.{name}]\ntitle = '{title}'\nexpression = \"{expression}\"\n"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            field(kind="money"),
            "fields.x.kind: Input should be 'number', 'integer', 'flag', 'category' or 'text', found 'money'",
        ),
        (
            field(colour="red"),
            "fields.x.colour: Extra inputs are not permitted, found 'red'; the known ones are title, ",
        ),
        (
            field(risk_move="up"),
            "fields.x.risk_move: Extra inputs are not permitted, found 'up'; did you mean risk_moves?",
        ),
        (field(at_least=5, at_most=2), "fields.x: its range is upside down: at least 5, at most 2"),
        (field(kind="flag", at_least=0), "fields.x: at_least is for numbers, but kind is 'flag'"),
        (field(kind="category"), "fields.x: a category needs [fields.NAME.values]"),
        (field(values="{}").replace("'{}'", "{ A = 'a' }"), "fields.x: values are for a category"),
        (
            field(kind="category", risk_moves="up") + "values = { A = 'a' }",
            "risk_moves = 'up' is for numbers and flags",
        ),
        (field(kind="text"), "fields.x: a text cannot be a feature"),
        (field(role="envelope"), "role 'envelope' is for application_id alone"),
        (field(role="audit", risk_moves="up"), "an audit field is never scored"),
        (field(required=True), "fields.x: a required field needs an example"),
        (field(title="Limite"), "x: title 'Limite' is that of limit already"),
        (field("LIMIT"), "fields.LIMIT: differs from fields.limit by case"),
        (field("decision"), "fields.decision: the name is used in answers and files already"),
        (field("source_row"), "fields.source_row: the name is used in answers and files already"),
        (field("model_config"), "fields.model_config: the library that checks applications uses the name"),
        (field("copy"), "fields.copy: the library that checks applications uses the name"),
        (field("1x"), "fields.1x: a name has letters, digits and _"),
        (field("sexo"), "fields.sexo, 'Outro': Refused: sex may never enter a credit decision"),
        (field(title="Religião do cliente"), "Refused: religion may never"),
        (field("idade_cliente"), "age never decides (Lei 10.741/2003 art. 96); give it role = 'audit'"),
        (field(title="Idade"), "age never decides"),
        (field("faixa", title="Faixa etária"), "age never decides"),
        (field("birth_date"), "age never decides"),
        (field("marital_status"), "Refused: marital status never decides"),
        (field("race", role="audit"), "Refused: race or ethnic origin"),
        (field(group="nowhere"), "group 'nowhere' is not among no groups at all; add [groups.nowhere]"),
        (field(example="a"), "fields.x.example: Input should be a valid number"),
        (field(above=0, example=0), "fields.x.example: Input should be greater than 0"),
        (derived(expression="__import__('os')"), "derived.y: expression '__import__('os')' is not allowed"),
        (derived(expression="limit / wage"), "uses wage, which is no field; add it to the catalogue or correct"),
        (derived(expression="limits / 2"), "uses limits, which is no field; did you mean limit?"),
        (derived(expression="limit / intent"), "uses intent, a category; only numbers"),
        (derived(expression="y + limit"), "uses y, which is itself, or stands below it"),
        (
            derived(expression="z + limit") + derived("z", "y + limit", "Outro"),
            "uses z, which is itself, or stands below",
        ),
        (field("age", role="audit") + derived(expression="age * 2"), "uses age, an audit field"),
        (
            derived(expression="limit / score"),
            "derived.y: score has risk_moves, which it would undo; give it risk_moves",
        ),
        (derived("limit"), "derived.limit: differs from fields.limit by case at most"),
        (derived(title="Limite"), "y: title 'Limite' is that of limit already"),
        (field(kind="flag") + LEVER, "fields.x.lever: levers are numbers, but kind is 'flag'; remove it"),
        (field(kind="category") + "values = { A = 'a' }\n" + LEVER, "fields.x.lever: levers are numbers"),
        (field(role="audit") + LEVER, "fields.x.lever: an audit field or an age is never a lever"),
        (field("age", title="Idade", role="policy") + LEVER, "fields.age.lever: an audit field or an age is never a"),
        (field(source="SCR") + LEVER, "fields.x.lever: source is 'SCR', which the client cannot change; remove it"),
        (field() + LEVER.replace("9", "1"), "fields.x.lever: its range is upside down: at least 1, at most 1"),
        (field(kind="integer") + LEVER.replace("9", "9.5"), "so at_least, at_most and step are whole numbers"),
        (field(at_most=8) + LEVER, "fields.x.lever: from 1 to 9 leaves the field's own range; narrow it"),
        (field(above=1) + LEVER, "fields.x.lever: from 1 to 9 leaves the field's own range; narrow it"),
        (field(at_least=2) + LEVER, "fields.x.lever: from 1 to 9 leaves the field's own range; narrow it"),
        (field() + LEVER.replace("step = 1", "step = 0"), "fields.x.lever.step: Input should be greater than or equal"),
        (field() + "lever = true", "fields.x.lever: Input should be a valid dictionary or instance of Lever"),
        ('[groups.g]\ntitle = "G"\nweak = "g"', "groups.g.missing: Field required"),
    ],
)
def test_a_fault_names_the_entry_the_value_and_the_way_out(tmp_path: Path, more: str, said: str) -> None:
    assert said in refused(tmp_path, LEAST + more)


def test_an_exposure_has_to_be_a_number_that_is_always_there_and_above_0(tmp_path: Path) -> None:
    assert "exposure: nothing is no field" in refused(tmp_path, 'exposure = "nothing"' + LEAST)
    assert "exposure: score must be a number that is required" in refused(tmp_path, 'exposure = "score"' + LEAST)
    assert "exposure: limit must be a number that is required and above 0" in refused(
        tmp_path, 'exposure = "limit"' + LEAST
    )
    assert (
        read(tmp_path, 'exposure = "limit"' + LEAST.replace('title = "Limite"', 'title = "Limite"\nabove = 0')).exposure
        == "limit"
    )


def test_all_faults_are_named_at_once_a_line_each(tmp_path: Path) -> None:
    said = refused(tmp_path, LEAST + field("sexo") + field("a", title="Limite") + derived(expression="1 + 1"))
    assert len(said.splitlines()) == 4
    assert said.splitlines()[0] == f"Field catalogue {tmp_path / 'own.toml'}:"


def test_ten_thousand_fields_are_refused_in_one_line(tmp_path: Path) -> None:
    many = "".join(f'[fields.f{number}]\ntitle = "F {number}"\nkind = "number"\n' for number in range(10_000))
    assert "fields: 10,000 of them; 500 are allowed" in refused(tmp_path, 'name = "own"\n' + many)


def test_very_many_faults_are_counted(tmp_path: Path) -> None:
    many = "".join(field(f"f{number}", title="Same") for number in range(100))
    assert refused(tmp_path, LEAST + many).splitlines()[-1] == "  and 79 more"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff", "not valid TOML"),
        (b"[fields", "not valid TOML"),
        (b"", "name: Field required"),
        (b"name = 'x'\nfields = 3", "fields: Input should be a valid dictionary"),
        (b"name = 'x'\n[fields]\na = 1", "fields.a: Input should be a valid dictionary"),
        (b"#" * (MAX_BYTES + 1), "larger than"),
    ],
)
def test_a_file_that_is_no_catalogue_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(content)
    with pytest.raises(CatalogueError, match=said):
        Catalogue.read(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"nowhere\.toml: cannot be read"):
        Catalogue.read(tmp_path / "nowhere.toml")


def test_a_field_can_be_freed_of_its_direction() -> None:
    found = freed(CATALOGUE, ["monthly_income", "instalment_over_income"])
    assert found.fields["monthly_income"].risk_moves is None
    assert found.derived["instalment_over_income"].risk_moves is None
    assert CATALOGUE.fields["monthly_income"].risk_moves == "down"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["housing"], "--free housing: no field with risk_moves; expected one of monthly_income, "),
        (["letter"], "--free letter: no field with risk_moves"),
        (["monthly_incme"], "--free monthly_incme: no field with risk_moves; did you mean monthly_income?"),
        (
            ["debt_over_assets"],
            "--free: derived.debt_over_assets: outstanding_debt has risk_moves, which it would undo",
        ),
    ],
)
def test_what_cannot_be_freed_is_named(names: list[str], said: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        freed(CATALOGUE, names)
    assert said in str(caught.value)
