"""The stored model that `credit-scoring train --against` compares with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rich.console import Console

from credit_scoring.data.datasets import Dataset
from credit_scoring.errors import ConfigurationError
from credit_scoring.evaluation.unseen import has_same_rows
from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer
from credit_scoring.training.config import TrainingPlan


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

    def check(self, dataset: Dataset, plan: TrainingPlan, console: Console) -> None:
        """Raises ConfigurationError where these data lack a field that the model uses; warns of an unfair comparison.

        It is unfair where the model may have been trained on rows of this data set's test part.
        """
        absent = [name for name in self.scorer.card.features if name not in dataset.features]
        if absent:
            raise ConfigurationError(
                f"--against {self.tag}: that model uses {', '.join(absent)}, which these data do not have. "
                "Train on data with its fields, or leave --against out."
            )
        if not self._surely_knows_none(dataset, plan):
            console.print(
                f"[yellow]warning:[/] {self.tag} may have been trained on rows of this test part and look better "
                "than it is. Only one that was tested on the same part, or on one that began no later, surely was not.",
                soft_wrap=True,
            )

    def _surely_knows_none(self, dataset: Dataset, plan: TrainingPlan) -> bool:
        """Whether no row of this data set's test part was one that the model was trained on."""
        _, test_part = dataset.split(plan.test_share, plan.seed)
        card = self.scorer.card
        if card.data.test_since and test_part.days is not None:
            return bool(card.data.test_since <= test_part.days.min().item())
        same_part = (card.seed, card.data.rows_test) == (plan.seed, len(test_part.frame))
        return same_part and has_same_rows(card.data, dataset)
