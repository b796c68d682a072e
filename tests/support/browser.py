"""Waiting for a real browser."""

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

SOON = 30


def waiting(browser: Chrome) -> WebDriverWait[Chrome]:
    """Waits past what a browser cannot do while a page gives way to the next, or is not yet drawn."""
    return WebDriverWait(browser, SOON, ignored_exceptions=[WebDriverException])
