"""The stored model that `credit-scoring train --against` compares with."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rich.console import Console

from credit_scoring.application.fields import ApplicationField
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
        """Raises ConfigurationError where the fields are not those that the model knows; warns of an unfair comparison.

        It is unfair where the model may have been trained on rows of this data set's test part.
        """
        if problem := next(self._problems(dataset), None):
            raise ConfigurationError(f"--against {self.tag}: {problem}, or leave --against out.")
        if not self._surely_knows_none(dataset, plan):
            console.print(
                f"[yellow]warning:[/] {self.tag} may have been trained on rows of this test part and look better "
                "than it is. Only one that was tested on the same part, or on one that began no later, surely was not.",
                soft_wrap=True,
            )

    def _problems(self, dataset: Dataset) -> Iterator[str]:
        names, known = self.scorer.card.features, self.scorer.catalogue.fields
        if absent := [name for name in names if name not in dataset.features]:
            yield f"that model uses {', '.join(absent)}, which these data do not have. Train on data with its fields"
        fields = [(known[name], dataset.catalogue.fields[name]) for name in names]
        if kinds := [f"{new.name} as {old.kind}, not {new.kind}" for old, new in fields if _kind(old) != _kind(new)]:
            yield f"that model has {', '.join(kinds)}. Train with these fields (--fields) as they were"
        if unknown := [*_unknown(dataset, fields)]:
            yield f"that model does not know {', '.join(unknown)}. Name categories (--fields, --mapping) as they were"

    def _surely_knows_none(self, dataset: Dataset, plan: TrainingPlan) -> bool:
        """Whether no row of this data set's test part was one that the model was trained on."""
        _, test_part = dataset.split(plan.test_share, plan.seed)
        card = self.scorer.card
        if card.data.test_since and test_part.days is not None:
            return bool(card.data.test_since <= test_part.days.min().item())
        same_part = (card.seed, card.data.rows_test) == (plan.seed, len(test_part.frame))
        return same_part and has_same_rows(card.data, dataset)


def _kind(field: ApplicationField) -> str:
    """The kind that a model sees: numbers of either kind are the same to it."""
    return "number" if field.is_number else field.kind


def _unknown(dataset: Dataset, fields: Iterable[tuple[ApplicationField, ApplicationField]]) -> Iterator[str]:
    """The categories that these data use of each field, as it was and as it is, and that it did not have."""
    for old, new in fields:
        added = [each for each in new.categories if each not in old.categories]
        if used := [each for each in added if (dataset.frame[new.name] == each).any()]:
            yield f"{' and '.join(used)} of {new.name}"
