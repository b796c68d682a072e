"""From raw fields to the matrix: derived fields, clipping, encoding, and rows that keep to themselves."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.pipeline import Pipeline

from benchmarks.support.consorcio import CATALOGUE, EXAMPLE_APPLICATION, FEATURES, FIELDS
from credit_scoring.application.fields import derive
from credit_scoring.data.datasets import Dataset
from credit_scoring.model.features import (
    CategoryImputer,
    Columns,
    DerivedFields,
    OutlierClipper,
    application_frame,
    preprocessor,
)

DERIVED_FIELDS = CATALOGUE.derived_from(FEATURES)

SCALED = pytest.mark.parametrize("scale", [False, True], ids=["as they are", "scaled"])


def _fitted(dataset: Dataset, scale: bool = False) -> Pipeline:
    pipeline = preprocessor(dataset.columns, scale=scale)
    fitted: Pipeline = pipeline.fit(dataset.frame[list(dataset.features)], dataset.defaulted)
    return fitted


def _one_hot(dataset: Dataset, pipeline: Pipeline, record: dict[str, Any]) -> list[float]:
    row = pipeline.transform(application_frame([record], CATALOGUE, dataset.features))[0]
    width = sum(len(FIELDS[name].categories) for name in dataset.features)
    return [float(value) for value in row[-width:]]


class TestOutlierClipper:
    def test_values_are_clipped_to_the_quantiles_of_training(self) -> None:
        clipper = OutlierClipper(lower=0.1, upper=0.9).fit(np.arange(11.0).reshape(-1, 1))
        assert clipper.transform([[-5.0], [5.0], [500.0]]).tolist() == [[1.0], [5.0], [9.0]]

    def test_bounds_are_learned_in_fit_and_not_from_the_rows_that_are_transformed(self) -> None:
        clipper = OutlierClipper(lower=0, upper=1).fit([[0.0], [1.0]])
        assert clipper.transform([[1e9]] * 1000).max() == 1.0

    def test_infinite_values_do_not_move_the_bounds_and_are_clipped_to_them(self) -> None:
        clipper = OutlierClipper(lower=0, upper=1).fit([[0.0], [1.0], [math.inf], [-math.inf]])
        assert clipper.transform([[math.inf], [-math.inf]]).tolist() == [[1.0], [0.0]]

    def test_missing_values_stay_missing(self) -> None:
        clipper = OutlierClipper().fit([[1.0], [math.nan], [3.0]])
        assert np.isnan(clipper.transform([[math.nan]])).all()

    def test_a_column_without_any_value_is_accepted(self) -> None:
        clipped = OutlierClipper().fit([[math.nan, 1.0], [math.nan, 2.0]]).transform([[math.nan, 1.5]])
        assert np.isnan(clipped[0, 0])
        assert clipped[0, 1] == 1.5


class TestDerivedFields:
    def test_the_example_application_gives_what_a_pocket_calculator_gives(self) -> None:
        frame = application_frame([EXAMPLE_APPLICATION], CATALOGUE, FEATURES)
        row = DerivedFields(DERIVED_FIELDS).fit(frame).transform(frame).iloc[0]
        derived = {field.name: row[field.name] for field in DERIVED_FIELDS}
        assert derived == pytest.approx(
            {
                "instalment": 500,
                "instalment_over_income": 500 / 3600,
                "disposable_income": 3600 - 1200 - 500,
                "letter_over_good_value": 24000 / 33600,
                "letter_over_income": 24000 / 3600,
                "debt_over_assets": 0,
                "expenses_over_income": 1200 / 3600,
                "savings_over_instalment": (3600 - 1200) / 500,
                "own_share": 33600 - 24000,
                "net_assets": 72000,
                "good_value_over_income": 33600 / 3600,
                "tenure_over_term": 6 / 48,
            }
        )

    @pytest.mark.parametrize("absent", [name for name in FEATURES if FIELDS[name].is_number])
    def test_a_derived_field_is_made_only_when_all_its_inputs_are_there(self, absent: str) -> None:
        frame = application_frame([EXAMPLE_APPLICATION], CATALOGUE, [name for name in FEATURES if name != absent])
        made = set(DerivedFields(DERIVED_FIELDS).fit(frame).transform(frame).columns) - set(frame.columns)
        assert made == {field.name for field in DERIVED_FIELDS if absent not in field.inputs}

    def test_a_missing_input_makes_the_derived_field_missing(self) -> None:
        frame = application_frame([{**EXAMPLE_APPLICATION, "monthly_income": None}], CATALOGUE, FEATURES)
        row = DerivedFields(DERIVED_FIELDS).fit(frame).transform(frame).iloc[0]
        missing = {field.name for field in DERIVED_FIELDS if np.isnan(row[field.name])}
        assert missing == {field.name for field in DERIVED_FIELDS if "monthly_income" in field.inputs}

    def test_the_given_frame_is_left_as_it_was(self) -> None:
        frame = application_frame([EXAMPLE_APPLICATION], CATALOGUE, FEATURES)
        before = frame.copy(deep=True)
        DerivedFields(DERIVED_FIELDS).fit(frame).transform(frame)
        pd.testing.assert_frame_equal(frame, before)

    def test_the_order_of_the_columns_does_not_matter(self) -> None:
        frame = application_frame([EXAMPLE_APPLICATION], CATALOGUE, FEATURES)
        fields = DerivedFields(DERIVED_FIELDS).fit(frame)
        pd.testing.assert_frame_equal(fields.transform(frame[reversed(frame.columns)]), fields.transform(frame))


class TestApplicationFrame:
    def test_absent_and_null_values_are_missing_alike(self) -> None:
        frame = application_frame([{}, dict.fromkeys(FEATURES)], CATALOGUE, FEATURES)
        assert frame.isna().all(axis=None)

    def test_flags_and_numbers_are_floats_and_categories_are_text(self) -> None:
        row = application_frame([EXAMPLE_APPLICATION], CATALOGUE, FEATURES).iloc[0]
        assert (row["has_negative_record"], row["term_months"], row["job_type"]) == (0.0, 48.0, "PERMANENT")

    def test_no_record_at_all_gives_a_frame_with_all_columns(self) -> None:
        frame = application_frame([], CATALOGUE, FEATURES)
        assert (len(frame), tuple(frame.columns)) == (0, FEATURES)


class TestColumns:
    def test_every_feature_is_either_a_number_or_a_category(self) -> None:
        columns = Columns.of(CATALOGUE, FEATURES)
        assert {*columns.numbers, *columns.categories} == set(columns.raw) == set(FEATURES)
        assert tuple(columns.categories) == ("good_type", "job_type", "housing")
        assert columns.derived == DERIVED_FIELDS

    def test_risk_directions_are_those_of_the_fields(self) -> None:
        columns = Columns.of(
            CATALOGUE, ("monthly_income", "outstanding_debt", "monthly_expenses", "has_negative_record")
        )
        directions = dict(zip(columns.all_numbers, columns.risk_directions[: len(columns.all_numbers)], strict=True))
        assert directions == {
            "monthly_income": -1,
            "outstanding_debt": 1,
            "monthly_expenses": 0,
            "has_negative_record": 1,
            "expenses_over_income": 1,
        }

    @given(st.sets(st.sampled_from(FEATURES)))
    def test_the_direction_of_a_derived_field_agrees_with_those_of_its_inputs(self, chosen: set[str]) -> None:
        sign = {"up": 1.0, "down": -1.0, None: 0.0}
        for field in DERIVED_FIELDS:
            for name in field.inputs:
                moves = FIELDS[name].risk_moves
                low = {other: np.array([2.0]) for other in FEATURES}
                high = {**low, name: np.array([3.0])}
                slope = float(
                    np.sign(derive(DERIVED_FIELDS, high)[field.name] - derive(DERIVED_FIELDS, low)[field.name])[0]
                )
                assert moves is None or slope * sign[field.risk_moves] in (0.0, sign[moves])


class TestPreprocessor:
    @SCALED
    def test_its_width_is_the_number_of_risk_directions(self, dataset: Dataset, scale: bool) -> None:
        matrix = _fitted(dataset, scale).transform(dataset.frame)
        assert matrix.shape == (4454, len(dataset.columns.risk_directions))

    @SCALED
    @settings(max_examples=25, deadline=None)
    @given(data=st.data())
    def test_its_width_is_known_before_fit_for_any_choice_of_features(self, scale: bool, data: st.DataObject) -> None:
        names = data.draw(st.lists(st.sampled_from(FEATURES[2:]), max_size=6, unique=True))
        features = ["credit_letter_value", *names]
        frame = application_frame([EXAMPLE_APPLICATION, {"credit_letter_value": 1.0}], CATALOGUE, features)
        columns = Columns.of(CATALOGUE, features)
        matrix = preprocessor(columns, scale=scale).fit(frame, [True, False]).transform(frame)
        assert matrix.shape == (2, len(columns.risk_directions))

    def test_a_category_that_nobody_has_seen_is_all_zeros(self, dataset: Dataset) -> None:
        record = {**EXAMPLE_APPLICATION, "housing": "CASTLE", "job_type": "PIRATE"}
        assert set(_one_hot(dataset, _fitted(dataset), record)) == {0.0}

    def test_a_known_category_has_a_one_in_its_own_column_only(self, dataset: Dataset) -> None:
        encoded = _one_hot(
            dataset, _fitted(dataset), {**EXAMPLE_APPLICATION, "job_type": "PART_TIME", "housing": "RENT"}
        )
        assert encoded == [0, 0, 1, 0, 0, 1, 0, 0, 0, 0]

    def test_a_category_that_training_never_saw_has_its_column_all_the_same(self, dataset: Dataset) -> None:
        assert not (dataset.frame["housing"] == "MORTGAGE").any()
        encoded = _one_hot(
            dataset, _fitted(dataset), {**EXAMPLE_APPLICATION, "job_type": "OTHER", "housing": "MORTGAGE"}
        )
        assert encoded == [0, 0, 0, 1, 0, 0, 0, 0, 1, 0]

    @SCALED
    def test_nothing_is_missing_in_the_matrix(self, dataset: Dataset, scale: bool) -> None:
        assert np.isfinite(_fitted(dataset, scale).transform(dataset.frame)).all()

    @pytest.mark.parametrize("name", ["monthly_income", "outstanding_debt", "has_negative_record"])
    def test_a_missing_number_with_a_direction_stands_at_its_worse_end(self, dataset: Dataset, name: str) -> None:
        pipeline = _fitted(dataset)
        worst = {"up": 1e12, "down": 0.0}[FIELDS[name].risk_moves or ""]
        rows = [{**EXAMPLE_APPLICATION, name: None}, {**EXAMPLE_APPLICATION, name: worst}]
        place = dataset.columns.numbers.index(name)
        missing, at_the_end = pipeline.transform(application_frame(rows, CATALOGUE, dataset.features))[:, place]
        assert missing == at_the_end

    @pytest.mark.parametrize("name", ["monthly_expenses", "housing"])
    def test_of_what_has_no_direction_an_indicator_says_that_it_was_missing(self, dataset: Dataset, name: str) -> None:
        columns = dataset.columns
        indicator = len(columns.all_numbers) + columns.indicated.index(name)
        matrix = _fitted(dataset).transform(dataset.frame)
        assert (matrix[:, indicator] == dataset.frame[name].isna()).all()
        assert columns.risk_directions[indicator] == 1

    def test_a_lenient_field_counts_as_the_median_or_worse(self, dataset: Dataset) -> None:
        columns = replace(dataset.columns, lenient=frozenset({"monthly_income"}))
        assert columns.stands[columns.numbers.index("monthly_income")] == "median"
        assert "monthly_income" in columns.indicated

    def test_the_free_twin_may_move_the_risk_either_way_by_everything(self, dataset: Dataset) -> None:
        assert set(dataset.columns.unconstrained().risk_directions) == {0}

    @SCALED
    def test_a_row_s_output_does_not_depend_on_its_batch(self, dataset: Dataset, scale: bool) -> None:
        pipeline = _fitted(dataset, scale)
        rows = dataset.frame.iloc[:300]
        together = pipeline.transform(rows)
        backwards = pipeline.transform(rows[::-1])[::-1]
        singly = np.vstack([pipeline.transform(rows.iloc[[i]]) for i in range(0, 300, 10)])
        assert together.tobytes() == np.ascontiguousarray(backwards).tobytes()
        assert together[::10].tobytes() == singly.tobytes()


class TestCategoryImputer:
    def test_a_missing_value_becomes_the_commonest_of_those_that_default_no_less_than_all(self) -> None:
        values = ["OWNER"] * 6 + ["RENT"] * 3 + ["OTHER"] * 1 + [None]
        defaulted = [False] * 6 + [True, True, False] + [True] + [False]
        imputer = CategoryImputer().fit(pd.DataFrame({"housing": values}), defaulted)
        assert imputer.transform(pd.DataFrame({"housing": [None, "OWNER"]}))["housing"].tolist() == ["RENT", "OWNER"]

    def test_where_who_says_nothing_defaults_most_it_becomes_the_value_that_defaults_most(self) -> None:
        frame = pd.DataFrame({"housing": ["OWNER"] * 5 + ["RENT"] * 3 + [None] * 4})
        defaulted = [False] * 5 + [True, False, False] + [True] * 4
        assert CategoryImputer().fit(frame, defaulted).stands_ == ["RENT"]

    def test_without_outcomes_it_becomes_the_commonest(self) -> None:
        imputer = CategoryImputer().fit(pd.DataFrame({"housing": ["OWNER", "OWNER", "RENT"]}))
        assert imputer.stands_ == ["OWNER"]

    def test_where_training_had_no_value_it_stays_missing(self) -> None:
        frame = pd.DataFrame({"housing": pd.Series([None, None], dtype=object)})
        assert CategoryImputer().fit(frame, [True, False]).transform(frame)["housing"].isna().all()
