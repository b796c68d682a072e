"""The letter to the client, over HTTP, of decisions that were given under policies of their day."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.support.decision_records import entry, put
from tests.conftest import RunningService
from tests.review.desk import Reviewer, desk


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("letter")


@pytest.fixture(scope="module")
def running(folder: Path, model_tag: str) -> Iterator[RunningService]:
    with desk(folder, model_tag, CREDIT_SCORING_WORKERS="1") as service:
        yield service


@pytest.fixture(scope="module")
def address(folder: Path) -> str:
    return f"sqlite:///{folder}/decisions.db"


@pytest.fixture(scope="module")
def ana(running: RunningService) -> Reviewer:
    return Reviewer.signed_in(running.url, "ana")


def test_where_the_reasons_of_a_refusal_cannot_be_found_there_is_no_letter_but_a_page_that_says_why(
    ana: Reviewer, address: str
) -> None:
    (decision,) = put(address, [entry()])  # of a model that is not in the store
    letter = ana.get(f"/mesa/decisoes/{decision}/carta")
    assert (letter.status_code, "O modelo que decidiu não está mais neste serviço" in letter.text) == (409, True)
    assert "não foi aprovada" not in letter.text
    assert "O modelo que decidiu não está mais neste serviço" in ana.get(f"/mesa/decisoes/{decision}").text
