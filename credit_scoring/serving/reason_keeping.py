"""Reasons put on record as they are given; under `best_effort` a decision log that is away keeps no client waiting."""

import logging
import time
from collections.abc import Mapping
from functools import partial

from credit_scoring.decisions import explanations
from credit_scoring.decisions.database import Database
from credit_scoring.decisions.outage import Outage, reason
from credit_scoring.errors import DecisionLogError

RETRY_AFTER_S = 1.0

logger = logging.getLogger(__name__)

Texts = Mapping[str, str]


class ReasonKeeper:
    """Keeps reasons in this database; without one nothing is kept."""

    def __init__(self, database: Database | None, *, best_effort: bool) -> None:
        self._database = database
        self._best_effort = best_effort
        self._outage = Outage(logger)
        self._retry_at = 0.0

    async def keep(self, texts: Texts, asked_by: Texts) -> Texts:
        """By decision, the reasons that count; raises DecisionLogError."""
        if self._database is None:
            return texts
        return await self._database.run(partial(explanations.keep, texts, asked_by))

    async def keep_new(self, texts: Texts, asked_by: Texts) -> Texts:
        """The same for decisions just given, which under `best_effort` are answered whether or not the log is away."""
        if not self._best_effort:
            return await self.keep(texts, asked_by)
        if time.monotonic() < self._retry_at:
            return texts
        try:
            kept = await self.keep(texts, asked_by)
        except DecisionLogError as error:
            self._outage.log(f"{reason(error)} Until it can be written, reasons are given and not kept.")
            self._retry_at = time.monotonic() + RETRY_AFTER_S
            return texts
        self._outage.end()
        return kept
