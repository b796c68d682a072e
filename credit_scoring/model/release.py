"""Whether a model may go to production: not one trained on demonstration data, nor one worse than what is released."""

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


def check_compared(tag: str, card: ModelCard, released: str) -> None:
    """Raises ModelRejectedError unless training compared the model with the released one and found it no worse.

    Both are judged on the same rows, the new model's test part; worse means an AUC that is lower beyond noise.
    """
    if tag == released:
        return
    if card.against is None or card.against.tag != released:
        found = "no other model" if card.against is None else card.against.tag
        raise ModelRejectedError(
            f"{tag} was compared with {found}, but {released} is the one that is released. Train it with "
            f"`credit-scoring train --against {released}` (import that model first)."
        )
    if card.against.difference.high < 0:
        raise ModelRejectedError(
            f"{tag} (AUC {card.test['auc'].value:.3f}) is worse than {released} (AUC {card.against.auc:.3f}) "
            f"beyond noise: difference {card.against.difference}. "
            "Get more or better data, or search longer (--trials)."
        )
