"""The notebooks: what is committed was run from top to bottom, names no machine, and runs again."""

import importlib.util
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from credit_scoring.settings import PROJECT_FOLDER

FOLDER = PROJECT_FOLDER / "notebooks"
TO_RUN = ("nbclient", "nbformat", "ipykernel")
NEEDED = {
    "01_eda.ipynb": (*TO_RUN, "seaborn", "pyspark", "pyarrow"),
    "02_models.ipynb": (*TO_RUN, "matplotlib", "optuna", "fairlearn"),
}
MACHINE_FOLDERS = ("/work", "/tmp", "/home", "/root")  # noqa: S108 - looked for, not written to
MOST_BYTES = 1_500_000
CELL_WITHIN = 600

each_notebook = pytest.mark.parametrize("name", NEEDED)


def test_every_notebook_is_tested() -> None:
    assert {path.name for path in FOLDER.glob("*.ipynb")} == {*NEEDED}


@each_notebook
def test_a_notebook_runs_from_top_to_bottom(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _skip_where_it_cannot_run(name)
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    kernelspec = pytest.importorskip("ipykernel.kernelspec")
    kernelspec.write_kernel_spec(str(tmp_path / "jupyter" / "kernels" / "python3"))  # this Python, not the user's
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", str(PROJECT_FOLDER))
    monkeypatch.delenv("CREDIT_SCORING_KAGGLE_CSV", raising=False)
    notebook = nbformat.read(shutil.copy(FOLDER / name, tmp_path), as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=CELL_WITHIN, kernel_name="python3", resources=resources).execute()
    assert _of_type("error", notebook) == []


@each_notebook
def test_every_code_cell_of_a_committed_notebook_was_run_in_order(name: str) -> None:
    cells = [cell for cell in _committed(name)["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))


@each_notebook
def test_a_committed_notebook_holds_no_error_and_no_warning(name: str) -> None:
    notebook = _committed(name)
    assert _of_type("error", notebook) == []
    assert [output["text"] for output in _of_type("stream", notebook) if output["name"] == "stderr"] == []


@each_notebook
def test_a_committed_notebook_names_no_folder_of_a_machine(name: str) -> None:
    notebook = _committed(name)
    pictures = [output["data"].pop("image/png") for output in _outputs(notebook) if "image/png" in _data(output)]
    text = json.dumps(notebook)  # without the pictures, whose letters may spell anything
    assert pictures
    assert [folder for folder in MACHINE_FOLDERS if folder in text] == []


@each_notebook
def test_a_committed_notebook_begins_with_the_word_on_the_demo_data(name: str) -> None:
    first = " ".join("".join(_committed(name)["cells"][0]["source"]).lower().split())
    assert "old spanish loans" in first
    assert "never decide on" in first


@each_notebook
def test_a_committed_notebook_is_small_enough_to_be_read_on_the_web(name: str) -> None:
    assert (FOLDER / name).stat().st_size < MOST_BYTES


def _skip_where_it_cannot_run(name: str) -> None:
    """Skip loudly, with what to do about it."""
    if absent := [module for module in NEEDED[name] if importlib.util.find_spec(module) is None]:
        pytest.skip(f"NOTEBOOK {name} NOT RUN, no {', '.join(absent)}: `make test-spark` installs them and runs it")
    if "pyspark" in NEEDED[name] and not ("JAVA_HOME" in os.environ or shutil.which("java")):
        pytest.skip(f"NOTEBOOK {name} NOT RUN, no Java for Spark: install Java 17 or newer, then `make test-spark`")


def _committed(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def _outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook["cells"] if cell["cell_type"] == "code" for output in cell["outputs"]]


def _of_type(kind: str, notebook: Any) -> list[Any]:
    return [output for output in _outputs(notebook) if output["output_type"] == kind]


def _data(output: Any) -> Any:
    return output.get("data", {})
