"""What the stages after the search will take, from the seconds of the fits that it has timed."""

from collections.abc import Sequence

from joblib import effective_n_jobs

from credit_scoring.data.datasets import Dataset
from credit_scoring.data.samples import rows_to_fold
from credit_scoring.training.candidates import CANDIDATE_BY_NAME
from credit_scoring.training.clock import Clock
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.search import Searched
from credit_scoring.training.threads import threads_for

FEWEST_ROWS = 2_000  # that a comparison under a time limit is cut to


class Forecast:
    """Foretells, roughly, seconds of work on a training part."""

    def __init__(self, part: Dataset, plan: TrainingPlan) -> None:
        self.part, self.plan = part, plan
        self.workers: int = effective_n_jobs(plan.jobs)

    def folds(self, searched: Searched, rows: int) -> float:
        """For one repeat of all folds on so many rows."""
        fitted = rows * (self.plan.folds - 1) // self.plan.folds
        return searched.seconds_on(fitted) * self.plan.folds / self.workers

    def comparison(self, candidates: Sequence[Searched], clock: Clock) -> tuple[int, float]:
        """How many rows these can be compared on once in time, FEWEST_ROWS in any case, and the seconds for that."""
        rows = rows_to_fold(self.part, self.plan.compare_rows)
        seconds = sum(self.folds(each, rows) for each in candidates)
        if clock.left < seconds:
            rows = min(rows, rows_to_fold(self.part, max(FEWEST_ROWS, int(rows * clock.left / seconds))))
            seconds = sum(self.folds(each, rows) for each in candidates)
        return rows, seconds

    def last_fits(self, used: Sequence[Searched]) -> float:
        """For fits on all rows, one after the other, each in as many threads as it takes."""
        rows = len(self.part.frame)
        threads = threads_for(self.plan.jobs, 1, rows)
        return sum(
            each.seconds_on(rows) / (threads if CANDIDATE_BY_NAME[each.name].takes_threads else 1) for each in used
        )
