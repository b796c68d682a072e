"""The benchmark of quality: its table is made of what is on disk, and only what is not there yet is measured."""

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import __main__ as quality
from benchmarks.quality import sets
from benchmarks.quality.__main__ import main
from benchmarks.quality.fold import CHOSEN, Fold
from benchmarks.quality.report import OUTER_FOLDS
from benchmarks.quality.sets import SETS
from credit_scoring.evaluation.performance import CALIBRATION_BINS
from credit_scoring.training.candidates import ENSEMBLE

RISKS = np.linspace(0.299, 0.301, 400).tolist()  # told apart, or all clients were one bin


@pytest.fixture(autouse=True)
def nothing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Public sets are not there, and measuring the embedded one fails."""

    def fail(*_: object) -> None:
        raise AssertionError("measured")

    monkeypatch.setattr(sets, "FOLDER", tmp_path / "none")
    monkeypatch.setattr(quality, "measured", fail)


def store(output: Path, name: str, folds: int = OUTER_FOLDS, trials: int | None = None) -> None:
    folder = output / "quality"
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    for number in range(1, folds + 1):
        defaulted = random.random(400) < 0.3
        log_odds = (random.normal(size=400) + 2 * defaulted).tolist()
        fold = Fold(
            trials=SETS[name].trials if trials is None else trials,
            inner_folds=SETS[name].folds,
            rows=list(range(400)),
            defaulted=defaulted.tolist(),
            chosen="xgboost",
            weights={"lightgbm": 0.25, "xgboost": 0.75},
            log_odds={ENSEMBLE: log_odds, CHOSEN: log_odds, "xgboost": log_odds},
            begun={"xgboost": log_odds[::-1]},
            searched={"xgboost": 7},
            risk={ENSEMBLE: RISKS, CHOSEN: RISKS},
            calibration={ENSEMBLE: "none", CHOSEN: "sigmoid"},
            seconds=30,
        )
        (folder / f"{name}-{number}.json").write_text(fold.model_dump_json(), encoding="utf-8")


def table(output: Path, asked: str = "gmsc") -> str:
    main(sets=asked, jobs=1, output=output)
    return (output / "quality.md").read_text(encoding="utf-8")


def test_the_table_has_every_set_that_is_on_disk_whichever_was_asked_for(tmp_path: Path) -> None:
    store(tmp_path, "heloc")
    store(tmp_path, "taiwan")
    text = table(tmp_path, asked="gmsc")
    assert all(f"| {name} | {model} |" in text for name in ("heloc", "taiwan") for model in (ENSEMBLE, CHOSEN))
    assert "| gmsc |" not in text


def test_a_set_that_is_not_done_is_named_with_how_far_it_is(tmp_path: Path) -> None:
    store(tmp_path, "heloc", folds=3)
    text = table(tmp_path)
    assert "heloc: NOT MEASURED, 3 of 5 folds done." in text
    assert "gmsc: NOT MEASURED, 0 of 5 folds done." in text
    assert "| heloc |" not in text


def test_the_table_says_how_long_a_set_took_and_how_its_ensemble_weighs(tmp_path: Path) -> None:
    store(tmp_path, "heloc")
    chosen = "chosen: xgboost, xgboost, xgboost, xgboost, xgboost"
    expected = f"{chosen}; mean weights in the ensemble: lightgbm 0.25, xgboost 0.75."
    assert f"heloc: 2 minutes, {SETS['heloc'].trials} trials on 3 inner folds; {expected}" in table(tmp_path)


def test_beside_the_calibration_error_stands_what_chance_alone_may_make_of_it(tmp_path: Path) -> None:
    store(tmp_path, "heloc")
    (cell,) = re.findall(rf"\| heloc \| {CHOSEN} \|.*\(sigmoid\) \| ([^|]*) \|", table(tmp_path))
    found, of_chance = map(float, re.findall(r"0\.\d{4}", cell))
    expected_of_one_bin = np.sqrt(0.3 * 0.7 / (OUTER_FOLDS * 400 / CALIBRATION_BINS)) * np.sqrt(2 / np.pi)
    assert expected_of_one_bin < of_chance < 2 * expected_of_one_bin
    assert found < of_chance


def test_the_goal_is_for_what_train_publishes_and_not_for_what_turned_out_best(tmp_path: Path) -> None:
    store(tmp_path, "heloc")
    lines = [line for line in table(tmp_path).splitlines() if "**missed**" in line or "; TabICLv2" in line]
    assert [line.split("|")[2].strip() for line in lines] == [CHOSEN]


def test_what_a_search_gains_over_its_starts_has_its_interval(tmp_path: Path) -> None:
    store(tmp_path, "heloc")
    (gain,) = re.findall(r"\| heloc \| xgboost \| 7 \| 0\.\d+ \| (.+) \|", table(tmp_path))
    value, low, high = map(float, re.findall(r"[+-]0\.\d{4}", gain))
    assert 0.3 < low < value < high < 0.6  # from no use to two standard deviations apart


def test_folds_that_are_done_are_not_measured_again(tmp_path: Path) -> None:
    store(tmp_path, "credit_data")
    assert "| credit_data |" in table(tmp_path, asked="credit_data")


def test_a_fold_that_was_cut_off_or_had_another_number_of_trials_is_measured_again(tmp_path: Path) -> None:
    store(tmp_path, "credit_data", trials=SETS["credit_data"].trials + 1)
    with pytest.raises(AssertionError, match="measured"):
        table(tmp_path, asked="credit_data")
    store(tmp_path, "credit_data")
    last = tmp_path / "quality" / "credit_data-5.json"
    last.write_text(last.read_text(encoding="utf-8")[:100], encoding="utf-8")
    with pytest.raises(AssertionError, match="measured"):
        table(tmp_path, asked="credit_data")


def test_asked_to_measure_again_it_forgets_what_was_done(tmp_path: Path) -> None:
    store(tmp_path, "credit_data")
    with pytest.raises(AssertionError, match="measured"):
        main(sets="credit_data", jobs=1, output=tmp_path, again=True)
