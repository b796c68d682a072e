"""What may go to production."""

import pytest

from credit_scoring.errors import ModelRejectedError
from credit_scoring.model.card import Comparison, Interval, ModelCard
from credit_scoring.model.release import check_compared, check_releasable
from credit_scoring.model.scorer import Scorer


@pytest.mark.parametrize("source", ["embedded", "kaggle"])
def test_what_was_trained_on_data_of_a_demonstration_is_refused(scorer: Scorer, source: str) -> None:
    data = scorer.card.data.model_copy(update={"source": source})
    with pytest.raises(ModelRejectedError, match=f"credit_scoring:a was trained on .*source {source}"):
        check_releasable("credit_scoring:a", scorer.card.model_copy(update={"data": data}))


@pytest.mark.parametrize("source", ["csv", "decisions", "history.csv"])
def test_what_was_trained_on_a_history_of_ones_own_may_go(scorer: Scorer, source: str) -> None:
    data = scorer.card.data.model_copy(update={"source": source})
    check_releasable("credit_scoring:a", scorer.card.model_copy(update={"data": data}))


NEW, RELEASED = "credit_scoring:new", "credit_scoring:released"


def compared(card: ModelCard, tag: str, low: float, high: float) -> ModelCard:
    difference = Interval(value=(low + high) / 2, low=low, high=high)
    return card.model_copy(update={"against": Comparison(tag=tag, auc=0.75, difference=difference)})


@pytest.mark.parametrize(("low", "high"), [(0.01, 0.03), (-0.03, 0.0), (-0.02, 0.01)])
def test_a_model_that_is_no_worse_than_the_released_one_beyond_noise_may_go(
    scorer: Scorer, low: float, high: float
) -> None:
    check_compared(NEW, compared(scorer.card, RELEASED, low, high), RELEASED)


def test_a_model_that_is_worse_than_the_released_one_beyond_noise_is_refused(scorer: Scorer) -> None:
    with pytest.raises(
        ModelRejectedError, match=r"credit_scoring:new .* is worse than credit_scoring:released .*-0\.020"
    ):
        check_compared(NEW, compared(scorer.card, RELEASED, -0.03, -0.01), RELEASED)


def test_a_model_that_was_not_compared_with_the_released_one_is_refused(scorer: Scorer) -> None:
    with pytest.raises(ModelRejectedError, match="compared with no other model, but credit_scoring:released is"):
        check_compared(NEW, scorer.card.model_copy(update={"against": None}), RELEASED)
    with pytest.raises(
        ModelRejectedError, match=r"compared with credit_scoring:older, .*--against credit_scoring:released"
    ):
        check_compared(NEW, compared(scorer.card, "credit_scoring:older", 0.01, 0.03), RELEASED)


def test_the_released_model_itself_may_go_again(scorer: Scorer) -> None:
    check_compared(RELEASED, scorer.card.model_copy(update={"against": None}), RELEASED)
