"""The settings of a training."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sklearn.model_selection import StratifiedKFold

from credit_scoring.data.datasets import Dataset
from credit_scoring.data.samples import rows_to_fold
from credit_scoring.policy.costs import NO_LIMITS, CostMatrix, Limits
from credit_scoring.training.candidates import Candidate

LARGEST_SEED = 2**31 - 10  # LightGBM takes 32 bits with a sign, and each repeat of the comparison adds one


@dataclass(frozen=True)
class TrainingPlan:
    """How to train. `trials` is per candidate, `timeout` in seconds for all of it, `jobs` in processes or threads.

    The candidates at their best parameters are compared on up to `repeats` splits into folds, as many as it takes to
    decide. The search uses none of these. It has a sample of `search_rows`, the comparison one of `compare_rows`, and
    the price of each direction one of `price_rows`, where there are more; of more rows where so few would have too few
    of an outcome. Finished trials are kept in the file `resume` and not done again.

    The same data, plan and libraries give the same model, whatever `jobs` is, unless a `timeout` cuts the search.
    """

    seed: int = 42
    trials: int = 20
    timeout: float | None = None
    jobs: int = -1
    resume: Path | None = None
    folds: int = 5
    repeats: int = 3
    search_rows: int = 50_000
    compare_rows: int = 60_000
    price_rows: int = 50_000
    test_share: float = 0.2
    costs: CostMatrix = field(default_factory=CostMatrix)
    limits: Limits = NO_LIMITS
    minimum_auc: float = 0.75
    minimum_recall: float = 0.5

    def rows_to_search(self, part: Dataset) -> int:
        """How many rows of a training part the search sees."""
        return rows_to_fold(part, self.search_rows)

    def suiting(self, candidates: Sequence[Candidate], part: Dataset) -> list[Candidate]:
        """Those of these candidates that are tried on a training part."""
        rows, fields = self.rows_to_search(part), len(part.features)
        return [each for each in candidates if each.suits(rows, fields)]

    def trials_of(self, candidate: Candidate) -> int:
        """Search trials that a candidate gets, unless the timeout cuts them."""
        return max(1, round(self.trials * candidate.trials_share))

    def splitter(self) -> StratifiedKFold:
        """The folds for the search and for the choice of the threshold."""
        return self._splitter(0)

    def comparison_splitters(self) -> list[StratifiedKFold]:
        """The folds of each repeat of the comparison; the search has not used them."""
        return [self._splitter(repeat) for repeat in range(1, self.repeats + 1)]

    def _splitter(self, number: int) -> StratifiedKFold:
        return StratifiedKFold(self.folds, shuffle=True, random_state=self.seed + number)
