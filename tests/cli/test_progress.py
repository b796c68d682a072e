"""What a long command shows: bars on a terminal, a line for each stage elsewhere."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from credit_scoring.cli.progress import LINE_EVERY_S, Planned, counted_lines, counting, duration, stage, training
from credit_scoring.training.candidates import CANDIDATE_BY_NAME, UNCONSTRAINED
from credit_scoring.training.search import TrialReport
from credit_scoring.training.stages import COMPARE, SEARCH, StageReport

FIRST, SECOND = CANDIDATE_BY_NAME["logistic_regression"], CANDIDATE_BY_NAME["lightgbm"]
PLANNED = [Planned(FIRST.name, FIRST.title, 5), Planned(SECOND.name, SECOND.title, None)]
SEARCHING = StageReport(SEARCH, "100 rows", 240.0, limit=True)
COMPARING = StageReport(COMPARE, "6 candidates", 40.0)


@pytest.fixture
def shown() -> io.StringIO:
    return io.StringIO()


def console(shown: io.StringIO, *, terminal: bool) -> Console:
    return Console(file=shown, force_terminal=terminal, width=120, color_system=None)


def trial(number: int, of: int = 0, *, last: bool = False) -> TrialReport:
    return TrialReport((FIRST, SECOND)[of], number, 5, 0.8, 0.8 + number / 100, last)


def test_without_a_terminal_each_stage_is_a_line_with_its_time_when_it_begins(shown: io.StringIO) -> None:
    with training(console(shown, terminal=False), PLANNED) as progress:
        progress.on_stage(SEARCHING)
        begun = f"Search: 100 rows, at most 4 min …\n  {FIRST.title}; at most 5 trials …\n"
        assert shown.getvalue() == begun
        progress.on_trial(trial(1))
        assert shown.getvalue() == begun + "  about 1 s a trial\n"
        progress.on_trial(trial(2, last=True))
        assert shown.getvalue().endswith("  best AUC 0.8200 in 2 trials\n")
        progress.on_trial(trial(1, of=1, last=True))
        assert shown.getvalue().endswith(f"  {SECOND.title} …\n  best AUC 0.8100 in 1 trials\n")
        progress.on_stage(COMPARING)
        assert shown.getvalue().endswith("  best AUC 0.8100 in 1 trials\nCompare: 6 candidates, about 40 s …\n")


def test_without_a_terminal_a_search_that_is_left_out_is_not_announced(shown: io.StringIO) -> None:
    free = replace(FIRST, name=UNCONSTRAINED)
    planned = [*PLANNED, Planned(UNCONSTRAINED, "The best, without constraints", None)]
    with training(console(shown, terminal=False), planned) as progress:
        progress.on_stage(SEARCHING)
        progress.on_trial(trial(1, last=True))
        progress.on_trial(TrialReport(free, 1, 5, 0.8, 0.83, True))
    assert SECOND.title not in shown.getvalue()
    assert shown.getvalue().endswith("  The best, without constraints …\n  best AUC 0.8300 in 1 trials\n")


def test_a_stage_whose_time_is_not_known_yet_says_what_it_works_on(shown: io.StringIO) -> None:
    with training(console(shown, terminal=False), PLANNED) as progress:
        progress.on_stage(StageReport(SEARCH, "100 rows", None))
    assert shown.getvalue().startswith("Search: 100 rows …\n")


def test_on_a_terminal_there_are_bars_with_the_best_so_far_and_the_time_of_each_stage(shown: io.StringIO) -> None:
    with training(console(shown, terminal=True), PLANNED) as progress:
        progress.on_stage(SEARCHING)
        progress.on_trial(trial(2, last=True))
        progress.on_stage(COMPARING)
    assert f"{FIRST.title}" in shown.getvalue()
    assert "2/2" in shown.getvalue()
    assert "best AUC 0.8200" in shown.getvalue()
    assert "about 40 s" in shown.getvalue()
    assert "1/1" in shown.getvalue()


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "1 s"), (8.4, "8 s"), (99, "99 s"), (240, "4 min"), (1800, "30 min"), (9000, "2.5 h")]
)
def test_a_duration_is_told_as_people_say_it(seconds: float, said: str) -> None:
    assert duration(seconds) == said


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
