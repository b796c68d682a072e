"""What a model did not know of an application."""

from typing import Any

import pandas as pd
import pytest

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.data.datasets import Dataset
from credit_scoring.model.scorer import Scorer
from credit_scoring.model.unknowns import Unknowns


def record(**values: Any) -> dict[str, Any]:
    return {**dict.fromkeys(CATALOGUE.fields), **values}


def test_a_flag_that_is_false_is_known_and_one_that_is_absent_is_missing(scorer: Scorer) -> None:
    absent, told = scorer.unknowns.missing([record(), record(has_negative_record=False)])
    assert "has_negative_record" in absent
    assert "has_negative_record" not in told


def test_every_row_of_the_training_data_lies_within_its_range(scorer: Scorer, dataset: Dataset) -> None:
    frame = dataset.frame[list(scorer.card.features)].astype(object)
    records = [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]
    inside = sum(names == () for names in scorer.unknowns.outside_training(records))
    assert inside >= 0.98 * len(records)  # the rows of the test part may lie beyond


@pytest.mark.parametrize("name", ["credit_letter_value", "monthly_income", "term_months"])
def test_a_number_beyond_either_end_of_the_training_range_is_outside(scorer: Scorer, name: str) -> None:
    assert scorer.reference.drift
    bins = next(each for each in scorer.reference.drift.fields if each.field == name)
    assert bins.least is not None
    assert bins.greatest is not None
    values = [bins.least, bins.greatest, bins.least - 1, bins.greatest + 1, None]
    found = scorer.unknowns.outside_training([record(**{name: value}) for value in values])
    assert found == [(), (), (name,), (name,), ()]


def test_a_category_that_training_did_not_have_is_outside(scorer: Scorer) -> None:
    assert scorer.reference.drift
    fields = list(scorer.reference.drift.fields)
    place = next(place for place, each in enumerate(fields) if each.field == "job_type")
    counts = (0, *fields[place].counts[1:])
    fields[place] = fields[place].model_copy(update={"counts": counts})
    unknowns = Unknowns(scorer.card.features, scorer.reference.drift.model_copy(update={"fields": tuple(fields)}))
    first, second = CATALOGUE.fields["job_type"].categories[:2]
    assert unknowns.outside_training([record(job_type=first), record(job_type=second)]) == [("job_type",), ()]


def test_a_model_from_before_ranges_were_kept_tells_of_none_beyond_them(scorer: Scorer) -> None:
    assert Unknowns(scorer.card.features, None).outside_training([record(credit_letter_value=9e11)]) == [()]
