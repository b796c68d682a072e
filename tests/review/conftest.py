"""What test modules of the review desk share that have a `folder` of their own and a desk that is `running` in it."""

from pathlib import Path

import pytest

from tests.conftest import RunningService
from tests.review.desk import Reviewer


@pytest.fixture(scope="module")
def address(folder: Path) -> str:
    return f"sqlite:///{folder}/decisions.db"


@pytest.fixture(scope="module")
def ana(running: RunningService) -> Reviewer:
    return Reviewer.signed_in(running.url, "ana")
