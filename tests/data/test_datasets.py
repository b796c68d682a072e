"""Data sources: what is read, what is left out and why, and what stops the run."""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.support.consorcio import AUDIT_FIELDS, CATALOGUE, FIELDS
from credit_scoring.application.catalogue import shipped
from credit_scoring.data.datasets import (
    EMBEDDED_FILE,
    MIN_ROWS_PER_OUTCOME,
    BadRow,
    Dataset,
    load_csv,
    load_embedded,
    load_kaggle,
    summarise,
)
from credit_scoring.errors import DataError
from credit_scoring.settings import PROJECT_FOLDER
from tests.support.kaggle import KAGGLE_CSV

HEADER = "credit_letter_value,age,monthly_income,housing,outcome"
TELL_TALE = "98765432"


def _good_rows(count: int = 200) -> list[str]:
    outcomes = ("PAID", "DEFAULTED")
    return [f"{1000 + i},{20 + i % 40},{500 + i},OWNER,{outcomes[i % 2]}" for i in range(count)]


def _file(folder: Path, lines: Iterable[str], header: str = HEADER, encoding: str = "utf-8") -> Path:
    path = folder / "applications.csv"
    path.write_bytes("\n".join([header, *lines, ""]).encode(encoding))
    return path


def _mapping(folder: Path, text: str) -> Path:
    path = folder / "mapping.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _first_row(dataset: Dataset) -> dict[str, object]:
    row = dataset.frame.iloc[0]
    return {str(name): value for name, value in row.items() if not pd.isna(value)}


@pytest.fixture(scope="module")
def kaggle() -> Dataset:
    if not KAGGLE_CSV.exists():
        pytest.skip(f"KAGGLE DATA ABSENT, kaggle source not tested: no {KAGGLE_CSV.name} in {KAGGLE_CSV.parent}")
    return load_kaggle(KAGGLE_CSV)


class TestEmbedded:
    def test_it_has_4454_applications_of_which_28_2_per_cent_defaulted(self, dataset: Dataset) -> None:
        assert len(dataset.frame) == len(dataset.defaulted) == 4454
        assert round(float(dataset.defaulted.mean()), 3) == 0.282

    def test_its_median_income_is_3000_reais(self, dataset: Dataset) -> None:
        assert dataset.frame["monthly_income"].median() == 3000

    def test_every_row_of_it_is_good(self, dataset: Dataset) -> None:
        assert dataset.bad_rows == ()
        assert dataset.unused_columns == ()

    def test_its_missing_values_stay_missing(self, dataset: Dataset) -> None:
        missing = dataset.frame.isna().sum()
        fields = ("monthly_income", "assets_value", "outstanding_debt", "job_type", "marital_status")
        assert [missing[name] for name in fields] == [381, 47, 18, 2, 1]

    def test_home_ignore_means_missing(self, dataset: Dataset) -> None:
        assert dataset.frame["housing"].isna().sum() == 6 + 20

    def test_its_first_row_is_what_the_file_says(self, dataset: Dataset) -> None:
        assert _first_row(dataset) == {
            "job_tenure_years": 9,
            "housing": "RENT",
            "term_months": 60,
            "age": 30,
            "marital_status": "MARRIED",
            "has_negative_record": 0,
            "job_type": "SELF_EMPLOYED",
            "monthly_expenses": 73 * 24,
            "monthly_income": 129 * 24,
            "assets_value": 0,
            "outstanding_debt": 0,
            "credit_letter_value": 800 * 24,
            "good_value": 846 * 24,
        }
        assert not dataset.defaulted[0]

    def test_fields_that_it_does_not_have_are_no_features(self, dataset: Dataset) -> None:
        assert {"good_type", "credit_history_years"}.isdisjoint(dataset.features)
        assert set(AUDIT_FIELDS).isdisjoint(dataset.features)

    def test_its_note_says_that_it_is_demo_data(self, dataset: Dataset) -> None:
        assert "Spanish" in dataset.note
        assert "pesetas" in dataset.note

    def test_the_licence_lies_beside_it(self) -> None:
        texts = [path.read_text(encoding="utf-8") for path in (PROJECT_FOLDER / "data" / "raw").glob("*[!v]")]
        assert any("Permission is hereby granted" in text and "Max Kuhn" in text for text in texts)

    def test_a_changed_file_is_refused_with_the_way_back(self, tmp_path: Path) -> None:
        path = tmp_path / EMBEDDED_FILE
        path.parent.mkdir(parents=True)
        path.write_bytes((PROJECT_FOLDER / "data" / EMBEDDED_FILE).read_bytes() + b"\n")
        with pytest.raises(DataError, match=r"its sha256 is [0-9a-f]{12}…, expected 64984b2aff14…\. Restore it"):
            load_embedded(tmp_path)

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"credit_data\.csv: cannot be read"):
            load_embedded(tmp_path)


