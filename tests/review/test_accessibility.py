"""The review desk as axe-core, from npm, sees it in a real browser: nothing serious stands in anybody's way."""

import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome

from tests.conftest import RunningService
from tests.review.desk import WEAK, decided, desk
from tests.review.test_browser import ana, visitor
from tests.serving.test_browser import browser, do_without, log

__all__ = ["ana", "browser", "visitor"]  # fixtures

AXE = "axe-core@4.14.1"
NPM_ENDED_WITHIN = 120
SERIOUS = {"serious", "critical"}
RUN = """
const [options, done] = arguments;
axe.run(document, options).then(
    found => done(found.violations.map(each => [each.impact, each.id, each.nodes[0].html]))
);
"""
QUIETLY = {"preload": False}  # else it fetches style sheets, which the pages' policy forbids


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """axe-core's script."""
    npm = shutil.which("npm")
    if npm is None:
        do_without("No npm on the PATH: `apt-get install npm`.")
    folder = tmp_path_factory.mktemp("axe")
    command = [npm, "pack", AXE, "--silent", "--pack-destination", str(folder), "--cache", str(folder / "cache")]
    packed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=NPM_ENDED_WITHIN, check=False)
    if packed.returncode:
        do_without(f"npm cannot get {AXE}: {packed.stderr.strip()[-300:]}")
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as file:
        found = file.extractfile("package/axe.min.js")
        assert found
        return found.read().decode()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, model_tag: str) -> Iterator[RunningService]:
    """A desk where verdicts take two people, so that every form there is comes into sight."""
    with desk(tmp_path_factory.mktemp("axe-desk"), model_tag, CREDIT_SCORING_FOUR_EYES="true") as service:
        yield service


def seen_by(axe: str, browser: Chrome) -> list[Any]:
    """What axe finds on the page that is shown; its script comes by the driver, past the page's policy."""
    browser.execute_script(axe)
    found: list[Any] = browser.execute_async_script(RUN, QUIETLY)
    return [each for each in found if each[0] in SERIOUS]


def test_on_no_page_is_anything_serious(ana: Chrome, running: RunningService, axe: str) -> None:
    earlier = decided(running, application_id="acesso-1")
    later = decided(running, application_id="acesso-2", replaces="acesso-1")
    denied = decided(running, term_months=200, **WEAK)
    paths = {
        "queue": "/mesa/",
        "an empty list": "/mesa/?tipo=vencidos",
        "search": "/mesa/buscar",
        "nothing found": "/mesa/buscar?id=nada",
        "overview": "/mesa/resumo",
        "a case that waits": f"/mesa/decisoes/{earlier}",
        "its correction": f"/mesa/decisoes/{later}",
        "a simulation": f"/mesa/decisoes/{denied}?simular=sim",
        "letter": f"/mesa/decisoes/{denied}/carta",
        "no such page": "/mesa/nada",
    }
    for name, path in paths.items():
        ana.get(f"{running.url}{path}")
        assert seen_by(axe, ana) == [], name
    assert [each for each in log(ana, "browser") if "Content Security Policy" in each["message"]] == []


def test_before_signing_in_neither(visitor: Chrome, axe: str) -> None:
    assert seen_by(axe, visitor) == []


def test_a_field_without_its_label_would_be_seen(visitor: Chrome, axe: str) -> None:
    """So that the tests before this one mean something."""
    visitor.execute_script("document.querySelector('label').remove()")
    assert "label" in [rule for _, rule, _ in seen_by(axe, visitor)]
