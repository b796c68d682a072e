"""The benchmark of missing values: the price of a set, with an interval that knows that folds overlap."""

import math
import re

import numpy as np
import pytest
from scipy.stats import t as student

from benchmarks.quality.missing import _line

LINE = re.compile(r"demo: 1\.0% missing, AUC (\S+), price (\S+) \[(\S+), (\S+)\]")


def test_the_price_has_a_95_percent_interval_that_is_corrected_for_overlapping_folds() -> None:
    prices = np.linspace(-0.01, 0.03, 15)
    found = LINE.fullmatch(_line("demo", 0.01, [(0.8, 0.8 - price) for price in prices]))
    assert found
    spread = prices.std(ddof=1) * math.sqrt(1 / 15 + 1 / 4)
    reach = spread * student.ppf(0.975, 14)
    expected = [0.8, 0.01, 0.01 - reach, 0.01 + reach]
    assert [float(each) for each in found.groups()] == pytest.approx(expected, abs=6e-5)
