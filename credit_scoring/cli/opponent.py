"""The stored model that `credit-scoring train --against` compares with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rich.console import Console

from credit_scoring.data.datasets import Dataset
from credit_scoring.errors import ConfigurationError
from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer


@dataclass(frozen=True)
class Opponent:
    """A stored model that a new one must not be worse than."""

    tag: str
    scorer: Scorer

    @classmethod
    def of(cls, tag: str, console: Console) -> Self | None:
        """The model under this tag, proven; None for the champion of a store without models, which is told."""
        if tag in store.ALIASES and not any(store.versions()):
            console.print("The store holds no model yet: there is none to compare with.")
            return None
        model = store.find(tag)
        return cls(str(model.tag), Scorer.load(Path(model.path)))

    def check(self, dataset: Dataset, seed: int, console: Console) -> None:
        """Raises ConfigurationError where these data lack a field that the model uses; warns of an unfair comparison.

        It is unfair where the model may have been trained on rows of this data set's test part.
        """
        absent = [name for name in self.scorer.card.features if name not in dataset.features]
        if absent:
            raise ConfigurationError(
                f"--against {self.tag}: that model uses {', '.join(absent)}, which these data do not have. "
                "Train on data with its fields, or leave --against out."
            )
        card = self.scorer.card
        if dataset.days is None and (card.data.sha256, card.seed) != (dataset.sha256, seed):
            console.print(
                f"[yellow]warning:[/] {self.tag} was trained on other data or with another seed: "
                "it may know rows of this test part, and look better than it is.",
                soft_wrap=True,
            )
