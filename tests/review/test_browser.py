"""The review desk in a real browser, as a reviewer uses it: by keyboard where it can be."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.expected_conditions import presence_of_element_located

from tests.conftest import RunningService
from tests.review.desk import REASON, SECRETS, decided, desk
from tests.serving.test_browser import browser as browser  # noqa: PLC0414 - a fixture
from tests.serving.test_browser import log
from tests.support.browser import waiting

HTML = "<script>document.title = 'alterado'</script>"
PAGES_IN = b"/Type /Page\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, model_tag: str) -> Iterator[RunningService]:
    with desk(tmp_path_factory.mktemp("browser"), model_tag) as service:
        yield service


@pytest.fixture
def visitor(browser: Chrome, running: RunningService) -> Chrome:
    """Nobody yet, before the sign-in page, whose field has the focus."""
    browser.get(f"{running.url}/mesa/entrar")
    browser.delete_all_cookies()
    browser.get(f"{running.url}/mesa/")
    ready_to_sign_in(browser)
    return browser


@pytest.fixture
def ana(visitor: Chrome) -> Chrome:
    """Ana, before the queue."""
    visitor.switch_to.active_element.send_keys(SECRETS["ana"], Keys.ENTER)
    shows(visitor, "h1", "Fila")
    return visitor


def one(browser: Chrome, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def shows(browser: Chrome, selector: str, text: str) -> None:
    """Waits until an element holds this text, for as long as pages give way to one another."""
    waiting(browser).until(lambda window: text in one(window, selector).text)


def ready_to_sign_in(browser: Chrome) -> None:
    waiting(browser).until(lambda window: window.switch_to.active_element.get_attribute("id") == "chave")


def test_a_reviewer_signs_in_by_the_keyboard_and_sees_an_empty_queue(ana: Chrome) -> None:
    assert "A fila está vazia." in one(ana, "main").text
    assert one(ana, "html").get_attribute("lang") == "pt-BR"


def test_with_a_wrong_key_the_page_says_so_and_the_field_has_the_focus(visitor: Chrome) -> None:
    visitor.switch_to.active_element.send_keys("cs_wrong", Keys.ENTER)
    said = waiting(visitor).until(presence_of_element_located((By.CSS_SELECTOR, "[role=alert]")))
    assert said.text.startswith("Chave desconhecida")
    field = visitor.switch_to.active_element
    assert (field.get_attribute("id"), field.get_attribute("aria-describedby")) == ("chave", "problema")


def test_a_case_goes_from_the_queue_to_its_verdict_and_back_shows_no_other_form(
    ana: Chrome, running: RunningService
) -> None:
    decided(running, application_id="navegador-1")
    ana.refresh()
    one(ana, "tbody a").click()
    shows(ana, "h1", "Proposta navegador-1")
    one(ana, "#parecer-APPROVED").click()
    one(ana, "#motivo-parecer").send_keys(REASON)
    one(ana, "#form-parecer button").click()
    shows(ana, ".answer", "Aprovado")
    ana.back()
    ana.refresh()
    shows(ana, ".answer", "Aprovado")
    assert ana.find_elements(By.CSS_SELECTOR, "#form-parecer") == []


def test_an_applicants_markup_is_text(ana: Chrome, running: RunningService) -> None:
    decision = decided(running, application_id=HTML)
    ana.get(f"{running.url}/mesa/decisoes/{decision}")
    assert one(ana, "h1").text == f"Proposta {HTML}"
    assert HTML in ana.title


def test_the_letter_is_one_page_of_paper(ana: Chrome, running: RunningService, tmp_path: Path) -> None:
    decision = decided(running, term_months=180)
    ana.get(f"{running.url}/mesa/decisoes/{decision}/carta")
    printed = waiting(ana).until(lambda window: window.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True}))
    content = base64.b64decode(printed["data"])
    assert content.count(PAGES_IN) + content.count(b"/Type /Page /") + content.count(b"/Type /Page>") == 1


@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_is_wider_than_the_window(ana: Chrome, running: RunningService, width: int) -> None:
    decision = decided(running, application_id=f"largura-{width}")
    ana.set_window_size(max(width, 500), 900)
    ana.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    )
    try:
        for path in ("", "resumo", f"decisoes/{decision}", f"decisoes/{decision}/carta"):
            ana.get(f"{running.url}/mesa/{path}")
            assert ana.execute_script("return document.documentElement.scrollWidth") <= width, path
    finally:
        ana.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, model_tag: str) -> Iterator[RunningService]:
    with desk(tmp_path_factory.mktemp("two"), model_tag, CREDIT_SCORING_FOUR_EYES="true") as service:
        yield service


def sign_in(browser: Chrome, name: str) -> None:
    """Whoever is signed in leaves, and this person comes, by the page's own buttons."""
    for button in browser.find_elements(By.CSS_SELECTOR, ".sign-out button"):
        button.click()
    ready_to_sign_in(browser)
    browser.switch_to.active_element.send_keys(SECRETS[name], Keys.ENTER)
    shows(browser, "h1", "Fila")


def test_with_four_eyes_one_person_proposes_and_another_confirms(browser: Chrome, two: RunningService) -> None:
    decided(two, application_id="duas-pessoas")
    browser.get(f"{two.url}/mesa/entrar")
    browser.delete_all_cookies()
    browser.get(f"{two.url}/mesa/")
    sign_in(browser, "ana")
    one(browser, "tbody a").click()
    shows(browser, "h1", "duas-pessoas")
    one(browser, "#parecer-APPROVED").click()
    one(browser, "#motivo-parecer").send_keys(REASON)
    one(browser, "#form-parecer button").click()
    shows(browser, ".answer", "Em análise")
    for name in ("ana-2027", "rui"):
        shows(browser, "main", "espera a segunda pessoa")
        assert browser.find_elements(By.CSS_SELECTOR, "#form-parecer button") == []
        sign_in(browser, name)
        shows(browser, "tbody", "segunda pessoa (proposta de ana)")
        one(browser, "tbody a").click()
        shows(browser, "h1", "duas-pessoas")
    one(browser, "#parecer-APPROVED").click()
    one(browser, "#motivo-parecer").send_keys("Conferi o contracheque.")
    one(browser, "#form-parecer button").click()
    shows(browser, ".answer", "Aprovado")
    history = one(browser, ".history").text
    assert history.index("Proposta de aprovar") < history.index("Aprovado na análise")
    one(browser, "header nav a").click()
    shows(browser, "main", "A fila está vazia.")


def test_every_field_has_a_label_and_every_page_one_heading(ana: Chrome, running: RunningService) -> None:
    decision = decided(running, application_id="rótulos")
    for path in ("", "resumo", f"decisoes/{decision}", "nada"):
        ana.get(f"{running.url}/mesa/{path}")
        assert len(ana.find_elements(By.CSS_SELECTOR, "h1")) == 1
        fields = ana.find_elements(By.CSS_SELECTOR, "input:not([type=hidden]), textarea")
        unlabelled = [each for each in fields if not ana.execute_script("return arguments[0].labels.length", each)]
        assert unlabelled == []
    assert [each for each in log(ana, "browser") if "Content Security Policy" in each["message"]] == []
