"""What may go to production."""

import pytest

from credit_scoring.errors import ModelRejectedError
from credit_scoring.model.release import check_releasable
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
