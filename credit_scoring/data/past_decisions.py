"""What the decision log knows beside the rows of a data set: their risks of the day, and who has no outcome."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import ValidationError
from pydantic_core import from_json

from credit_scoring.application.arrays import Floats
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.schemas import REPLACES, SOURCES, Answer, Fault, faults
from credit_scoring.decisions.claims import Name
from credit_scoring.decisions.owners import owner_of
from credit_scoring.decisions.queries import Record
from credit_scoring.model.features import application_frame

Texts = npt.NDArray[np.object_]


@dataclass(frozen=True)
class PastDecisions:
    """Of each row with an outcome, the risk on record and the model that gave it, shape (rows,); and the other clients.

    `refused` and `open` have no outcome: the refused never will, of the others, who were approved, it is not known yet.
    Both frames have the feature fields. `unusable` is how many were left out because the catalogue rejects them.
    """

    risk: Floats
    model: Texts
    refused: pd.DataFrame
    open: pd.DataFrame
    unusable: int

    def rows(self, rows: npt.NDArray[np.intp]) -> Self:
        """The same beside the rows with these numbers."""
        return replace(self, risk=self.risk[rows], model=self.model[rows])

    def sampled(self, share: float, seed: int) -> Self:
        """The same with this share of the clients without an outcome, drawn at random."""
        refused, open_ones = (each.sample(frac=share, random_state=seed) for each in (self.refused, self.open))
        return replace(self, refused=refused, open=open_ones)


class WithoutOutcome:
    """Collects the decisions without an outcome while the log is read, each application once.

    What waits for people is not decided yet. What a correction has replaced counts as that one. Where an application
    id was decided twice, the decision with an outcome counts, else the first.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._named: dict[Name, int] = {}
        self._known: set[Name] = set()
        self._frames = [application_frame([], catalogue, catalogue.features)]
        self._approved: list[bool] = []
        self.unusable = 0

    def add(self, records: Iterable[Record]) -> None:
        """Take those of these decisions that have no outcome; with an outcome, only their names."""
        taken: list[dict[str, Any]] = []
        for record in records:
            name = _name_of(record)
            if record["outcome"]:
                self._known |= {name} if name else set()
            elif not record["replaced_by"] and record["effective_decision"] != Answer.REVIEW:
                taken += self._usable(record, name)
        self._frames.append(application_frame(taken, self._catalogue, self._catalogue.features))

    def _usable(self, record: Record, name: Name | None) -> list[dict[str, Any]]:
        """The application, if it is a new one that the catalogue accepts."""
        if name in self._named:
            return []
        application, found = received(record, self._catalogue)
        if found:
            self.unusable += 1
            return []
        if name:
            self._named[name] = len(self._approved)
        self._approved.append(record["effective_decision"] == Answer.APPROVED)
        return [application]

    def beside(self, risk: Floats, model: Texts) -> PastDecisions:
        """All that was collected, beside the rows that have these risks and models."""
        twice = [place for name, place in self._named.items() if name in self._known]
        approved = np.array(self._approved, dtype=np.bool_)
        once = np.ones(len(approved), dtype=np.bool_)
        once[twice] = False
        frame = pd.concat(self._frames, ignore_index=True)
        refused, open_ones = frame[once & ~approved], frame[once & approved]
        return PastDecisions(risk, model, refused, open_ones, self.unusable)


def received(record: Record, catalogue: Catalogue) -> tuple[dict[str, Any], list[Fault]]:
    """The fields of an application, or why this catalogue rejects it."""
    try:
        found = from_json(record["received"])
        for name in ("application_id", SOURCES, REPLACES):
            found.pop(name, None)
        return catalogue.application.model_validate(found).model_dump(), []
    except ValidationError as error:
        return {}, faults(error)


def _name_of(record: Record) -> Name | None:
    """The application id of a decision and whose it is, if it has one."""
    return None if record["application_id"] is None else Name(owner_of(record["asked_by"]), record["application_id"])
