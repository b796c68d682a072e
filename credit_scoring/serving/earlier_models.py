"""Models that decided before the one in use, loaded where this service has them."""

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from credit_scoring.errors import ModelNotFoundError, ModelRejectedError, RequestError
from credit_scoring.model import store
from credit_scoring.serving.explanation_thread import ExplanationThread

if TYPE_CHECKING:  # so that the API can be described without scikit-learn
    from credit_scoring.model.scorer import Scorer

RETRY_AFTER_S = 1.0  # a list may name a model that cannot be loaded a thousand times


class EarlierModels:
    """Loads models in the thread, and keeps the last one."""

    def __init__(self, thread: ExplanationThread) -> None:
        self._thread = thread
        self._last: tuple[str, Scorer] | None = None
        self._failed: dict[str, tuple[str, float]] = {}

    async def scorer_of(self, tag: str, *, admitted: bool) -> "Scorer":
        """The scorer of this model; raises RequestError `no_model` where it cannot be loaded."""
        if self._last and self._last[0] == tag:
            return self._last[1]
        message, retry_at = self._failed.get(tag, ("", 0.0))
        if time.monotonic() < retry_at:
            raise _no_model(message)
        try:
            self._last = tag, await self._thread.run(partial(_loaded, tag), admitted=admitted)
        except RequestError as error:
            self._failed[tag] = str(error), time.monotonic() + RETRY_AFTER_S
            raise
        return self._last[1]


def _loaded(tag: str) -> "Scorer":
    from credit_scoring.model.scorer import Scorer  # noqa: PLC0415 - the API is described without scikit-learn

    try:
        return Scorer.load(Path(store.find(tag).path))
    except ModelNotFoundError:
        problem = "is not in the store of this service"
    except ModelRejectedError:  # as after a change of libraries
        problem = "cannot be loaded by this service"
    raise _no_model(
        f"Model {tag}, which decided, {problem}, so that its reasons cannot be found here. "
        "`credit-scoring decisions reasons` finds them where the model can be loaded."
    )


def _no_model(message: str) -> RequestError:
    return RequestError(409, message, "no_model")
