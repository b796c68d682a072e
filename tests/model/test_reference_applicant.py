"""The reference applicant: nobody, at the centre of those who were approved just under a threshold."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.application.arrays import Floats
from credit_scoring.data.datasets import Dataset
from credit_scoring.model.reference_applicant import FEWEST, MOST, centre, reference_applicants
from credit_scoring.model.scorer import Scorer

ROWS = 5000
RISK = np.linspace(0, 0.999, ROWS)


def incomes(risk: Floats) -> pd.DataFrame:
    """Clients whose income falls as their risk rises."""
    return pd.DataFrame({"monthly_income": 10_000 * (1 - risk)})


def by_income(records: Sequence[Mapping[str, Any]]) -> Floats:
    return np.array([1 - record["monthly_income"] / 10_000 for record in records])


def test_it_is_the_centre_of_the_tenth_of_the_approved_who_are_nearest_to_the_threshold() -> None:
    found = {each.threshold: each for each in reference_applicants(incomes(RISK), RISK, CATALOGUE, by_income)}
    assert found[0.5].values == {"monthly_income": pytest.approx(10_000 * (1 - 0.475), abs=100)}
    assert found[0.5].risk == pytest.approx(0.475, abs=0.01)
    assert all(each.risk < threshold for threshold, each in found.items())


def test_it_does_not_depend_on_the_order_of_the_clients() -> None:
    shuffled = np.random.default_rng(1).permutation(ROWS)
    one = reference_applicants(incomes(RISK), RISK, CATALOGUE, by_income)
    assert reference_applicants(incomes(RISK[shuffled]), RISK[shuffled], CATALOGUE, by_income) == one


def test_of_very_many_clients_only_the_nearest_are_looked_at() -> None:
    risk = np.linspace(0, 0.999, 50_000)
    found = {each.threshold: each for each in reference_applicants(incomes(risk), risk, CATALOGUE, by_income)}
    band = risk[risk < 0.5][-MOST:]
    assert found[0.5].values["monthly_income"] == pytest.approx(10_000 * (1 - np.median(band)), abs=51)


def test_no_threshold_has_one_that_too_few_were_approved_under() -> None:
    risk = np.sort(np.append(np.full(FEWEST - 1, 0.005), np.linspace(0.5, 0.9, 500)))
    thresholds = [each.threshold for each in reference_applicants(incomes(risk), risk, CATALOGUE, by_income)]
    assert thresholds[0] == pytest.approx(0.51)


def test_a_centre_that_the_model_itself_denies_is_nobody_s_reference() -> None:
    found = reference_applicants(incomes(RISK), RISK, CATALOGUE, lambda records: by_income(records) + 0.2)
    assert all(each.risk < each.threshold for each in found)
    assert reference_applicants(incomes(RISK), RISK, CATALOGUE, lambda records: np.ones(len(records))) == ()
    assert reference_applicants(incomes(RISK[:20]), RISK[:20], CATALOGUE, by_income) == ()


def test_two_thresholds_with_the_same_centre_have_it_once() -> None:
    frame = pd.DataFrame({"monthly_income": np.full(ROWS, 9_990.0)})
    (only,) = reference_applicants(frame, RISK, CATALOGUE, by_income)
    assert (only.threshold, only.values) == (0.01, {"monthly_income": 10_000.0})


def test_numbers_are_medians_to_two_digits_and_the_rest_is_the_commonest() -> None:
    frame = pd.DataFrame(
        {
            "monthly_income": [1234.0, 5678.0, np.nan],
            "term_months": [47.0, 48.0, 60.0],
            "housing": ["RENT", "OWNER", "RENT"],
            "has_negative_record": [0.0, 0.0, 1.0],
            "good_value": [np.nan, np.nan, 1.0],
            "job_type": [None, None, "OTHER"],
        }
    )
    found = centre(frame, CATALOGUE)
    assert found == {
        "monthly_income": 3500.0,
        "term_months": 48,
        "housing": "RENT",
        "has_negative_record": False,
        "good_value": None,
        "job_type": None,
    }
    assert [type(found[name]) for name in ("term_months", "has_negative_record")] == [int, bool]


def test_two_digits_never_take_a_number_out_of_its_range() -> None:
    frame = pd.DataFrame({"term_months": [419.0, 419.0], "job_tenure_years": [59.9, 60.0]})
    assert centre(frame, CATALOGUE) == {"term_months": 420, "job_tenure_years": 60.0}
    content = CATALOGUE.model_dump()
    content["fields"]["term_months"]["at_most"] = 419
    assert centre(frame, type(CATALOGUE).model_validate(content))["term_months"] == 419


def test_a_trained_model_has_one_for_its_threshold_who_is_no_client(scorer: Scorer, dataset: Dataset) -> None:
    fitting = [each for each in scorer.reference.applicants if each.threshold <= scorer.policy.threshold]
    applicant = fitting[-1]
    assert applicant.threshold == scorer.policy.threshold
    assert scorer.score_records([applicant.values])[0] == pytest.approx(applicant.risk)
    clients = dataset.frame[list(applicant.values)]
    same = np.all([clients[name] == value for name, value in applicant.values.items()], axis=0)
    assert not same.any()


def test_it_has_the_fields_of_the_model_and_no_other(scorer: Scorer) -> None:
    assert {tuple(each.values) for each in scorer.reference.applicants} == {scorer.card.features}