class TestKaggle:
    def test_every_row_of_the_file_is_either_read_or_reported(self, kaggle: Dataset) -> None:
        assert len(kaggle.frame) + len({bad.line for bad in kaggle.bad_rows}) == 32_581
        assert round(float(kaggle.defaulted.mean()), 3) == 0.218

    def test_impossible_ages_and_tenures_are_reported_with_their_column_and_count(self, kaggle: Dataset) -> None:
        assert summarise(kaggle.bad_rows) == [
            "person_age: Input should be less than or equal to 120 (5 rows; lines 83, 185, 577, 749, 32299)",
            "person_emp_length: Input should be less than or equal to 60 (2 rows; lines 2, 212)",
        ]

    def test_all_that_the_file_has_but_the_lender_s_price_is_read(self, kaggle: Dataset) -> None:
        second_line_is_bad_so_the_first_row_is_line_3 = _first_row(kaggle)
        assert second_line_is_bad_so_the_first_row_is_line_3 == {
            "loan_amount": 1000,
            "loan_intent": "EDUCATION",
            "annual_income": 9600,
            "home_ownership": "OWN",
            "employment_years": 5,
            "default_on_file": 0,
            "credit_history_years": 2,
            "age": 21,
        }

    def test_the_lender_s_own_risk_price_is_left_out(self, kaggle: Dataset) -> None:
        assert kaggle.unused_columns == ()
        assert set(kaggle.frame.columns) == set(shipped("kaggle").fields)

    def test_repeated_rows_are_counted_and_kept(self, kaggle: Dataset) -> None:
        assert kaggle.duplicates >= 165

    def test_a_foreign_file_is_refused_by_its_columns_with_what_was_expected(self, tmp_path: Path) -> None:
        expected = r"no column cb_person_cred_hist_length, .*loan_status.*Is it credit_risk_dataset\.csv of laotse/"
        with pytest.raises(DataError, match=f"source kaggle: {expected}"):
            load_kaggle(_file(tmp_path, _good_rows()))

    def test_a_first_line_that_holds_a_client_twice_is_not_taken_for_names(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"the first line is no list of column names\. Put one above") as caught:
            load_csv(_file(tmp_path, _good_rows(), header=f"{TELL_TALE},{TELL_TALE}"), CATALOGUE)
        assert TELL_TALE not in str(caught.value)


