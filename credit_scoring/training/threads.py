"""Threads within one fit, for the fits that nothing else runs beside."""

from joblib import cpu_count, effective_n_jobs
from sklearn.pipeline import Pipeline


def threads_for(jobs: int) -> int:
    """As many as there may be processes; no more than this machine has cores, as the processes may be on others."""
    threads: int = min(effective_n_jobs(jobs), cpu_count())
    return threads


def spare_threads(jobs: int, tasks: int) -> int:
    """As many for each of fewer tasks than there may be processes as leave none idle; 1 where those are elsewhere."""
    workers: int = effective_n_jobs(jobs)
    return workers // tasks if 0 < tasks < workers <= cpu_count() else 1


def on_threads(pipeline: Pipeline, threads: int) -> Pipeline:
    """The unfitted pipeline, whose boosters and forests are to be fitted by so many threads; they grow the same trees.

    docs/adr/0017 says how that was tried. scikit-learn does not look into the members of an ensemble; this does. The
    steps before the classifier keep to one thread: theirs would be processes, and would score by them, too.
    """
    found = pipeline.get_params()
    for name, value in found.items():
        if name.endswith("__members"):
            for member in value:
                on_threads(member, threads)
    names = [name for name in found if name.startswith("classifier__") and name.endswith("__n_jobs")]
    return pipeline.set_params(**dict.fromkeys(names, threads))
