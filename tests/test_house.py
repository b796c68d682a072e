"""The house that CONTRIBUTING shows is the one that the folders and the contract make."""

import re
import subprocess
import sys
import tomllib
from typing import Any

from credit_scoring.settings import PROJECT_FOLDER

ROOMS = {path.parent.name for path in (PROJECT_FOLDER / "credit_scoring").glob("*/__init__.py")}
ROOT_MODULES = {path.stem for path in (PROJECT_FOLDER / "credit_scoring").glob("*.py")} - {"__init__"}
CONTRIBUTING = (PROJECT_FOLDER / "CONTRIBUTING.md").read_text(encoding="utf-8")


def _layers() -> list[set[str]]:
    tools: dict[str, Any] = tomllib.loads((PROJECT_FOLDER / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    (layers,) = [each["layers"] for each in tools["importlinter"]["contracts"] if each["type"] == "layers"]
    return [set(re.findall(r"\w+", layer)) for layer in layers if not layer.startswith("(")]


def _arrows() -> set[tuple[str, str]]:
    return set(re.findall(r"^    (\w+)(?:\[\w+\])? --> (\w+)", CONTRIBUTING, re.MULTILINE))


def test_every_folder_and_root_module_has_its_place_in_the_contract() -> None:
    assert set().union(*_layers()) == ROOMS | ROOT_MODULES


def test_the_picture_shows_every_room_and_no_other() -> None:
    assert {room for arrow in _arrows() for room in arrow} - {"service"} == ROOMS


def test_every_arrow_of_the_picture_points_downwards() -> None:
    floor = {room: number for number, layer in enumerate(_layers()) for room in layer}
    assert all(floor[above] < floor[below] for above, below in _arrows())


def test_the_table_has_one_row_for_each_room() -> None:
    assert sorted(re.findall(r"^\| `(\w+)` \|", CONTRIBUTING, re.MULTILINE)) == sorted(ROOMS)


def test_every_room_says_what_it_is_for() -> None:
    texts = {room: (PROJECT_FOLDER / "credit_scoring" / room / "__init__.py").read_text() for room in ROOMS}
    assert all(text.startswith('"""') for text in texts.values()), texts


def test_what_starts_the_workers_loads_neither_scikit_learn_nor_pandas() -> None:
    """They would take it a second and 100 MB, and it only describes the API; without a model it ends there."""
    code = "import sys, credit_scoring.service; print({'sklearn', 'scipy.stats', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("set()\n", 0), done.stderr
