"""Copies of deploy/ to run its scripts in."""

import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import kubernetes_api
from tests.support.manifests import DEPLOY, kubectl
from tests.support.rollout import STAND_IN, Checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    shutil.copytree(DEPLOY, tmp_path / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    stand_in = tmp_path / "kubectl"
    text = STAND_IN.format(python=sys.executable, record=str(tmp_path / "asked"), kubectl=kubectl())
    stand_in.write_text(text, encoding="utf-8")
    stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
    return Checkout(tmp_path)


@pytest.fixture
def cluster(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> Iterator[kubernetes_api.Cluster]:
    """An API in memory, and the real kubectl in the stand-in's place."""
    (checkout.folder / "kubectl").unlink()
    (checkout.folder / "kubectl").symlink_to(kubectl())
    with kubernetes_api.served(checkout.folder) as (found, path):
        monkeypatch.setenv("KUBECONFIG", str(path))
        yield found
