"""What a model did not know of an application: fields that were not sent, values beyond all that it was trained on."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from credit_scoring.application.records import Record, Records, getter
from credit_scoring.model.reference import RISK, DriftReference

Names = tuple[str, ...]

_NONE: Names = ()


class Unknowns:
    """Looks for them by the column; models from before ranges were kept tell no values beyond them."""

    def __init__(self, features: Sequence[str], reference: DriftReference | None) -> None:
        self._features = tuple(features)
        bins = [each for each in reference.fields if each.field != RISK] if reference else []
        numbers = [each for each in bins if not each.values]
        self._numbers = tuple(each.field for each in numbers)  # those of the model: read but once for both
        self._least = np.array([-np.inf if each.least is None else each.least for each in numbers])
        self._greatest = np.array([np.inf if each.greatest is None else each.greatest for each in numbers])
        self._unseen = [(each.field, each.unseen) for each in bins if each.unseen]
        self._values = getter(self._features)
        self._others = getter(tuple(name for name in features if name not in self._numbers))

    def missing(self, records: Sequence[Record]) -> list[Names]:
        """For each record the features that it does not have."""
        numbers = Records.of(records).table(self._numbers)
        if not np.isnan(numbers).any() and not any(None in self._others(record) for record in records):
            return [_NONE] * len(records)
        rows = map(self._values, records)
        return [self._of_none(values) if None in values else _NONE for values in rows]

    def _of_none(self, values: tuple[Any, ...]) -> Names:
        return tuple(name for name, value in zip(self._features, values, strict=True) if value is None)

    def outside_training(self, records: Sequence[Record]) -> list[Names]:
        """For each record the fields beyond the training range, in the model's order."""
        found = [_NONE] * len(records)
        numbers = Records.of(records).table(self._numbers)
        outside = (numbers < self._least) | (numbers > self._greatest)
        if outside.any():
            for row, place in zip(*(each.tolist() for each in np.nonzero(outside)), strict=True):
                found[row] += (self._numbers[place],)
        for name, unseen in self._unseen:
            for row, record in enumerate(records):
                if record[name] in unseen:
                    found[row] += (name,)
        return found
