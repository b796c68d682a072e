"""The data of the training benchmark."""

from benchmarks.training.rows import resampled
from credit_scoring.data.datasets import load_embedded
from credit_scoring.settings import PROJECT_FOLDER


def test_more_rows_and_fields_than_the_set_has_can_be_parted_as_a_set_of_a_user_can() -> None:
    dataset = load_embedded(PROJECT_FOLDER / "data")
    made = resampled(dataset, 2 * len(dataset.frame), 20)
    part, test = made.split(0.2, 42)
    assert len(part.frame) + len(test.frame) == len(made.frame) == 2 * len(dataset.frame)
    assert len(made.features) == 20
