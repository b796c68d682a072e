"""As many clients as wanted, made from a public set: resampled, with noise on every number."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.data.datasets import Dataset

NOISE = 0.05  # standard deviation, as a share of the value
WEAK = 2.0  # noise of a made-up field, in standard deviations of the field that it repeats


def resampled(dataset: Dataset, rows: int, fields: int, seed: int = 0) -> Dataset:
    """Clients drawn with replacement, their numbers off by a few per cent, with so many feature fields.

    Fields that the set does not have repeat one of its numbers with much noise, so that each tells a little.
    """
    generator = np.random.default_rng(seed)
    picked = generator.integers(0, len(dataset.frame), rows)
    frame = dataset.frame.iloc[picked].reset_index(drop=True)
    numbers = [name for name in dataset.features if dataset.catalogue.fields[name].is_number]
    for name in numbers:
        frame[name] *= np.exp(generator.normal(0, NOISE, rows))
    made = {
        f"made_up_{place}": _weakly(frame[numbers[place % len(numbers)]], generator)
        for place in range(fields - len(dataset.features))
    }
    return replace(
        dataset,
        source=f"resampled:{rows}",
        catalogue=_with(dataset.catalogue, [*made]),
        frame=frame.assign(**made),
        defaulted=dataset.defaulted[picked],
        bad_rows=(),
        lines=None,
    )


def _weakly(column: "pd.Series[float]", generator: np.random.Generator) -> "pd.Series[float]":
    return column + generator.normal(0, WEAK * float(column.std()), len(column))


def _with(catalogue: Catalogue, names: list[str]) -> Catalogue:
    content: dict[str, Any] = catalogue.model_dump()
    fields = {
        name: {key: value for key, value in each.items() if key != "name"} for name, each in content["fields"].items()
    }
    more = {name: {"title": name, "kind": "number"} for name in names}
    return Catalogue.model_validate({**content, "fields": {**fields, **more}})
