"""What a model did not know of an application: fields that were not sent, values beyond all that it was trained on."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from credit_scoring.application.records import getter
from credit_scoring.model.reference import RISK, DriftReference

Record = Mapping[str, Any]
Names = tuple[str, ...]

_NONE: Names = ()


class Unknowns:
    """Looks for them by the column; models from before ranges were kept tell no values beyond them."""

    def __init__(self, features: Sequence[str], reference: DriftReference | None) -> None:
        self._features = tuple(features)
        self._values = getter(self._features)
        bins = [each for each in reference.fields if each.field != RISK] if reference else []
        numbers = [each for each in bins if each.least is not None and not each.is_flag]
        self._numbers = [each.field for each in numbers]
        self._read = getter(self._numbers) if numbers else None
        self._least = np.array([each.least for each in numbers])
        self._greatest = np.array([each.greatest for each in numbers])
        self._unseen = [(each.field, each.unseen) for each in bins if each.unseen]

    def missing(self, records: Sequence[Record]) -> list[Names]:
        """For each record the features that it does not have."""
        rows = map(self._values, records)
        return [self._of_none(values) if None in values else _NONE for values in rows]

    def _of_none(self, values: tuple[Any, ...]) -> Names:
        return tuple(name for name, value in zip(self._features, values, strict=True) if value is None)

    def outside_training(self, records: Sequence[Record]) -> list[Names]:
        """For each record the fields beyond the training range, in the model's order."""
        found = [_NONE] * len(records)
        if self._read:
            numbers = np.array([self._read(record) for record in records], dtype=np.float64)
            outside = (numbers < self._least) | (numbers > self._greatest)
            if outside.any():
                for row, place in zip(*(each.tolist() for each in np.nonzero(outside)), strict=True):
                    found[row] += (self._numbers[place],)
        for name, unseen in self._unseen:
            for row, record in enumerate(records):
                if record[name] in unseen:
                    found[row] += (name,)
        return found
