"""joblib's tasks as Spark tasks: what runs in processes of this machine runs on a cluster, with the same result."""

from collections.abc import Callable
from functools import partial
from typing import Any

from joblib._parallel_backends import SequentialBackend, ThreadingBackend


class SparkBackend(ThreadingBackend):  # type: ignore[misc]  # joblib is untyped
    """A joblib backend of threads, each of which waits for a Spark task that does the work.

    `context` is the SparkContext. Work within a task is not distributed again.
    """

    def __init__(self, context: Any, **options: Any) -> None:
        super().__init__(**options)
        self._context = context

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Tasks at once: as many as the cluster has cores where `n_jobs` is negative."""
        return int(self._context.defaultParallelism) if n_jobs is not None and n_jobs < 0 else n_jobs or 1

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], None] | None = None) -> Any:
        """Have a Spark task call the function."""
        return super().submit(partial(_in_spark, self._context, func), callback)

    def get_nested_backend(self) -> tuple[Any, int | None]:
        """One after the other."""
        return SequentialBackend(nesting_level=(self.nesting_level or 0) + 1), None


def _in_spark(context: Any, func: Callable[[], Any]) -> Any:
    (result,) = context.parallelize([None], 1).map(lambda _: func()).collect()
    return result
