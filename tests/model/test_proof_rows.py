"""Rows that prove a model: those of nobody, with all that a proof needs."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.support.consorcio import CATALOGUE, FIELDS
from credit_scoring.data.datasets import Dataset
from credit_scoring.model.manifest import REFERENCE_FILE
from credit_scoring.model.proof_rows import proof_rows
from credit_scoring.model.scorer import REFERENCE_ROWS, Reference, Scorer

SIZE = 256


@pytest.fixture(scope="module")
def clients(dataset: Dataset) -> pd.DataFrame:
    return dataset.frame[list(dataset.features)]


@pytest.fixture(scope="module")
def made_up(clients: pd.DataFrame) -> pd.DataFrame:
    return proof_rows(clients, CATALOGUE, SIZE, seed=42)


def numbers_of(frame: pd.DataFrame) -> Sequence[str]:
    return [str(name) for name in frame if FIELDS[str(name)].is_number]


def test_no_row_is_a_client_s(clients: pd.DataFrame, made_up: pd.DataFrame) -> None:
    both = pd.concat([clients.drop_duplicates(), made_up.drop_duplicates()])
    assert not both.duplicated().any()


def test_no_figure_of_a_single_client_is_in_any_row() -> None:
    """Each client has a figure of its own in every column, and the largest are far from all others."""
    own = np.random.default_rng(0).uniform(1_000, 100_000, (500, 2)).round(2)
    own[0] = 98_765_432.25, 0.123456
    rows = proof_rows(pd.DataFrame(own, columns=["monthly_income", "assets_value"]), CATALOGUE, SIZE, seed=1)
    assert not set(own.ravel()) & set(rows.to_numpy().ravel())


def test_columns_that_go_together_among_clients_do_not_in_the_rows() -> None:
    income = np.random.default_rng(0).lognormal(8, 1, 5_000)
    frame = pd.DataFrame({"monthly_income": income, "assets_value": 10 * income})
    together = proof_rows(frame, CATALOGUE, 5_000, seed=1).rank().corr().to_numpy()[0, 1]
    assert abs(float(together)) < 0.1


def test_every_number_reaches_past_the_lowest_and_the_highest_that_clients_had(
    clients: pd.DataFrame, made_up: pd.DataFrame
) -> None:
    for name in numbers_of(clients):
        assert made_up[name].min() <= clients[name].min(), name
        assert made_up[name].max() >= clients[name].max(), name


def test_numbers_are_distributed_about_as_those_of_clients(clients: pd.DataFrame, made_up: pd.DataFrame) -> None:
    for name in numbers_of(clients):
        low, high = clients[name].quantile([0.3, 0.7])
        assert low <= made_up[name].median() <= high, name


def test_every_category_and_both_flags_are_there(made_up: pd.DataFrame) -> None:
    assert set(made_up["housing"].dropna()) == {*FIELDS["housing"].categories}
    assert set(made_up["has_negative_record"].dropna()) == {0.0, 1.0}


def test_all_that_a_request_may_leave_out_is_missing_now_and_then_and_in_one_row_together(
    made_up: pd.DataFrame,
) -> None:
    optional = [str(name) for name in made_up if not FIELDS[str(name)].required]
    assert made_up[optional].iloc[-1].isna().all()
    for name in optional:
        assert 0.02 < made_up[name].isna().mean() < 0.3, name
    assert made_up["credit_letter_value"].notna().all()


def test_the_rows_have_the_types_of_the_training_frame(clients: pd.DataFrame, made_up: pd.DataFrame) -> None:
    assert made_up.dtypes.equals(clients.dtypes)
    assert made_up.columns.equals(clients.columns)


def test_the_same_seed_makes_the_same_rows(clients: pd.DataFrame, made_up: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(made_up, proof_rows(clients, CATALOGUE, SIZE, seed=42))
    assert not made_up.equals(proof_rows(clients, CATALOGUE, SIZE, seed=43))


def test_a_field_without_any_value_in_training_is_missing_in_every_row() -> None:
    rows = proof_rows(pd.DataFrame({"good_value": [np.nan] * 3}), CATALOGUE, SIZE, seed=1)
    assert rows["good_value"].isna().all()


def test_a_saved_model_holds_no_client(scorer: Scorer, dataset: Dataset, tmp_path: Path) -> None:
    scorer.save(tmp_path)
    rows = pd.DataFrame(json.loads((tmp_path / REFERENCE_FILE).read_bytes())["rows"])
    clients = dataset.frame[list(rows)]
    assert len(rows) == REFERENCE_ROWS
    both = pd.concat([clients.drop_duplicates(), rows.astype(clients.dtypes.to_dict()).drop_duplicates()])
    assert not both.duplicated().any()


def test_a_model_from_before_that_proves_itself_by_training_rows_still_loads(
    scorer: Scorer, dataset: Dataset, tmp_path: Path
) -> None:
    clients = dataset.frame[list(scorer.card.features)].head(50)
    rows = tuple(json.loads(clients.to_json(orient="records", double_precision=15)))
    reference = Reference(rows=rows, risk=tuple(scorer.score_records(rows).tolist()), drift=scorer.reference.drift)
    replace(scorer, reference=reference).save(tmp_path)
    loaded = Scorer.load(tmp_path)
    assert loaded.reference == reference
    assert loaded.compiled is not None
