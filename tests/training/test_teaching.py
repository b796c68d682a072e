"""Students beside what was chosen without a teacher: taken only beyond noise, measured by outcomes they cannot know."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.support.made_up import made_up
from credit_scoring.application.arrays import Flags, Floats
from credit_scoring.application.catalogue import freed
from credit_scoring.data.datasets import Dataset
from credit_scoring.evaluation.performance import auc
from credit_scoring.model.calibration import CalibratedClassifier
from credit_scoring.model.card import MATTERS, Teaching
from credit_scoring.model.estimators import weighted_mean
from credit_scoring.model.scorer import Scorer
from credit_scoring.model.taught import TaughtLightGBM
from credit_scoring.training import search as searching
from credit_scoring.training.candidates import CANDIDATE_BY_NAME, ENSEMBLE
from credit_scoring.training.comparison import fold_aucs
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.held_out import held_out_log_odds
from credit_scoring.training.search import HOPELESS, Searched
from credit_scoring.training.selection import Compared, compare
from credit_scoring.training.spaces import TREES
from credit_scoring.training.stages import TEACH, StageReport
from credit_scoring.training.students import STUDENT_BY_TWIN, STUDENTS, softened, twin_of
from credit_scoring.training.teacher import Teacher
from credit_scoring.training.teaching import pupils, taught
from credit_scoring.training.train import train
from tests.support.teachers import filled

PLAN = TrainingPlan(trials=1, jobs=1, repeats=1, folds=3, minimum_auc=0.5)
FOLDS = TrainingPlan(folds=5).splitter()
ROWS = 1500
START = {**CANDIDATE_BY_NAME["lightgbm"].start, TREES: 80}


@pytest.fixture(scope="module")
def clients() -> Dataset:
    """Few clients, whose risk is hard to tell from their outcomes."""
    numbers = made_up(12, ROWS)
    clients = replace(
        numbers, lines=np.arange(2, ROWS + 2), catalogue=freed(numbers.catalogue, numbers.features), sha256="of clients"
    )
    return replace(clients, defaulted=np.random.default_rng(1).random(ROWS) < _true_risk(clients))


def _true_risk(part: Dataset) -> Floats:
    """That by which outcomes are drawn."""
    first, second, third, fourth, fifth = part.frame.to_numpy().T[:5]
    risk: Floats = expit(1.5 * (first * second + third * fourth + fifth - 1))
    return risk


def _teacher(part: Dataset, risk: Floats) -> Teacher:
    """One that says the same whatever it was fitted on, so that it can know no outcome."""
    assert part.lines is not None
    folds = np.empty(len(risk), dtype=np.intp)
    for place, (_, held_out) in enumerate(FOLDS.split(risk, part.defaulted)):
        folds[held_out] = place
    return Teacher("f" * 64, part.lines, folds, risk, np.array([risk] * FOLDS.get_n_splits()))


def _searched(name: str, auc_mean: float = 0.8) -> Searched:
    return Searched(name, 1, (auc_mean,) * PLAN.folds, START, ROWS, 0.1)


@pytest.fixture(scope="module")
def found(clients: Dataset) -> Compared:
    return compare([_searched("lightgbm")], clients, PLAN)


def test_what_an_oracle_teaches_is_taken_with_its_held_out_log_odds(clients: Dataset, found: Compared) -> None:
    risk = _true_risk(clients)
    chosen, teaching = taught(found, [_searched("lightgbm")], clients, _teacher(clients, risk), PLAN)
    assert chosen.chosen == "lightgbm_taught"
    gain = teaching.gains["lightgbm_taught"]
    assert gain.low > 0
    assert gain.value > MATTERS
    assert teaching.over == "lightgbm"
    assert teaching.auc == auc(clients.defaulted, risk, 0.0)
    (result,) = [each for each in chosen.results if each.name == "lightgbm_taught"]
    assert result.parameters == found.parameters["lightgbm"]
    assert result.behind_best
    assert result.behind_best.value == -gain.value
    assert auc(clients.defaulted, chosen.log_odds, 0.0) == pytest.approx(result.auc_mean, abs=0.02)


def test_what_a_teacher_without_a_clue_teaches_is_not_taken(clients: Dataset, found: Compared) -> None:
    clueless = np.random.default_rng(5).random(ROWS)
    chosen, teaching = taught(found, [_searched("lightgbm")], clients, _teacher(clients, clueless), PLAN)
    assert chosen.chosen == "lightgbm"
    assert chosen.log_odds is found.log_odds
    assert teaching.gains["lightgbm_taught"].low <= 0
    assert [each.name for each in chosen.results] == ["lightgbm", "lightgbm_taught"]


def test_what_is_said_of_a_fold_while_it_is_held_out_is_used_by_no_student(clients: Dataset, found: Compared) -> None:
    teacher = _teacher(clients, _true_risk(clients))
    without = teacher.without.copy()
    for place, (_, held_out) in enumerate(teacher.splits):
        without[place, held_out] = np.nan
    silent = replace(teacher, without=without, out_of_fold=np.full(ROWS, 0.5))
    expected, _ = taught(found, [_searched("lightgbm")], clients, teacher, PLAN)
    chosen, _ = taught(found, [_searched("lightgbm")], clients, silent, PLAN)
    assert chosen.log_odds.tobytes() == expected.log_odds.tobytes()


def test_on_mere_chance_only_labels_that_know_the_held_out_outcomes_seem_to_gain(clients: Dataset) -> None:
    """Why a teacher is fitted for each pair of folds: its neighbours' labels would tell what is held out."""
    chance = replace(clients, defaulted=np.random.default_rng(2).random(ROWS) < 0.5)
    found = compare([_searched("lightgbm")], chance, PLAN)
    numbers = chance.frame.to_numpy()
    folds = _teacher(chance, np.zeros(ROWS)).folds

    def says(fit_rows: Flags, on: Flags) -> Floats:
        model = KNeighborsClassifier(5).fit(numbers[fit_rows], chance.defaulted[fit_rows])
        risk: Floats = model.predict_proba(numbers[on])[:, 1]
        return risk

    table = filled(pd.DataFrame({"line": chance.lines, "fold": folds}), says)
    out_of_fold = table.out_of_fold.to_numpy()
    pairs = table[[f"without_{fold}" for fold in range(FOLDS.get_n_splits())]].to_numpy().T
    assert chance.lines is not None
    honest = Teacher("f" * 64, chance.lines, folds, out_of_fold, pairs)
    knowing = replace(honest, without=np.array([out_of_fold] * len(pairs)))
    for teacher, taken in ((honest, "lightgbm"), (knowing, "lightgbm_taught")):
        chosen, _ = taught(found, [_searched("lightgbm")], chance, teacher, PLAN)
        assert chosen.chosen == taken


