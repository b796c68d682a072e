"""Swagger in a real browser: the first thing that a newcomer does."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import element_to_be_clickable, presence_of_element_located

from tests.conftest import RunningService
from tests.support.browser import waiting

PREDICT = "#operations-decisions-predict"
ANSWER = f"{PREDICT} .live-responses-table tbody"
NETWORK = ("http:", "https:", "ws:", "wss:", "ftp:")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser without a window, with a profile of its own."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        do_without("No chromium and chromedriver on the PATH: `apt-get install chromium chromium-driver`.")
    options = ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    profile = tmp_path_factory.mktemp("profile")
    for switch in (
        *("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-background-networking"),
        *("disable-component-update", "disable-sync", "no-first-run", "no-proxy-server", "window-size=1280,1600"),
        f"user-data-dir={profile}",
    ):
        options.add_argument(f"--{switch}")
    log = str(profile / "driver.log")
    # The driver's path is given and statistics are off, so that selenium neither downloads nor reports anything.
    quiet = {**os.environ, "SE_AVOID_STATS": "true", "SE_OFFLINE": "true"}
    window = Chrome(options, ChromeService(driver, log_output=log, env=quiet))
    try:
        yield window
    finally:
        window.quit()


def do_without(reason: str) -> NoReturn:
    """Skip loudly; under CI a browser has to be there."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def answer(browser: Chrome, service: RunningService) -> str:
    """What Swagger shows after the example was tried out on POST /predict."""
    browser.get("about:blank")  # leaves the browser's own first page, and its requests, behind
    log(browser, "performance")
    browser.get(f"{service.url}/")
    click(browser, f"{PREDICT} .opblock-summary-control")
    click(browser, f"{PREDICT} button.execute")
    shown = waiting(browser).until(
        presence_of_element_located((By.CSS_SELECTOR, f"{ANSWER} .response-col_description pre"))
    )
    return shown.text


def click(browser: Chrome, selector: str) -> None:
    waiting(browser).until(element_to_be_clickable((By.CSS_SELECTOR, selector))).click()


def requested(browser: Chrome) -> list[str]:
    """Every address that the page asked for, those that were blocked included."""
    messages = [json.loads(entry["message"])["message"] for entry in log(browser, "performance")]
    return [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]


def log(browser: Chrome, kind: str) -> list[Any]:
    found: list[Any] = browser.get_log(kind)  # type: ignore[no-untyped-call]
    return found


def test_a_newcomer_tries_the_example_in_swagger_and_reads_the_decision(browser: Chrome, answer: str) -> None:
    decision = json.loads(answer)
    assert decision["decision"] in {"APROVADO", "NEGADO"}
    assert UUID(decision["decision_id"]).version == 7
    assert browser.find_element(By.CSS_SELECTOR, f"{ANSWER} .response-col_status").text.startswith("200")


@pytest.mark.usefixtures("answer")
def test_swagger_shows_every_endpoint(browser: Chrome) -> None:
    shown = {each.text for each in browser.find_elements(By.CSS_SELECTOR, ".opblock-summary-path")}
    assert {each.replace("\u200b", "") for each in shown} >= {"/predict", "/predict_many", "/model", "/metrics"}


@pytest.mark.usefixtures("answer")
def test_the_page_loads_nothing_from_another_host(browser: Chrome, service: RunningService) -> None:
    script = "return performance.getEntriesByType('resource').map(entry => entry.name)"
    loaded: list[str] = browser.execute_script(script)
    asked_for = requested(browser)
    assert f"{service.url}/predict" in asked_for
    assert f"{service.url}/docs.json" in loaded
    over_the_network = [each for each in (*loaded, *asked_for) if each.startswith(NETWORK)]
    assert [each for each in over_the_network if not each.startswith(f"{service.url}/")] == []


@pytest.mark.usefixtures("answer")
def test_the_browser_has_nothing_to_complain_about(browser: Chrome) -> None:
    assert [entry["message"] for entry in log(browser, "browser") if entry["level"] == "SEVERE"] == []


def test_a_profile_is_a_temporary_one(browser: Chrome, tmp_path_factory: pytest.TempPathFactory) -> None:
    profile = Path(browser.capabilities["chrome"]["userDataDir"])
    assert profile.is_relative_to(tmp_path_factory.getbasetemp())
