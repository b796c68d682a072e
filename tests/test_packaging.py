"""What is installed and shipped is what the lock file says."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import credit_scoring
from benchmarks.support.waiting import require
from credit_scoring.settings import PROJECT_FOLDER

EXPORTS = {
    "serve": ("main",),
    "train": ("main", "train"),
    "dev": ("main", "train", "dev"),
    "spark": ("main", "train", "spark"),
    "notebooks": ("main", "train", "spark", "notebooks"),
}
NOT_SERVED = (
    "optuna",
    "fairlearn",
    "seaborn",
    "kagglehub",
    "matplotlib",
    "pyspark",
    "pytest",
    "hypothesis",
    "black",
    "mypy",
    "pyarrow",
)

Pins = dict[tuple[str, str], set[str]]


def _exported(name: str) -> Pins:
    """Hashes by name and version, from a requirements file."""
    text = (PROJECT_FOLDER / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    pins: Pins = {}
    for entry in entries:
        match = re.match(r"(?P<name>[\w.-]+)(\[[\w,.-]+\])?==(?P<version>[^\s;]+)", entry)
        assert match, f"not pinned: {entry.splitlines()[0]}"
        pins[match["name"], match["version"]] = set(re.findall(r"--hash=(sha256:[0-9a-f]{64})", entry))
    return pins


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads((PROJECT_FOLDER / name).read_text(encoding="utf-8"))


def _locked(*groups: str) -> Pins:
    """Hashes by name and version of the locked packages in these groups."""
    packages = [package for package in _toml("poetry.lock")["package"] if {*groups} & {*package["groups"]}]
    return {(each["name"], each["version"]): {file["hash"] for file in each["files"]} for each in packages}


def _poetry() -> str:
    return require("poetry", "`make poetry`", PROJECT_FOLDER / ".poetry" / "bin")


@pytest.mark.parametrize("name", EXPORTS)
def test_every_requirement_is_locked_with_the_same_hashes(name: str) -> None:
    locked = _locked(*EXPORTS[name])
    exported = _exported(name)
    assert len(exported) > 30
    assert {pin: locked.get(pin) for pin in exported} == exported


@pytest.mark.parametrize("name", EXPORTS)
def test_every_requirement_has_hashes(name: str) -> None:
    assert all(_exported(name).values())


@pytest.mark.parametrize("name", EXPORTS)
def test_no_requirement_names_an_index_or_an_address(name: str) -> None:
    text = (PROJECT_FOLDER / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text)


@pytest.mark.parametrize("name", EXPORTS)
def test_every_direct_dependency_is_among_the_requirements(name: str) -> None:
    project = _toml("pyproject.toml")
    direct = list(project["project"]["dependencies"])
    for group in EXPORTS[name][1:]:
        direct += project["dependency-groups"][group]
    names = {re.split(r"[\[<>=!~; ]", each)[0].lower() for each in direct}
    assert names <= {pinned for pinned, _ in _exported(name)}


def test_the_served_image_carries_only_what_serving_needs() -> None:
    served = {name for name, _ in _exported("serve")}
    assert served.isdisjoint(NOT_SERVED)


def test_what_is_served_is_what_the_model_was_trained_with() -> None:
    assert _exported("serve").items() <= _exported("train").items()


def test_the_lock_file_names_no_index_of_its_own() -> None:
    assert not [package["name"] for package in _toml("poetry.lock")["package"] if "source" in package]


def test_pandas_stays_below_3_for_spark() -> None:
    (version,) = [version for name, version in _exported("spark") if name == "pandas"]
    assert int(version.partition(".")[0]) < 3


def test_compose_starts_the_image_of_this_version_unless_told_otherwise() -> None:
    services = yaml.safe_load((PROJECT_FOLDER / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    ours = {each["image"] for each in services.values() if "credit-scoring" in each["image"]}
    assert ours == {f"${{IMAGE:-credit-scoring:{credit_scoring.__version__}}}"}


def test_the_package_has_the_version_of_the_project() -> None:
    assert credit_scoring.__version__ == _toml("pyproject.toml")["project"]["version"]


def test_the_project_takes_the_pythons_that_the_lock_was_made_for() -> None:
    assert _toml("pyproject.toml")["project"]["requires-python"] == _toml("poetry.lock")["metadata"]["python-versions"]


def test_the_lock_file_is_fresh() -> None:
    found = subprocess.run(
        [_poetry(), "check", "--lock"], cwd=PROJECT_FOLDER, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("name", EXPORTS)
def test_a_fresh_export_is_what_lies_in_requirements(name: str, tmp_path: Path) -> None:
    fresh = tmp_path / "requirements.txt"
    command = [_poetry(), "export", "--only", ",".join(EXPORTS[name]), "--output", str(fresh)]
    subprocess.run(command, cwd=PROJECT_FOLDER, capture_output=True, check=True)
    assert fresh.read_bytes() == (PROJECT_FOLDER / "requirements" / f"{name}.txt").read_bytes()


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_than_on_linux_every_command_ends_with_one_sentence(platform: str) -> None:
    """Stands in for another system: what it is called is all that is asked."""
    pretend = f"import sys; sys.platform = {platform!r}; import credit_scoring.cli.app"
    done = subprocess.run([sys.executable, "-c", pretend], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"credit-scoring runs on Linux only, and this is {platform}. Run its container image, or a Linux machine."
    ]