class TestOwnNames:
    def test_a_file_with_the_field_names_of_the_api_needs_no_mapping(self, tmp_path: Path) -> None:
        found = load_csv(_file(tmp_path, _good_rows()), CATALOGUE)
        assert found.source == "csv:applications.csv"
        assert found.features == ("credit_letter_value", "monthly_income", "housing")
        assert (len(found.frame), int(found.defaulted.sum())) == (200, 100)
        assert _first_row(found) == {
            "credit_letter_value": 1000,
            "age": 20,
            "monthly_income": 500,
            "housing": "OWNER",
        }

    def test_numbers_and_flags_are_floats_and_categories_text_or_none(self, tmp_path: Path) -> None:
        frame = load_csv(_file(tmp_path, [*_good_rows(), "1,40,,,PAID"]), CATALOGUE).frame
        numeric = [name for name in frame if FIELDS[str(name)].is_numeric]
        assert {str(frame[name].dtype) for name in numeric} == {"float64"}
        assert frame["housing"].iloc[-1] is None
        assert np.isnan(frame["monthly_income"].iloc[-1])

    def test_audit_fields_may_be_absent_from_the_file(self, tmp_path: Path) -> None:
        rows = [f"{1000 + i},{'PAID' if i % 2 else 'DEFAULTED'}" for i in range(200)]
        found = load_csv(_file(tmp_path, rows, header="credit_letter_value,outcome"), CATALOGUE)
        assert (len(found.frame), found.bad_rows) == (200, ())

    def test_further_columns_are_named_as_not_used(self, tmp_path: Path) -> None:
        rows = [f"{row},F,7" for row in _good_rows()]
        found = load_csv(_file(tmp_path, rows, header=f"{HEADER},sexo,application_id"), CATALOGUE)
        assert found.unused_columns == ("sexo",)
        assert "sexo" not in found.frame

    def test_windows_line_ends_and_a_byte_order_mark_change_nothing(self, tmp_path: Path) -> None:
        plain = load_csv(_file(tmp_path, _good_rows()), CATALOGUE)
        path = tmp_path / "windows.csv"
        path.write_bytes("\r\n".join([HEADER, *_good_rows()]).encode("utf-8-sig"))
        windows = load_csv(path, CATALOGUE)
        pd.testing.assert_frame_equal(windows.frame, plain.frame)
        assert (windows.defaulted == plain.defaulted).all()

    def test_the_hash_is_that_of_the_file(self, tmp_path: Path) -> None:
        path = _file(tmp_path, _good_rows())
        first = load_csv(path, CATALOGUE).sha256
        path.write_bytes(path.read_bytes() + b"\n")
        assert re.fullmatch("[0-9a-f]{64}", first)
        assert load_csv(path, CATALOGUE).sha256 != first


