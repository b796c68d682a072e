"""What a long command shows: bars on a terminal, a line for each stage elsewhere."""

import io

import pytest
from rich.console import Console

from credit_scoring.cli.progress import FINAL, LINE_EVERY_S, Planned, counted_lines, counting, searching, stage
from credit_scoring.training.candidates import CANDIDATE_BY_NAME
from credit_scoring.training.search import TrialReport

FIRST, SECOND = CANDIDATE_BY_NAME["logistic_regression"], CANDIDATE_BY_NAME["lightgbm"]
PLANNED = [Planned(FIRST.name, FIRST.title, 2), Planned(SECOND.name, SECOND.title, None)]
TRIALS = {FIRST.name: 2, SECOND.name: 3}


@pytest.fixture
def shown() -> io.StringIO:
    return io.StringIO()


def console(shown: io.StringIO, *, terminal: bool) -> Console:
    return Console(file=shown, force_terminal=terminal, width=120, color_system=None)


def trial(number: int, of: int = 0) -> TrialReport:
    candidate = (FIRST, SECOND)[of]
    return TrialReport(candidate, number, TRIALS[candidate.name], 0.8, 0.8 + number / 100)


def test_without_a_terminal_each_stage_is_a_line_when_it_begins(shown: io.StringIO) -> None:
    with searching(console(shown, terminal=False), PLANNED) as on_trial:
        first = f"Search {FIRST.title}; trials: 2 …\n"
        assert shown.getvalue() == first
        on_trial(trial(1))
        assert shown.getvalue() == first
        on_trial(trial(2))
        second = f"  best AUC 0.8200\nSearch {SECOND.title} …\n"
        assert shown.getvalue() == first + second
        for number in (1, 2, 3):
            on_trial(trial(number, of=1))
        assert shown.getvalue() == first + second + f"  best AUC 0.8300\n{FINAL} …\n"


def test_a_stage_whose_predecessor_ran_out_of_time_is_told_by_its_first_trial(shown: io.StringIO) -> None:
    with searching(console(shown, terminal=False), PLANNED) as on_trial:
        on_trial(trial(1))
        on_trial(trial(1, of=1))
        assert shown.getvalue().endswith(f"Search {SECOND.title} …\n")


def test_on_a_terminal_there_are_bars_with_the_best_so_far(shown: io.StringIO) -> None:
    with searching(console(shown, terminal=True), PLANNED) as on_trial:
        on_trial(trial(2))
    assert f"{FIRST.title}" in shown.getvalue()
    assert "2/2" in shown.getvalue()
    assert "best AUC 0.8200" in shown.getvalue()


def test_a_stage_of_its_own_is_told_when_it_begins(shown: io.StringIO) -> None:
    with stage(console(shown, terminal=False), "Measuring"):
        assert shown.getvalue() == "Measuring …\n"


def test_without_a_terminal_what_is_done_is_a_line_every_few_seconds(shown: io.StringIO) -> None:
    now = 0.0
    with counted_lines(console(shown, terminal=False), "Scored", lambda: now) as on_count:
        on_count(1, 10)
        assert shown.getvalue() == ""
        now = LINE_EVERY_S
        on_count(4, 10)
        now += LINE_EVERY_S / 2
        on_count(5, 10)
        now += LINE_EVERY_S / 2
        on_count(10, 10)
    assert shown.getvalue() == "Scored: 40% …\nScored: 100% …\n"


def test_on_a_terminal_what_is_done_is_a_bar_from_the_first_count_on(shown: io.StringIO) -> None:
    with counting(console(shown, terminal=True), "Scored") as on_count:
        assert shown.getvalue() == ""
        on_count(4, 10)
        on_count(10, 10)
    assert "Scored" in shown.getvalue()
    assert "100%" in shown.getvalue()
