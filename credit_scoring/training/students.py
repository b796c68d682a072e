"""Boosters that a teacher's probabilities help to fit, each beside its untaught twin."""

from collections.abc import Sequence
from dataclasses import replace

from credit_scoring.application.arrays import Flags, Floats
from credit_scoring.model.taught import TaughtLightGBM, TaughtXGBoost
from credit_scoring.training.candidates import CANDIDATE_BY_NAME, Candidate
from credit_scoring.training.spaces import Parameters

SHARE = 0.5  # of a label that is the teacher's probability; the rest is the outcome
TAUGHT = "_taught"

_Taught = type[TaughtLightGBM] | type[TaughtXGBoost]


def softened(defaulted: Flags, probabilities: Floats) -> Floats:
    """The labels that a student is fitted on."""
    labels: Floats = (1 - SHARE) * defaulted + SHARE * probabilities
    return labels


def _student(twin: Candidate, taught: _Taught) -> Candidate:
    def build(parameters: Parameters, directions: Sequence[int], seed: int) -> TaughtLightGBM | TaughtXGBoost:
        return taught(twin.build(parameters, directions, seed))

    return replace(
        twin, name=twin.name + TAUGHT, title=f"{twin.title}, taught", build=build, cost=twin.cost + 1, grows=False
    )


_TWINS: dict[str, _Taught] = {
    "lightgbm": TaughtLightGBM,
    "lightgbm_random": TaughtLightGBM,
    "xgboost": TaughtXGBoost,
}
STUDENT_BY_TWIN = {name: _student(CANDIDATE_BY_NAME[name], taught) for name, taught in _TWINS.items()}
STUDENTS = {student.name: student for student in STUDENT_BY_TWIN.values()}


def candidate_of(name: str) -> Candidate:
    """The candidate or student of this name."""
    return STUDENTS.get(name) or CANDIDATE_BY_NAME[name]


def twin_of(name: str) -> str:
    """The candidate that a student is fitted like; any other's own name."""
    return name.removesuffix(TAUGHT)
