"""How many connections a worker takes."""

import resource
from collections.abc import Iterator

import pytest

from credit_scoring.serving.connections import RESERVED_FILES, affordable_connections


@pytest.fixture
def few_files() -> Iterator[int]:
    """How many files this process may open meanwhile."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = 1024
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, before[1]))
    try:
        yield few
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_as_many_connections_are_taken_as_are_set(few_files: int, caplog: pytest.LogCaptureFixture) -> None:
    assert affordable_connections(few_files // 2) == few_files // 2
    assert caplog.text == ""


def test_more_connections_than_files_may_be_opened_are_lowered_with_a_line_in_the_log(
    few_files: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert affordable_connections(4096) == few_files - RESERVED_FILES
    assert "CREDIT_SCORING_MAX_CONNECTIONS=4096 is more than `ulimit -n` of 1024 allows" in caplog.text