class TestMappingFile:
    def test_a_mapping_file_without_the_letter_s_value_is_told_what_line_it_lacks(self, tmp_path: Path) -> None:
        mapping = _mapping(tmp_path, '[columns]\nage = "age"')
        with pytest.raises(DataError) as caught:
            load_csv(_file(tmp_path, _good_rows()), CATALOGUE, mapping)
        assert str(caught.value) == (
            f"Mapping file {mapping}: no column for credit_letter_value, which every application has. Add "
            'credit_letter_value = "…", the column that holds it, under [columns].'
        )

    def test_a_column_that_the_mapping_file_names_and_the_data_lack_sends_one_to_the_mapping(
        self, tmp_path: Path
    ) -> None:
        mapping = _mapping(tmp_path, '[columns]\ncredit_letter_value = "carta"')
        with pytest.raises(DataError, match="no column carta; found credit_letter_value, age") as caught:
            load_csv(_file(tmp_path, _good_rows()), CATALOGUE, mapping)
        assert str(caught.value).endswith(f"Correct the mapping file {mapping}.")
        assert "--mapping" not in str(caught.value)

    TEXT = """
        note = "Carteira própria."
        encoding = "latin-1"
        delimiter = ";"
        decimal = ","
        ignore = ["cpf"]
        [target]
        column = "situação"
        defaulted = ["inadimplente"]
        paid = ["quitado"]
        [columns]
        credit_letter_value = "carta"
        monthly_income = "renda anual"
        housing = "moradia"
        [factors]
        monthly_income = 0.08333333333333333
        [values.housing]
        "própria" = "OWNER"
        "não informada" = ""
        """
    HEADER = "cpf;carta;renda anual;moradia;situação"

    def _load(self, folder: Path, rows: list[str]) -> Dataset:
        path = _file(folder, rows, self.HEADER, encoding="latin-1")
        return load_csv(path, CATALOGUE, _mapping(folder, self.TEXT))

    def _rows(self) -> list[str]:
        outcomes = ("quitado", "inadimplente")
        return [f"{i};24.000,50;36.000,00;própria;{outcomes[i % 2]}" for i in range(200)]

    def test_a_brazilian_file_is_read_with_its_semicolons_commas_and_accents(self, tmp_path: Path) -> None:
        found = self._load(tmp_path, self._rows())
        assert _first_row(found) == {
            "credit_letter_value": 24_000.5,
            "monthly_income": pytest.approx(3000),
            "housing": "OWNER",
        }
        assert found.defaulted.sum() == 100
        assert found.note == "Carteira própria."
        assert found.unused_columns == ()

    def test_a_bad_row_is_reported_with_the_column_name_of_the_file(self, tmp_path: Path) -> None:
        found = self._load(tmp_path, [*self._rows(), "1;24.000,50;muito;própria;quitado"])
        assert found.bad_rows == (BadRow(202, "renda anual", "Input should be a valid number"),)

    def test_a_target_value_that_is_neither_is_reported_with_what_was_expected(self, tmp_path: Path) -> None:
        found = self._load(tmp_path, [*self._rows(), "1;24.000,50;1,00;própria;em dia"])
        assert found.bad_rows == (BadRow(202, "situação", "Outcome should be one of inadimplente, quitado"),)

    def test_a_column_that_the_mapping_names_but_the_file_lacks_is_named(self, tmp_path: Path) -> None:
        path = _file(tmp_path, self._rows(), self.HEADER.replace("moradia", "casa"), encoding="latin-1")
        with pytest.raises(DataError, match=r"applications\.csv: no column moradia; found cpf, carta"):
            load_csv(path, CATALOGUE, _mapping(tmp_path, self.TEXT))

    def test_the_wrong_encoding_is_answered_with_where_to_name_the_right_one(self, tmp_path: Path) -> None:
        path = _file(tmp_path, self._rows(), self.HEADER, encoding="latin-1")
        with pytest.raises(DataError, match=r"not readable as utf-8.*encoding = "):
            load_csv(path, CATALOGUE, _mapping(tmp_path, self.TEXT.replace("latin-1", "utf-8")))

    def test_an_encoding_that_does_not_exist_is_refused(self, tmp_path: Path) -> None:
        path = _file(tmp_path, self._rows(), self.HEADER)
        with pytest.raises(DataError, match="not readable as latin-one"):
            load_csv(path, CATALOGUE, _mapping(tmp_path, self.TEXT.replace("latin-1", "latin-one")))


