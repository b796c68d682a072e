"""The demo model that is versioned with the code: it loads, is nobody's data, and is what training gives."""

import io
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

from credit_scoring.cli.training import GateOptions, SearchOptions, ThresholdOptions, plan_of
from credit_scoring.data.datasets import Dataset
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import PROJECT_FOLDER
from credit_scoring.training.train import train
from tests.support.command_line import error_here, run, walk
from tests.test_readme import answered

FILE = PROJECT_FOLDER / "data" / "models" / "demo.bentomodel"
OTHER_PROCESSORS = 1e-6  # of risk; without AVX2 and AVX-512 (OPENBLAS_CORETYPE, NPY_DISABLE_CPU_FEATURES) it was 2e-16


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was empty before the demo model was imported."""
    folder = tmp_path_factory.mktemp("home")
    found = run("models", "import", FILE, "--if-missing", BENTOML_HOME=str(folder))
    assert found.returncode == 0, found.stderr
    return folder


@pytest.fixture(scope="module")
def model(home: Path) -> Path:
    (card,) = home.glob("models/credit_scoring/*/card.json")
    return card.parent


@pytest.fixture(scope="module")
def demo(model: Path) -> Scorer:
    return Scorer.load(model)


def test_it_becomes_champion_of_an_empty_store_and_is_not_imported_again_if_missing(home: Path, model: Path) -> None:
    tag = f"credit_scoring:{model.name}"
    again = "models import no-such-file --if-missing"
    printed = walk(again, "models resolve", "models history", BENTOML_HOME=str(home))
    assert (printed[again], printed["models resolve"]) == ("", f"{tag}\n")
    assert tag in printed["models history"]


def test_another_hash_is_refused(tmp_path: Path) -> None:
    file = tmp_path / FILE.name
    file.write_bytes(FILE.read_bytes() + b"\0")
    file.with_name(f"{FILE.name}.sha256").write_bytes(FILE.with_name(f"{FILE.name}.sha256").read_bytes())
    assert "Nothing was imported" in error_here("models", "import", file)


def test_its_card_says_that_it_is_a_demo(demo: Scorer, model: Path) -> None:
    assert demo.card.data.source == "embedded"
    assert "never decide on it" in demo.card.data.note
    assert "never decide on it" in (model / "card.html").read_text(encoding="utf-8")


def test_it_is_compiled_with_the_libraries_of_the_lock_file(demo: Scorer) -> None:
    assert demo.compiled is not None


def found_in(content: bytes, frame: pd.DataFrame) -> int:
    """How many runs of four numbers the content holds that every 20th row, or a column, has one after the other."""
    numbers = frame.select_dtypes("number").to_numpy()
    rows = [row[start : start + 4] for row in numbers[::20] for start in range(numbers.shape[1] - 3)]
    columns = [column[start : start + 4] for column in numbers.T for start in range(0, len(column), 20)]
    runs = [run for run in (*rows, *columns) if len(set(run.tolist())) == 4]
    return sum(run.astype(kind).tobytes() in content for run in runs for kind in (np.float64, np.float32))


def test_its_pickle_holds_no_row_of_the_training_data(demo: Scorer, model: Path, dataset: Dataset) -> None:
    frame = dataset.frame[list(demo.card.features)]
    by_row, by_column = io.BytesIO(), io.BytesIO()
    joblib.dump(frame.select_dtypes("number").to_numpy(), by_row)
    joblib.dump(frame, by_column)
    assert found_in(by_row.getvalue(), frame) > 500
    assert found_in(by_column.getvalue(), frame) > 500
    assert found_in((model / "saved_model.pkl").read_bytes(), frame) == 0


def test_none_of_its_rows_is_an_applicant_s(demo: Scorer, dataset: Dataset) -> None:
    features = list(demo.card.features)
    clients = set(dataset.frame[features].astype(str).itertuples(index=False, name=None))
    rows = [*demo.reference.rows, *(each.values for each in demo.reference.applicants)]
    made_up = pd.DataFrame(rows)[features].astype(dataset.frame[features].dtypes.to_dict()).astype(str)
    assert len(made_up) > 256
    assert clients.isdisjoint(made_up.itertuples(index=False, name=None))


@pytest.mark.slow
def test_training_today_gives_the_same_scores_on_its_proof_rows(demo: Scorer, dataset: Dataset) -> None:
    """What `make train` trains; when this fails, the code has changed what training gives: `make demo-model`."""
    trained = train(dataset, plan_of(SearchOptions(), ThresholdOptions(), GateOptions()))
    risk = trained.score_records(demo.reference.rows)
    assert np.abs(risk - np.array(demo.reference.risk)).max() <= OTHER_PROCESSORS
    assert trained.policy == demo.policy


def test_the_readme_shows_what_it_answers(demo: Scorer) -> None:
    """When this fails after `make demo-model`, send the README's request again and put the answer there, twice."""
    request, answer = answered("README.md")
    record = {name: request.get(name) for name in demo.fields}
    (risk,), (ruling,) = demo.decide([record])
    assert answer["risk_probability"] == pytest.approx(risk, abs=OTHER_PROCESSORS)
    assert (answer["decision"], answer["threshold"]) == (ruling.answer, demo.policy.threshold)
    assert answer["policy_version"] == demo.policy.version
