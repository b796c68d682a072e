"""The benchmark of teachers: what an honest teacher gains, beside what labels that know the outcomes seem to gain."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold

from benchmarks.quality.sets import PublicSet
from benchmarks.quality.teacher import OUTER_FOLDS, SHARES, TWINS, Said, _rows
from benchmarks.support.made_up import made_up
from credit_scoring.application.arrays import Floats
from credit_scoring.data.datasets import Dataset

ROWS = 500


@pytest.fixture(scope="module")
def clients() -> Dataset:
    return made_up(11, ROWS)


def _said(clients: Dataset, own: Floats, of_held_out: Floats) -> Iterator[Said]:
    splitter = StratifiedKFold(OUTER_FOLDS, shuffle=True, random_state=42)
    for fit_rows, held_out in splitter.split(clients.frame, clients.defaulted):
        yield Said(own[fit_rows], of_held_out[held_out], seconds=1.0)


def _gains(row: str) -> list[tuple[str, float]]:
    return [(cell.strip(), float(re.sub(r"\*|\[.*", "", cell))) for cell in row.split("|")[6:-1]]


def test_each_student_has_a_row_with_a_gain_for_each_share_and_bold_means_beyond_noise(clients: Dataset) -> None:
    public = PublicSet("made-up", "none", lambda _: clients, 0.5, "", 1, 5)
    turned = 1 - clients.defaulted.astype(np.float64)
    rows = list(_rows("liar", public, list(_said(clients, turned, clients.defaulted.astype(float)))))
    assert [row.split("|")[4].strip() for row in rows] == list(TWINS)
    for row in rows:
        *gains, (_, seeming) = _gains(row)
        assert len(gains) == len(SHARES)
        text, lost = gains[-1]
        assert lost < -0.2  # labels that say the opposite of the outcome
        assert text.startswith("**")
        assert abs(seeming) < 0.1  # half the outcome, half the outcome again
        assert row.split("|")[3].strip() == "1.0000"


def test_what_the_teacher_s_environment_wrote_is_read(tmp_path: Path) -> None:
    path = tmp_path / "german-realmlp-1.json"
    path.write_text('{"out_of_fold": [0.1, 0.2], "held_out": [0.3], "seconds": 2.5}', encoding="utf-8")
    found = Said.read(path)
    np.testing.assert_array_equal(found.out_of_fold, [0.1, 0.2])
    np.testing.assert_array_equal(found.held_out, [0.3])
    assert found.seconds == 2.5