class TestBadRows:
    @pytest.mark.parametrize(
        ("row", "column", "problem"),
        [
            ("-5,40,500,OWNER,PAID", "credit_letter_value", "greater than 0"),
            (",40,500,OWNER,PAID", "credit_letter_value", "required"),
            ("mil,40,500,OWNER,PAID", "credit_letter_value", "valid number"),
            ("nan,40,500,OWNER,PAID", "credit_letter_value", "finite"),
            ("1e999,40,500,OWNER,PAID", "credit_letter_value", "finite"),
            ("1000,17,500,OWNER,PAID", "age", "greater than or equal to 18"),
            ("1000,40.5,500,OWNER,PAID", "age", "valid integer"),
            ("1000,40,500,CASTLE,PAID", "housing", "'OWNER'"),
            ("1000,40,500,OWNER,paid", "outcome", "should be one of DEFAULTED, PAID"),
            ("1000,40,500,OWNER,", "outcome", "should be one of DEFAULTED, PAID"),
            ("1000,40,500,OWNER", "(row)", "fewer cells"),
            ("1000,40,500,OWNER,PAID,1", "(row)", "more cells"),
        ],
    )
    def test_a_bad_row_is_left_out_with_its_line_column_and_problem(
        self, tmp_path: Path, row: str, column: str, problem: str
    ) -> None:
        rows = _good_rows()
        found = load_csv(_file(tmp_path, [*rows[:50], row, *rows[50:]]), CATALOGUE)
        (bad,) = found.bad_rows
        assert (bad.line, bad.column) == (52, column)
        assert problem in bad.problem
        assert len(found.frame) == len(found.defaulted) == 200

    def test_every_problem_of_a_row_is_reported_and_the_row_counted_once(self, tmp_path: Path) -> None:
        found = load_csv(_file(tmp_path, [*_good_rows(), "-5,17,x,CASTLE,?"]), CATALOGUE)
        assert {bad.column for bad in found.bad_rows} == set(HEADER.split(","))
        assert {bad.line for bad in found.bad_rows} == {202}

    def test_a_line_break_inside_a_cell_does_not_shift_the_line_numbers(self, tmp_path: Path) -> None:
        rows = [f"{row},ok" for row in _good_rows()]
        rows[3] = rows[3].replace(",ok", ',"first\nsecond\nthird"')
        found = load_csv(
            _file(tmp_path, [*rows[:10], "0,40,500,OWNER,PAID,ok", *rows[10:]], header=f"{HEADER},remark"), CATALOGUE
        )
        text = (tmp_path / "applications.csv").read_text(encoding="utf-8").splitlines()
        (bad,) = found.bad_rows
        assert text[bad.line - 1].startswith("0,40")

    def test_blank_lines_are_no_rows_and_do_not_shift_the_line_numbers(self, tmp_path: Path) -> None:
        found = load_csv(_file(tmp_path, ["", "", *_good_rows(), "", "0,40,500,OWNER,PAID"]), CATALOGUE)
        assert [bad.line for bad in found.bad_rows] == [205]
        assert len(found.frame) == 200

    @pytest.mark.parametrize("column", range(5))
    def test_no_report_contains_the_value(self, tmp_path: Path, column: int) -> None:
        cells = ["1000", "40", "500", "OWNER", "PAID"]
        cells[column] = f"-{TELL_TALE}" if column < 3 else TELL_TALE
        found = load_csv(_file(tmp_path, [*_good_rows(), ",".join(cells)]), CATALOGUE)
        assert len(found.bad_rows) == 1
        assert TELL_TALE not in f"{found.bad_rows} {summarise(found.bad_rows)}"

    def test_the_error_over_too_many_bad_rows_contains_no_value_either(self, tmp_path: Path) -> None:
        rows = [f"-{TELL_TALE},{TELL_TALE},{TELL_TALE}x,{TELL_TALE},{TELL_TALE}"] * 10
        with pytest.raises(DataError) as caught:
            load_csv(_file(tmp_path, [*_good_rows(), *rows]), CATALOGUE)
        assert TELL_TALE not in str(caught.value)

    def test_too_many_bad_rows_stop_the_run_with_their_count_and_first_lines(self, tmp_path: Path) -> None:
        path = _file(tmp_path, ["0,40,500,OWNER,PAID"] * 7 + _good_rows())
        with pytest.raises(DataError) as caught:
            load_csv(path, CATALOGUE)
        assert str(caught.value).splitlines() == [
            "Data of source csv:applications.csv: 7 of 207 rows are bad, more than --max-bad-share 0.01 allows:",
            "  credit_letter_value: Input should be greater than 0 (7 rows; lines 2, 3, 4, 5, 6, …)",
            "Fix the file or its mapping, or allow a larger share.",
        ]

    def test_a_larger_share_can_be_allowed(self, tmp_path: Path) -> None:
        path = _file(tmp_path, ["0,40,500,OWNER,PAID"] * 50 + _good_rows(150))
        assert len(load_csv(path, CATALOGUE, max_bad_share=0.25).frame) == 150
        with pytest.raises(DataError, match="50 of 200 rows are bad"):
            load_csv(path, CATALOGUE, max_bad_share=0.2499)

    def test_with_no_share_allowed_one_bad_row_stops_the_run(self, tmp_path: Path) -> None:
        path = _file(tmp_path, [*_good_rows(), "0,40,500,OWNER,PAID"])
        with pytest.raises(DataError, match="1 of 201 rows are bad"):
            load_csv(path, CATALOGUE, max_bad_share=0)

    def test_a_quote_that_never_closes_does_not_silently_swallow_the_rows_after_it(self, tmp_path: Path) -> None:
        rows = _good_rows(400)
        rows[300] = '"' + rows[300]
        with pytest.raises(DataError):
            load_csv(_file(tmp_path, rows), CATALOGUE)

    @settings(max_examples=30, deadline=None)
    @given(bad=st.sets(st.integers(0, 199), max_size=20))
    def test_the_lines_reported_are_exactly_the_bad_ones(
        self, tmp_path_factory: pytest.TempPathFactory, bad: set[int]
    ) -> None:
        rows = _good_rows()
        lines = ["0" + row if i in bad else row for i, row in enumerate(rows)]
        lines = [row.replace(",OWNER,", ",CASTLE,") if i in bad else row for i, row in enumerate(lines)]
        found = load_csv(_file(tmp_path_factory.mktemp("data"), lines), CATALOGUE, max_bad_share=0.5)
        assert [each.line for each in found.bad_rows] == sorted(i + 2 for i in bad)
        kept = [float(row.split(",")[0]) for i, row in enumerate(rows) if i not in bad]
        assert found.frame["credit_letter_value"].tolist() == kept

    def test_a_summary_shows_the_most_frequent_problems_first(self) -> None:
        bad = [BadRow(2, "age", "too old"), BadRow(3, "housing", "unknown"), BadRow(5, "housing", "unknown")]
        assert summarise(bad) == ["housing: unknown (2 rows; lines 3, 5)", "age: too old (1 rows; lines 2)"]


