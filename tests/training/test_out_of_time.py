"""The out-of-time split: where the day of each decision is known, a model is tested on clients that came later."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.data.datasets import DECISIONS, MIN_ROWS_IN_TEST, BadRow, Dataset, load_csv, summarise
from credit_scoring.data.mapping import ColumnMapping
from credit_scoring.errors import DataError
from credit_scoring.evaluation.performance import measure
from credit_scoring.evaluation.unseen import unseen_part
from credit_scoring.model.card import DataSummary, ModelCard
from credit_scoring.model.scorer import Scorer
from credit_scoring.training import search as searching
from credit_scoring.training.candidates import CANDIDATE_BY_NAME
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.train import train

FIRST = date(2025, 1, 30)
FIFTH = 0.2
SEED = 42
MAPPING = """
date_column = "dt_proposta"
{more}
[target]
column = "situacao"
defaulted = ["inadimplente"]
paid = ["quitado"]
[columns]
credit_letter_value = "vl_carta"
"""
BRAZILIAN = 'date_format = "%d/%m/%Y"'


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def mapped(folder: Path, days: Sequence[str], more: str = "", max_bad_share: float = 0.01) -> Dataset:
    """A foreign file with a decision on each of these days, the first on line 2, read by its mapping."""
    path, mapping = folder / "carteira.csv", folder / "mapping.toml"
    lines = [f"{written},{1000 + i},{('quitado', 'inadimplente')[i % 2]}" for i, written in enumerate(days)]
    path.write_text("\n".join(["dt_proposta,vl_carta,situacao", *lines, ""]), encoding="utf-8")
    mapping.write_text(MAPPING.format(more=more), encoding="utf-8")
    return load_csv(path, CATALOGUE, mapping, max_bad_share)


def with_own_names(folder: Path, days: Sequence[str]) -> Dataset:
    """The same as a file whose columns bear the names of the API, as `credit-scoring decisions export` writes it."""
    path = folder / "history.csv"
    lines = [f"{written},{1000 + i},30,{('PAID', 'DEFAULTED')[i % 2]}" for i, written in enumerate(days)]
    path.write_text("\n".join(["decided_at,credit_letter_value,age,outcome", *lines, ""]), encoding="utf-8")
    return load_csv(path, CATALOGUE)


def decided(days: Sequence[int], defaulted: Sequence[bool] | None = None) -> Dataset:
    """Numbered decisions on these days; every second one defaulted unless told otherwise."""
    outcomes = [bool(i % 2) for i in range(len(days))] if defaulted is None else defaulted
    return Dataset(
        source="csv:history.csv",
        sha256="as it was",
        note="",
        catalogue=CATALOGUE,
        frame=pd.DataFrame({"row": np.arange(len(days))}),
        defaulted=np.array(outcomes, dtype=np.bool_),
        bad_rows=(),
        unused_columns=(),
        days=np.array([day(each) for each in days], dtype="datetime64[D]"),
    )


def rows(part: Dataset) -> list[int]:
    return [int(each) for each in part.frame["row"]]


def days_of(part: Dataset) -> list[date]:
    assert part.days is not None
    return [each.item() for each in part.days]


# Days in a file


def test_the_day_of_a_decision_is_read_as_the_mapping_writes_it(tmp_path: Path) -> None:
    expected = [day(number) for number in range(120)]
    found = mapped(tmp_path, [f"{each:%d/%m/%Y}" for each in expected], BRAZILIAN)
    assert days_of(found) == expected
    assert found.bad_rows == ()


@pytest.mark.parametrize("written", ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S+00:00", "  %Y-%m-%d "])
def test_without_a_format_a_day_or_a_moment_is_read_as_iso_8601(tmp_path: Path, written: str) -> None:
    expected = [day(number) for number in range(120)]
    assert days_of(mapped(tmp_path, [each.strftime(written) for each in expected])) == expected


def test_a_file_with_the_names_of_the_api_has_its_days_in_decided_at(tmp_path: Path) -> None:
    expected = [day(number) for number in range(120)]
    found = with_own_names(tmp_path, [f"{each}T12:00:00.123456+00:00" for each in expected])
    assert days_of(found) == expected


def test_the_column_of_the_day_is_used_and_no_feature(tmp_path: Path) -> None:
    found = mapped(tmp_path, [str(FIRST)] * 120)
    assert found.unused_columns == ()
    assert found.features == ("credit_letter_value",)


def test_a_mapping_without_a_column_of_the_day_knows_no_days(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    lines = [f"{1000 + i},30,{('PAID', 'DEFAULTED')[i % 2]}" for i in range(120)]
    path.write_text("\n".join(["credit_letter_value,age,outcome", *lines]), encoding="utf-8")
    assert load_csv(path, CATALOGUE).days is None


@pytest.mark.parametrize(
    ("more", "written", "expected"),
    [
        (BRAZILIAN, "2025-01-30", "Not a day as %d/%m/%Y writes it"),
        (BRAZILIAN, "31/02/2025", "Not a day as %d/%m/%Y writes it"),
        (BRAZILIAN, "", "Not a day as %d/%m/%Y writes it"),
        ("", "30/01/2025", "Not a day as ISO 8601 writes it"),
        ("", "NA", "Not a day as ISO 8601 writes it"),
    ],
)
def test_a_date_that_is_none_is_reported_with_line_and_column_and_its_row_left_out(
    tmp_path: Path, more: str, written: str, expected: str
) -> None:
    good = f"{FIRST:%d/%m/%Y}" if more else str(FIRST)
    found = mapped(tmp_path, [good] * 2 + [written] + [good] * 200, more)
    assert found.bad_rows == (BadRow(4, "dt_proposta", expected),)
    assert len(found.frame) == len(found.defaulted) == len(days_of(found)) == 202
    assert summarise(found.bad_rows) == [f"dt_proposta: {expected} (1 rows; lines 4)"]


def test_too_many_bad_dates_stop_the_run_and_are_counted_without_being_shown(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        mapped(tmp_path, ["trinta de janeiro"] * 3 + ["30/01/2025"] * 120, BRAZILIAN)
    message = str(caught.value)
    assert "3 of 123 rows are bad" in message
    assert "dt_proposta: Not a day as %d/%m/%Y writes it (3 rows; lines 2, 3, 4)" in message
    assert "janeiro" not in message


def test_every_problem_of_a_row_is_reported_its_date_among_them(tmp_path: Path) -> None:
    path, mapping = tmp_path / "carteira.csv", tmp_path / "mapping.toml"
    good = [f"{FIRST},{1000 + i},{('quitado', 'inadimplente')[i % 2]}" for i in range(120)]
    lines = ["dt_proposta,vl_carta,situacao", "ontem,-1,talvez", *good]
    path.write_text("\n".join(lines), encoding="utf-8")
    mapping.write_text(MAPPING.format(more=""), encoding="utf-8")
    found = load_csv(path, CATALOGUE, mapping)
    assert [(bad.line, bad.column) for bad in found.bad_rows] == [
        *((2, "situacao"), (2, "dt_proposta"), (2, "vl_carta")),
    ]


def test_a_column_of_the_day_that_the_file_does_not_have_is_named(tmp_path: Path) -> None:
    path, mapping = tmp_path / "carteira.csv", tmp_path / "mapping.toml"
    path.write_text("data,vl_carta,situacao\n", encoding="utf-8")
    mapping.write_text(MAPPING.format(more=""), encoding="utf-8")
    with pytest.raises(DataError, match=r"no column dt_proposta; found data, vl_carta, situacao\."):
        load_csv(path, CATALOGUE, mapping)


# The split


def test_the_newest_fifth_is_the_test_part() -> None:
    days = np.random.default_rng(7).permutation(200).tolist()
    train_part, test_part = decided(days).split(FIFTH, SEED)
    assert sorted(days_of(test_part)) == [day(number) for number in range(160, 200)]
    assert sorted(days_of(train_part)) == [day(number) for number in range(160)]


def test_both_parts_keep_the_order_of_the_file_with_the_outcome_and_the_day_of_each_row() -> None:
    whole = decided(np.random.default_rng(7).permutation(200).tolist())
    for part in whole.split(FIFTH, SEED):
        assert rows(part) == sorted(rows(part))
        assert part.defaulted.tolist() == whole.defaulted[rows(part)].tolist()
        assert days_of(part) == [days_of(whole)[row] for row in rows(part)]


def test_no_chance_is_in_it_every_seed_gives_the_same_parts() -> None:
    whole = decided(np.random.default_rng(7).permutation(200).tolist())
    (_, one), (_, other) = whole.split(FIFTH, 1), whole.split(FIFTH, 2)
    assert rows(one) == rows(other)


def test_decisions_of_one_day_are_not_torn_apart() -> None:
    train_part, test_part = decided([0] * 100 + [1] * 60 + [2] * 20).split(FIFTH, SEED)
    assert (len(train_part.frame), len(test_part.frame)) == (100, 80)


some_days = st.lists(st.integers(0, 400) | st.integers(0, 3), min_size=60, max_size=160)


@given(days=some_days, data=st.data())
def test_no_test_row_is_older_than_a_training_row_and_every_row_is_in_one_part(
    days: list[int], data: st.DataObject
) -> None:
    defaulted = data.draw(st.lists(st.booleans(), min_size=len(days), max_size=len(days)))
    try:
        train_part, test_part = decided(days, defaulted).split(FIFTH, SEED)
    except DataError:  # too few of an outcome in one of them
        return
    assert max(days_of(train_part)) < min(days_of(test_part))
    assert sorted(rows(train_part) + rows(test_part)) == list(range(len(days)))
    assert len(test_part.frame) >= FIFTH * len(days) - 1
    for part in (train_part, test_part):
        assert min(part.defaulted.sum(), (~part.defaulted).sum()) >= MIN_ROWS_IN_TEST


@given(days=st.permutations(range(120)))
def test_the_order_of_rows_in_a_file_does_not_matter(days: list[int]) -> None:
    _, test_part = decided(days, [number % 2 == 0 for number in days]).split(FIFTH, SEED)
    assert set(days_of(test_part)) == {day(number) for number in range(96, 120)}


@given(days=some_days)
def test_a_model_is_evaluated_on_the_very_test_part_when_the_data_is_what_it_was_trained_on(
    scorer: Scorer, days: list[int]
) -> None:
    whole = decided(days)
    try:
        train_part, test_part = whole.split(FIFTH, SEED)
    except DataError:
        return
    sizes = {"rows_train": len(train_part.frame), "rows_test": len(test_part.frame)}
    told = {"default_rate": whole.defaulted.mean(), "test_since": min(days_of(test_part))}
    data = scorer.card.data.model_copy(update={"sha256": whole.sha256, **sizes, **told})
    found, words, _ = unseen_part(scorer.card.model_copy(update={"data": data}), whole)
    assert rows(found) == rows(test_part)
    assert f"the {len(test_part.frame):,} rows of the untouched test part" in words


def _card_tested_since(scorer: Scorer, number: int) -> ModelCard:
    since = {"source": DECISIONS, "sha256": "of another log", "test_since": day(number)}
    return scorer.card.model_copy(update={"data": scorer.card.data.model_copy(update=since)})


def test_decisions_that_have_grown_since_training_are_measured_from_the_first_day_of_the_test_on(
    scorer: Scorer,
) -> None:
    log = replace(decided(range(200), [number % 2 == 0 for number in range(200)]), source=DECISIONS)
    found, words, unseen = unseen_part(_card_tested_since(scorer, 160), log)
    assert found.days is not None
    assert found.days.tolist() == [day(number) for number in range(160, 200)]
    assert words == f"decisions, the 40 rows since {day(160)}, which training did not touch"
    assert unseen


@pytest.mark.parametrize(
    ("defaulted", "begins", "expected"),
    [
        ([number % 2 == 0 for number in range(200)], 300, "only 0 of 0 rows"),
        ([number % 2 == 0 and number < 160 for number in range(200)], 160, "only 0 of 40 rows"),
    ],
    ids=["a log older than the test", "all alike"],
)
def test_decisions_that_cannot_measure_a_model_are_told_with_the_day_and_the_way_out(
    scorer: Scorer, defaulted: list[bool], begins: int, expected: str
) -> None:
    log = replace(decided(range(200), defaulted), source=DECISIONS)
    with pytest.raises(DataError, match=expected) as caught:
        unseen_part(_card_tested_since(scorer, begins), log)
    assert f"since {day(begins)}, which training did not touch" in str(caught.value)
    assert "Get more data, or evaluate on a file." in str(caught.value)


@pytest.mark.parametrize(
    ("written", "problem"),
    [("%d/%d/%Y", "does not read what it writes"), ("%Q", "does not read what it writes")],
    ids=["a part twice", "no part"],
)
def test_a_date_format_that_cannot_be_is_an_error_of_the_mapping(tmp_path: Path, written: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        mapped(tmp_path, ["2025-01-30"], f'date_format = "{written}"')


def test_a_date_format_without_its_column_is_an_error_of_the_mapping(tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(MAPPING.format(more=BRAZILIAN).replace('date_column = "dt_proposta"', ""), encoding="utf-8")
    with pytest.raises(DataError, match="date_column is written, which is missing"):
        ColumnMapping.read(path, CATALOGUE)


@pytest.mark.parametrize(
    ("days", "defaulted", "expected"),
    [
        (
            range(200),
            [number < 195 and number % 160 > 80 for number in range(200)],
            "from 2025-07-09, .* only 0 of 40 rows",
        ),
        (
            range(200),
            [number > 154 and number % 2 == 0 for number in range(200)],
            "before 2025-07-09, .* only 2 of 160 rows",
        ),
        ([0] * 200, [number % 2 == 0 for number in range(200)], "before 2025-01-30, .* only 0 of 0 rows"),
    ],
    ids=["new ones all alike", "old ones all alike", "all on one day"],
)
def test_a_part_with_too_few_of_an_outcome_is_told_with_the_day_and_the_way_out(
    days: Sequence[int], defaulted: list[bool], expected: str
) -> None:
    with pytest.raises(DataError, match=expected) as caught:
        decided(days, defaulted).split(FIFTH, SEED)
    assert f"expected {MIN_ROWS_IN_TEST}. Get more data, or leave the date out." in str(caught.value)


# The card


@pytest.fixture
def small(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Five hundred rows, and one quick candidate to search, where the others would only cost time."""
    monkeypatch.setattr(searching, "CANDIDATES", (CANDIDATE_BY_NAME["logistic_regression"],))
    part, _ = dataset.split(1 - 500 / len(dataset.frame), seed=3)
    return part


