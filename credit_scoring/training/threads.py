"""Threads within one fit, for cores that would be idle else; boosters and forests grow the same trees with any number.

docs/adr/0017 says how that was tried.
"""

from joblib import cpu_count, effective_n_jobs
from joblib.parallel import LokyBackend, get_active_backend
from sklearn.pipeline import Pipeline

from credit_scoring.training.spaces import MANY_ROWS


def threads_for(jobs: int, tasks: int, rows: int) -> int:
    """So many for each of fewer tasks than there may be processes as leave none idle.

    One with few rows, where threads wait for each other, and where the processes are on other machines.
    """
    backend, _ = get_active_backend()
    if rows < MANY_ROWS or not isinstance(backend, LokyBackend):
        return 1
    workers: int = min(effective_n_jobs(jobs), cpu_count())
    return max(1, workers // tasks)


def on_threads(pipeline: Pipeline, threads: int) -> Pipeline:
    """The unfitted pipeline, whose boosters and forests are to be fitted by so many threads.

    scikit-learn does not look into the members of an ensemble; this does. The steps before the classifier keep to one
    thread: theirs would be processes, and would score by them, too.
    """
    found = pipeline.get_params()
    for name, value in found.items():
        if name.endswith("__members"):
            for member in value:
                on_threads(member, threads)
    names = [name for name in found if name.startswith("classifier__") and name.endswith("__n_jobs")]
    return pipeline.set_params(**dict.fromkeys(names, threads))