def test_an_ensemble_is_compared_as_a_whole(clients: Dataset) -> None:
    results = [_searched("lightgbm"), _searched("lightgbm_random")]
    found = replace(compare(results, clients, PLAN), chosen=ENSEMBLE, weights={"lightgbm": 0.5, "lightgbm_random": 0.5})
    teacher = _teacher(clients, _true_risk(clients))
    _, over_ensemble = taught(found, results, clients, teacher, PLAN)
    _, over_member = taught(replace(found, chosen="lightgbm"), results, clients, teacher, PLAN)
    assert over_ensemble.over == ENSEMBLE
    assert set(over_ensemble.gains) == {"lightgbm_taught", "lightgbm_random_taught"}
    members = {name: CANDIDATE_BY_NAME[name].pipeline(clients.columns, START, PLAN.seed) for name in found.weights}
    alone = held_out_log_odds(members, clients, teacher.splits, PLAN)
    both = weighted_mean([*alone.values()], [*found.weights.values()])
    held_out = [rows for _, rows in teacher.splits]
    ahead = fold_aucs(clients.defaulted, np.array([both]), held_out).mean()
    ahead -= fold_aucs(clients.defaulted, alone["lightgbm"][None], held_out).mean()
    for name, gain in over_ensemble.gains.items():
        assert gain.value == pytest.approx(over_member.gains[name].value - ahead)


def test_only_boosters_that_are_not_far_behind_are_taught() -> None:
    near, far = 0.8 - HOPELESS / 2, 0.8 - 2 * HOPELESS
    results = [_searched("logistic_regression"), _searched("xgboost", near), _searched("lightgbm", far)]
    assert [each.name for each in pupils(results)] == ["xgboost"]


