"""What a foreign file's columns seem to hold."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from credit_scoring.data.profile import Column, profile
from credit_scoring.errors import DataError

ROWS = 400


def written(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "carteira.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.fixture(scope="module")
def brazilian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as a Brazilian system exports it."""
    generator = np.random.default_rng(1)
    bad = generator.random(ROWS) < 0.3
    income = generator.integers(1_000, 9_000, ROWS)
    rows = pd.DataFrame(
        {
            "NR_PROPOSTA": np.arange(ROWS) + 17,
            "DT_PROPOSTA": [f"{1 + number % 28:02d}/03/2025" for number in range(ROWS)],
            "Renda Mensal": [f"R$ {each:,}".replace(",", ".") + ",00" for each in income],
            "Escore": [str(each) if each % 7 else "-" for each in generator.integers(0, 1_000, ROWS)],
            "Possui Imóvel": np.where(generator.random(ROWS) < 0.5, "SIM", "NÃO"),
            "UF": generator.choice(["SP", "RJ", "MG"], ROWS),
            "Idade": generator.integers(18, 80, ROWS),
            "SEXO": generator.choice(["F", "M"], ROWS),
            "DIAS_ATRASO_FINAL": np.where(bad, 90 + np.arange(ROWS) % 50, np.arange(ROWS) % 50),
            "OBSERVACAO": [f"texto {number}" for number in range(ROWS)],
            "PAIS": "BR",
            "INADIMPLENTE": np.where(bad, "SIM", "NÃO"),
        }
    )
    path = tmp_path_factory.mktemp("profile") / "carteira.csv"
    rows.to_csv(path, sep=";", index=False, encoding="windows-1252")
    return path


def column(path: Path, name: str) -> Column:
    (found,) = [each for each in profile(path).columns if each.name == name]
    return found


def test_encoding_delimiter_and_decimal_are_found(brazilian: Path) -> None:
    found = profile(brazilian)
    assert (found.layout.encoding, found.layout.delimiter, found.layout.decimal) == ("windows-1252", ";", ",")
    assert (found.rows, found.missing) == (ROWS, ("", "-"))


def test_the_outcome_is_told_by_its_name_and_its_two_values(brazilian: Path) -> None:
    found = profile(brazilian)
    assert (found.target, found.outcomes) == ("INADIMPLENTE", ("NÃO", "SIM"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("Renda Mensal", "integer"), ("Escore", "integer"), ("Possui Imóvel", "flag"), ("UF", "category")],
)
def test_a_column_s_kind_is_told_by_its_values(brazilian: Path, name: str, kind: str) -> None:
    found = column(brazilian, name)
    assert (found.kind, found.left_out) == (kind, None)


def test_the_share_that_is_missing_is_told(brazilian: Path) -> None:
    texts = pd.read_csv(brazilian, sep=";", encoding="windows-1252", dtype=str, keep_default_na=False)["Escore"]
    assert column(brazilian, "Escore").missing_share == pytest.approx((texts == "-").mean())


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("NR_PROPOSTA", "an id"),
        ("DT_PROPOSTA", "a date"),
        ("SEXO", "Refused: sex "),
        ("DIAS_ATRASO_FINAL", "tells the outcome by itself"),
        ("OBSERVACAO", "different texts"),
        ("PAIS", "one value at most"),
    ],
)
def test_what_is_no_field_is_left_out_with_the_reason(brazilian: Path, name: str, why: str) -> None:
    assert why in (column(brazilian, name).left_out or "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "0 columns"),
        ("a,b\n", "no rows below the header"),
        ("a,b\n1,2\n1,3\n2,3\n", "which column is the outcome? Name it with --target. With two values: a, b"),
        ("a,a\n1,2\n", "more than one column is named a"),
        ("12,34\n1,2\n", "first line is no list"),
        ('a,b\n"1,2\n', "not CSV"),
        ("only\n1\n", "1 columns"),
    ],
)
def test_a_file_that_is_no_history_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        profile(written(tmp_path, text))
    assert said in str(caught.value)


def test_a_target_that_is_none_is_refused(brazilian: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column SITUACAO, which --target names"):
        profile(brazilian, "SITUACAO")
    with pytest.raises(DataError, match="column UF does not have two values"):
        profile(brazilian, "UF")
    with pytest.raises(DataError, match=r"nowhere\.csv: cannot be read"):
        profile(tmp_path / "nowhere.csv")
