"""What the images are built on: a base that is named by its digest, in one place, and renewed there."""

import os
import re
import subprocess

import yaml

from credit_scoring.settings import PROJECT_FOLDER

FOLDER = PROJECT_FOLDER / "deploy" / "image" / "base"
QUIET = ("make", "--no-print-directory", "--dry-run", "--assume-old=install")


def commands(*arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "BASE_IMAGE"}
    command = [*QUIET, *arguments]
    return subprocess.run(
        command, cwd=PROJECT_FOLDER, env=environment, check=True, capture_output=True, text=True
    ).stdout


def test_both_images_are_built_on_a_base_by_digest_unless_another_is_named() -> None:
    for target in ("image", "train-image"):
        assert re.search(r"BASE_IMAGE=python:3\.11-slim@sha256:[0-9a-f]{64} ", commands(target))
        assert "BASE_IMAGE=mine:1 " in commands(target, "BASE_IMAGE=mine:1")


def test_no_workflow_names_another_base() -> None:
    release = (PROJECT_FOLDER / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert "BASE_IMAGE" not in release


def test_dependabot_renews_it_within_its_version_of_python() -> None:
    updates = yaml.safe_load((PROJECT_FOLDER / ".github" / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    (base,) = (each for each in updates if each["package-ecosystem"] == "docker")
    assert PROJECT_FOLDER / base["directory"].lstrip("/") == FOLDER
    ignored = ["version-update:semver-major", "version-update:semver-minor"]
    assert base["ignore"] == [{"dependency-name": "python", "update-types": ignored}]