def test_where_no_booster_is_near_the_best_the_card_still_names_the_teacher(clients: Dataset) -> None:
    results = [_searched("logistic_regression", 0.9), _searched("lightgbm", 0.8)]
    results[0] = replace(results[0], parameters={"C": 1.0})
    found = compare(results, clients, PLAN)
    chosen, teaching = taught(found, results, clients, _teacher(clients, _true_risk(clients)), PLAN)
    assert (chosen.chosen, chosen.results) == (found.chosen, found.results)
    assert teaching.gains == {}
    assert teaching.auc > 0.5


def test_where_a_fold_has_clients_of_one_outcome_only_nobody_is_taught(clients: Dataset, found: Compared) -> None:
    """A sample of rare defaults may be so; an AUC of it is no number."""
    teacher = _teacher(clients, _true_risk(clients))
    teacher = replace(teacher, folds=np.where(clients.defaulted, np.minimum(teacher.folds, 3), teacher.folds))
    chosen, teaching = taught(found, [_searched("lightgbm")], clients, teacher, PLAN)
    assert (chosen, teaching.gains) == (found, {})


@pytest.mark.parametrize("name", STUDENT_BY_TWIN)
def test_a_student_costs_one_more_than_its_twin_and_keeps_its_directions(name: str) -> None:
    twin, student = CANDIDATE_BY_NAME[name], STUDENT_BY_TWIN[name]
    assert (student.cost, twin_of(student.name)) == (twin.cost + 1, name)
    built = student.build(twin.start, [1, -1, 0], 7)
    assert built.booster.get_params() == twin.build(twin.start, [1, -1, 0], 7).get_params()


def test_a_label_is_half_the_outcome_and_half_the_teacher_s() -> None:
    assert softened(np.array([True, False]), np.array([0.2, 0.6])).tolist() == [0.6, 0.3]


@pytest.fixture
def only_lightgbm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "CANDIDATES", (replace(CANDIDATE_BY_NAME["lightgbm"], other_starts=()),))


def _trained(clients: Dataset, risk: Floats, stages: list[StageReport]) -> tuple[Scorer, Teaching]:
    part, _ = clients.split(PLAN.test_share, PLAN.seed)
    assert part.lines is not None
    scorer = train(clients, PLAN, on_stage=stages.append, teacher=_teacher(part, risk[part.lines - 2]))
    assert scorer.card.teacher
    return scorer, scorer.card.teacher


@pytest.mark.usefixtures("only_lightgbm")
def test_a_taught_model_is_trained_stored_and_served_without_its_teacher(clients: Dataset, tmp_path: Path) -> None:
    stages: list[StageReport] = []
    scorer, teaching = _trained(clients, _true_risk(clients), stages)
    assert TEACH in [stage.title for stage in stages]
    assert scorer.card.chosen == "lightgbm_taught" in STUDENTS
    assert scorer.card.why_chosen == "which is better than lightgbm beyond noise"
    assert teaching.sha256 == "f" * 64
    classifier: CalibratedClassifier = scorer.pipeline.named_steps["classifier"]
    assert isinstance(classifier.estimator_, TaughtLightGBM)
    risk = scorer.pipeline.predict_proba(clients.frame[list(scorer.card.features)])[:, 1]
    scorer.save(tmp_path)
    stored = Scorer.load(tmp_path)
    assert stored.card == scorer.card
    assert stored.score(clients.frame).tobytes() == scorer.score(clients.frame).tobytes() == risk.tobytes()
    assert abs(risk.mean() - clients.defaulted.mean()) < 0.05


@pytest.mark.usefixtures("only_lightgbm")
def test_a_teacher_that_gives_nothing_changes_nothing_but_the_card(clients: Dataset) -> None:
    clueless = np.random.default_rng(5).random(ROWS)
    scorer, teaching = _trained(clients, clueless, [])
    alone = train(clients, PLAN)
    assert scorer.card.chosen == alone.card.chosen == teaching.over
    assert scorer.score(clients.frame).tobytes() == alone.score(clients.frame).tobytes()
    assert scorer.policy == alone.policy
    assert alone.card.teacher is None
