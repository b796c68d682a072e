"""A drafted catalogue and mapping: read without a fault, and every row of the file with them."""

from pathlib import Path

import pytest

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.data.datasets import Dataset, load_csv
from credit_scoring.data.draft import catalogue_of, mapping_of
from credit_scoring.data.profile import profile
from tests.data.test_profile import ROWS, brazilian, written

__all__ = ["brazilian"]


def drafted(history: Path, folder: Path) -> Dataset:
    found = profile(history)
    (folder / "fields.toml").write_text(catalogue_of(found, history.stem), encoding="utf-8")
    (folder / "mapping.toml").write_text(mapping_of(found), encoding="utf-8")
    return load_csv(history, Catalogue.read(folder / "fields.toml"), folder / "mapping.toml")


def test_every_row_of_the_file_is_read_with_the_draft(brazilian: Path, tmp_path: Path) -> None:
    found = drafted(brazilian, tmp_path)
    assert (len(found.frame), found.bad_rows, found.unused_columns) == (ROWS, (), ())
    assert found.features == ("renda_mensal", "escore", "possui_imovel", "uf")
    assert found.catalogue.audit_fields == ("idade",)


def test_values_are_what_the_file_means(brazilian: Path, tmp_path: Path) -> None:
    first = drafted(brazilian, tmp_path).frame.iloc[0]
    line = brazilian.read_text(encoding="windows-1252").splitlines()[1].split(";")
    assert f"R$ {first['renda_mensal']:,.0f}".replace(",", ".") + ",00" == line[2]
    assert first["possui_imovel"] == (line[4] == "SIM")
    assert first["uf"] == line[5]


def test_names_that_would_clash_are_told_apart(tmp_path: Path) -> None:
    header = "Valor,VALOR,threshold,9 dias,copy,,default"
    rows = "".join(f"{n % 5}.5,{n % 7}.5,{n % 9}.5,{n % 3}.5,{n % 4}.5,{n},{n % 2}\n" for n in range(200))
    found = drafted(written(tmp_path, f"{header}\n{rows}"), tmp_path)
    assert found.features == ("valor", "valor_2", "threshold_2", "x_9_dias", "copy_2")
    assert [field.title for field in found.catalogue.fields.values()][:2] == ["Valor", "Valor 2"]


def test_numbers_that_are_not_finite_are_no_example(tmp_path: Path) -> None:
    rows = "".join(f"{'inf' if n == 7 else n % 5}.5,{n % 2}\n".replace("inf.5", "inf") for n in range(400))
    found = profile(written(tmp_path, f"valor,default\n{rows}"))
    assert found.columns[0].numbers == (0.5, 2.5)


@pytest.mark.parametrize("text", ['quo"te', "back\\slash", "ação", "del\x7f", "tab\there"])
def test_any_text_may_be_a_category(tmp_path: Path, text: str) -> None:
    quoted = text.replace('"', '""')
    rows = "".join(f'"{quoted if n % 3 else "other"}",{n % 2}\n' for n in range(200))
    found = drafted(written(tmp_path, f"kind,default\n{rows}"), tmp_path)
    assert set(found.frame["kind"]) == {text, "other"}


def test_ages_and_births_under_their_usual_names_are_for_audits_only(tmp_path: Path) -> None:
    rows = "".join(f"{n % 5}.5,{'18 a 25' if n % 3 else '26 a 40'},{1960 + n % 30},{n % 2}\n" for n in range(400))
    found = drafted(written(tmp_path, f"valor,faixa_etaria,ano_nascimento,default\n{rows}"), tmp_path)
    assert found.features == ("valor",)
    assert found.catalogue.audit_fields == ("faixa_etaria", "ano_nascimento")
