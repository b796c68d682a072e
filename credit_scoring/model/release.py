"""Whether a model may go to production: not what was trained on data of a demonstration."""

from credit_scoring.errors import ModelRejectedError
from credit_scoring.model.card import ModelCard

DEMONSTRATIONS = {"embedded": "the demo data", "kaggle": "a public data set"}


def check_releasable(tag: str, card: ModelCard) -> None:
    """Raises ModelRejectedError where nobody may decide by this model."""
    if told := DEMONSTRATIONS.get(card.data.source):
        raise ModelRejectedError(
            f"{tag} was trained on {told} (its card: source {card.data.source}), so it must not decide on anybody. "
            "Train on your own history: `credit-scoring train --source csv` or `--source decisions`."
        )