class TestForeignFiles:
    def test_a_missing_file_is_named_with_the_option_to_check(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"nowhere\.csv: cannot be read \(No such file.*--path"):
            load_csv(tmp_path / "nowhere.csv", CATALOGUE)

    def test_a_folder_is_not_a_file(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="cannot be read"):
            load_csv(tmp_path, CATALOGUE)

    def test_missing_columns_are_named_beside_those_found(self, tmp_path: Path) -> None:
        path = _file(tmp_path, ["1,2"], header="salary,rent")
        with pytest.raises(DataError, match=r"no column credit_letter_value, outcome; found salary, rent.*--mapping"):
            load_csv(path, CATALOGUE)

    def test_a_column_name_that_stands_twice_is_refused(self, tmp_path: Path) -> None:
        rows = [row.replace(",OWNER,", f",{7000 + i},") for i, row in enumerate(_good_rows())]
        header = HEADER.replace("housing", "monthly_income")
        with pytest.raises(DataError, match="monthly_income"):
            load_csv(_file(tmp_path, rows, header=header), CATALOGUE)

    def test_a_file_without_a_header_does_not_show_a_client_s_data(self, tmp_path: Path) -> None:
        path = _file(tmp_path, _good_rows(), header=f"Maria,{TELL_TALE},123.456.789-00,OWNER,PAID")
        with pytest.raises(DataError, match="found a first line that is no list of names") as caught:
            load_csv(path, CATALOGUE)
        assert not re.search(f"Maria|{TELL_TALE}|456", str(caught.value))

    @pytest.mark.parametrize(
        "content",
        [b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe", b"PK\x03\x04\x14\x00\x08\xb6", bytes(range(256)) * 50, b"\xff\xfe"],
    )
    def test_a_binary_file_is_refused(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "image.csv"
        path.write_bytes(content)
        with pytest.raises(DataError, match="Is it a CSV file"):
            load_csv(path, CATALOGUE)

    def test_the_bytes_of_a_binary_file_are_never_shown(self, tmp_path: Path) -> None:
        path = tmp_path / "image.csv"
        path.write_bytes(b"\x1b[2J\x00\x07\x01\x02")
        with pytest.raises(DataError) as caught:
            load_csv(path, CATALOGUE)
        assert str(caught.value).isprintable()

    def test_a_file_in_an_encoding_that_is_not_certain_is_named_and_the_way_out_shown(self, tmp_path: Path) -> None:
        path = _file(tmp_path, [*_good_rows(), "1000,40,500,próprio,PAID"], encoding="cp850")
        with pytest.raises(DataError, match=r"applications\.csv: neither UTF-8 nor .*--mapping.*encoding = \"cp850\""):
            load_csv(path, CATALOGUE)

    def test_an_empty_file_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "empty.csv"
        path.touch()
        with pytest.raises(DataError, match=r"no column .*found nothing"):
            load_csv(path, CATALOGUE)

    def test_a_header_alone_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="no rows below the header"):
            load_csv(_file(tmp_path, []), CATALOGUE)

    def test_a_cell_of_megabytes_is_refused_with_its_line(self, tmp_path: Path) -> None:
        rows = [*_good_rows(), f'1000,40,500,"{"x" * 200_000}",PAID']
        with pytest.raises(DataError, match="line 202: not CSV"):
            load_csv(_file(tmp_path, rows), CATALOGUE)

    def test_a_header_of_megabytes_is_refused(self, tmp_path: Path) -> None:
        path = _file(tmp_path, _good_rows(), header=f'"{"x" * 200_000}",{HEADER}')
        with pytest.raises(DataError):
            load_csv(path, CATALOGUE)

    def test_bare_carriage_returns_are_either_line_ends_or_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "old-mac.csv"
        path.write_bytes("\r".join([HEADER, *_good_rows()]).encode())
        try:
            outcome = f"{len(load_csv(path, CATALOGUE).frame)} rows"
        except DataError as error:
            outcome = str(error)
        assert outcome == "200 rows" or "old-mac.csv" in outcome

    @pytest.mark.parametrize("outcome", ["PAID", "DEFAULTED"])
    def test_a_target_with_one_outcome_only_is_refused(self, tmp_path: Path, outcome: str) -> None:
        rows = [f"1000,40,500,OWNER,{outcome}"] * 200
        with pytest.raises(DataError, match=f"a model needs at least {MIN_ROWS_PER_OUTCOME} of each. Check column"):
            load_csv(_file(tmp_path, rows), CATALOGUE)

    def test_a_target_with_fifty_of_each_outcome_is_enough(self, tmp_path: Path) -> None:
        assert len(load_csv(_file(tmp_path, _good_rows(2 * MIN_ROWS_PER_OUTCOME)), CATALOGUE).frame) == 100
        with pytest.raises(DataError, match="49 rows defaulted and 49 paid"):
            load_csv(_file(tmp_path, _good_rows(2 * MIN_ROWS_PER_OUTCOME - 2)), CATALOGUE)


class TestSplit:
    @given(st.integers(0, 2**32 - 1))
    @settings(max_examples=10, deadline=None)
    def test_both_parts_have_the_same_share_of_defaults(self, dataset: Dataset, seed: int) -> None:
        train, test = dataset.split(0.2, seed)
        assert (len(train.frame), len(test.frame)) == (3563, 891)
        assert test.defaulted.sum() == pytest.approx(0.2 * dataset.defaulted.sum(), abs=1)

    def test_every_row_is_in_exactly_one_part(self, dataset: Dataset) -> None:
        numbered = Dataset(
            dataset.source,
            dataset.sha256,
            dataset.note,
            CATALOGUE,
            dataset.frame.assign(row=np.arange(len(dataset.frame))),
            dataset.defaulted,
            dataset.bad_rows,
            dataset.unused_columns,
        )
        train, test = numbered.split(0.2, 42)
        assert sorted([*train.frame["row"], *test.frame["row"]]) == list(range(4454))
        for part in (train, test):
            assert (part.defaulted == dataset.defaulted[part.frame["row"]]).all()

    def test_the_same_seed_splits_the_same_and_another_otherwise(self, dataset: Dataset) -> None:
        (first, _), (again, _), (other, _) = (dataset.split(0.2, seed) for seed in (1, 1, 2))
        pd.testing.assert_frame_equal(first.frame, again.frame)
        assert not first.frame.equals(other.frame)