def test_the_card_says_from_which_day_on_the_model_was_tested(small: Dataset) -> None:
    plan = TrainingPlan(trials=1, jobs=1, folds=2, repeats=1)
    days = np.datetime64(FIRST) + np.random.default_rng(7).permutation(500).astype("timedelta64[D]")
    dated = replace(small, days=days)
    scorer = train(dated, plan)
    data: DataSummary = scorer.card.data
    assert data.split == f"out of time, tested from {day(400)} on"
    assert (data.rows_train, data.rows_test) == (400, 100)
    newest = small.rows(np.flatnonzero(days >= np.datetime64(day(400))))
    found = measure(newest.defaulted, scorer.score(newest.frame), scorer.policy.threshold)
    assert {name: interval.value for name, interval in scorer.card.test.items()} == found


def test_the_card_of_a_model_on_data_without_days_says_that_its_test_part_was_drawn_at_random(scorer: Scorer) -> None:
    assert scorer.card.data.split == "at random"


def test_rows_without_an_outcome_yet_are_counted_and_young_ones_too(tmp_path: Path) -> None:
    days = [f"2024-{1 + number % 12:02d}-15" for number in range(240)]
    path, mapping = tmp_path / "carteira.csv", tmp_path / "mapping.toml"
    became = ["quitado", "inadimplente", "em andamento"]
    lines = [f"{written},{1000 + i},{became[i % 5 % 3]}" for i, written in enumerate(days)]
    path.write_text("\n".join(["dt_proposta,vl_carta,situacao", *lines, ""]), encoding="utf-8")
    target = '[target]\nunknown = ["em andamento"]\nwindow_months = 3\n'
    mapping.write_text(MAPPING.format(more="").replace("[target]\n", target), encoding="utf-8")
    found = load_csv(path, CATALOGUE, mapping)
    assert (len(found.frame), found.unknown, found.bad_rows) == (192, 48, ())
    assert found.days is not None
    assert found.young == int((found.days >= np.datetime64("2024-10-01")).sum())
