"""`credit-scoring fields …` as its users run it."""

from pathlib import Path

import pytest

from benchmarks.support.consorcio import FIELDS
from credit_scoring.application.catalogue import SHIPPED, Catalogue
from tests.data.test_profile import brazilian
from tests.support.command_line import error_here, run_here

__all__ = ["brazilian"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_catalogue_is_shown_field_by_field(name: str) -> None:
    found = run_here("fields", "show", name)
    assert found.exit_code == 0
    assert "missing counts as" in found.stdout


def test_a_stored_model_shows_the_fields_that_it_was_trained_with(model_tag: str) -> None:
    found = run_here("fields", "show", model_tag)
    assert all(name in found.stdout for name in FIELDS if name != "application_id")


def test_what_is_shown_as_toml_can_be_changed_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(run_here("fields", "show", "--toml").stdout, encoding="utf-8")
    found = run_here("fields", "check", path)
    assert found.exit_code == 0
    assert "consorcio: 13 fields for the model, 12 derived, 2 for rules or audits. Nothing is wrong" in found.stderr
    path.write_text(path.read_text(encoding="utf-8").replace('kind = "flag"', 'kind = "money"'), encoding="utf-8")
    assert "fields.has_negative_record.kind: Input should be" in error_here("fields", "check", path)


def test_a_draft_is_two_files_and_the_command_that_trains_with_them(brazilian: Path, tmp_path: Path) -> None:
    found = run_here("fields", "draft", brazilian, "-o", tmp_path / "own")
    assert found.exit_code == 0
    assert "left out SEXO: Refused: sex" in found.stderr
    assert "Outcome: INADIMPLENTE, where SIM means default." in found.stderr
    assert found.stdout.startswith(f"credit-scoring train --source csv --path {brazilian} --fields ")
    assert Catalogue.read(tmp_path / "own" / "fields.toml").name == "carteira"
    command = found.stdout.split()[2:]
    checked = run_here("data", *command)
    assert checked.exit_code == 0
    assert "4 feature fields" in checked.stderr


def test_a_draft_overwrites_nothing(brazilian: Path, tmp_path: Path) -> None:
    (tmp_path / "fields.toml").write_text("mine", encoding="utf-8")
    assert "fields.toml is there already" in error_here("fields", "draft", brazilian, "-o", tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["fields.toml"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["fields", "show", "nowhere.toml"], "nowhere.toml: cannot be read"),
        (["fields", "show", "credit_scoring:nothing"], "No model credit_scoring:nothing"),
        (["fields", "show", "own.toml", "--toml"], "--toml: own.toml is not shipped; expected consorcio or kaggle"),
        (["fields", "check", "nowhere.toml"], "nowhere.toml: cannot be read"),
        (["fields", "draft", "nowhere.csv"], "nowhere.csv: cannot be read"),
        (["data", "--source", "kaggle", "--fields", "own.toml"], "the source kaggle has its own fields"),
    ],
)
def test_wrong_input_is_named_with_the_way_out(command: list[str], said: str) -> None:
    assert said in error_here(*command)


def test_data_shows_each_field_with_its_default_rates() -> None:
    found = run_here("data")
    assert found.exit_code == 0
    assert "missing 57.0%" in found.stdout
    assert "no 22.4%, yes 55.5%" in found.stdout


def test_every_bad_row_is_listed_in_a_file_even_where_there_are_too_many(tmp_path: Path) -> None:
    lines = [f"{1000 + i},{17 if i % 2 else 40},{('PAID', 'DEFAULTED')[i % 3 % 2]}" for i in range(400)]
    (tmp_path / "own.csv").write_text("\n".join(["credit_letter_value,age,outcome", *lines, ""]), encoding="utf-8")
    listed = tmp_path / "bad.csv"
    said = error_here("data", "--source", "csv", "--path", tmp_path / "own.csv", "--bad-rows", listed)
    assert "200 of 400 rows are bad" in said
    rows = listed.read_text(encoding="utf-8").splitlines()
    assert rows[:2] == ["line,column,problem", "3,age,Input should be greater than or equal to 18"]
    assert len(rows) == 201


def test_a_file_without_a_single_good_row_is_told_by_its_bad_ones(tmp_path: Path) -> None:
    lines = [f"{1000 + i},17,{('PAID', 'DEFAULTED')[i % 2]}" for i in range(200)]
    (tmp_path / "own.csv").write_text("\n".join(["credit_letter_value,age,outcome", *lines, ""]), encoding="utf-8")
    listed = tmp_path / "bad.csv"
    said = error_here("data", "--source", "csv", "--path", tmp_path / "own.csv", "--bad-rows", listed)
    assert "200 of 200 rows are bad" in said
    assert "age: Input should be greater than or equal to 18" in said
    assert len(listed.read_text(encoding="utf-8").splitlines()) == 201


def test_a_file_for_bad_rows_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    assert "--bad-rows" in error_here("data", "--bad-rows", tmp_path / "nowhere" / "bad.csv")


def test_a_direction_that_is_none_cannot_be_freed() -> None:
    assert "--free housing: no field with risk_moves" in error_here("train", "--free", "housing")


def test_a_draft_asks_for_what_it_cannot_tell_and_takes_the_answer(tmp_path: Path) -> None:
    history, layout = tmp_path / "history.csv", tmp_path / "layout.toml"
    rows = "".join(f"{n % 9 + 1}.{n % 7}00;{n % 2}\n" for n in range(200))
    history.write_text(f"valor;inadimplente\n{rows}", encoding="utf-8")
    said = error_here("fields", "draft", history, "-o", tmp_path / "own")
    assert 'decimal = "," or decimal = "."' in said
    assert not (tmp_path / "own").exists()
    layout.write_text('decimal = ","', encoding="utf-8")
    found = run_here("fields", "draft", history, "--mapping", layout, "-o", tmp_path / "own")
    assert found.exit_code == 0, found.output
    assert 'decimal = ","' in (tmp_path / "own" / "mapping.toml").read_text(encoding="utf-8")
    assert "example = 5300" in (tmp_path / "own" / "fields.toml").read_text(encoding="utf-8")


def test_data_says_how_the_file_was_read(tmp_path: Path) -> None:
    lines = [f"{1000 + i},50;{('PAID', 'DEFAULTED')[i % 2]};própria" for i in range(200)]
    text = "\n".join(["credit_letter_value;outcome;situação", *lines, ""])
    (tmp_path / "own.csv").write_bytes(text.encode("latin-1"))
    found = run_here("data", "--source", "csv", "--path", tmp_path / "own.csv")
    assert found.exit_code == 0, found.output
    assert "read as encoding windows-1252, delimiter semicolon, decimal comma" in found.stdout
