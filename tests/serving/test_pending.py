"""What waits to be stored."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from credit_scoring.decisions.patience import Countdown
from credit_scoring.serving.pending import MicroBatch

AMPLE_S = 60.0


@pytest.fixture
def _no_collector() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize("is_given_up", [False, True])
def test_a_micro_batch_whose_callers_are_told_leaves_nothing_to_be_collected(is_given_up: bool) -> None:
    """Each would leave hundreds of decisions, and collecting those holds up a worker for a tenth of a second."""

    async def scenario() -> None:
        batch = MicroBatch([], [])
        batch.expiry = Countdown(AMPLE_S, lambda batch=batch: batch.give_up())  # type: ignore[misc]
        left = weakref.ref(batch)
        if is_given_up:
            batch.give_up()
        else:
            batch.settle([])
        del batch
        await asyncio.sleep(0)
        assert left() is None

    asyncio.run(scenario())
