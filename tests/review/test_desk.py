"""The review desk over HTTP: who gets in, what waits, what a dossier shows, and what people make of it."""

import hashlib
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from benchmarks.support.decision_records import ask, put, rows_in
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.verification import verify
from credit_scoring.review.sessions import Session, Sessions
from tests.conftest import RunningService
from tests.decisions.test_erasure import erased
from tests.decisions.test_verdicts import in_analysis
from tests.review.desk import REASON, SECRETS, SIGNING_SECRET, WEAK, Reviewer, decided, desk

HTML = '<script>alert(1)</script>"><img src=x onerror=alert(2)>{{ 7 * 7 }}'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("desk")


@pytest.fixture(scope="module")
def running(folder: Path, model_tag: str) -> Iterator[RunningService]:
    with desk(folder, model_tag) as service:
        yield service


@pytest.fixture(scope="module")
def rui(running: RunningService) -> Reviewer:
    return Reviewer.signed_in(running.url, "rui")


# Who gets in


@pytest.mark.parametrize("path", ["/mesa", "/mesa/", "/mesa/resumo", f"/mesa/decisoes/{new_id()}", "/mesa/nada"])
def test_whoever_has_not_signed_in_is_sent_to_sign_in_and_back(running: RunningService, path: str) -> None:
    visitor = Reviewer(running.url)
    asked = visitor.get(path)
    assert asked.url.path == "/mesa/entrar"
    back = visitor.send("/mesa/entrar", chave=SECRETS["ana"])
    assert back.url.path == (path if path != "/mesa" else "/mesa/")


@pytest.mark.parametrize(
    ("secret", "status", "said"),
    [
        ("cs_unknown", 401, "Chave desconhecida"),
        ("", 401, "Chave desconhecida"),
        ("ção", 401, "Chave desconhecida"),
        (SECRETS["loja"], 403, "falta a permissão review"),
    ],
)
def test_a_key_that_is_not_for_the_desk_is_refused_and_never_shown(
    folder: Path, model_tag: str, running: RunningService, secret: str, status: int, said: str
) -> None:
    visitor = Reviewer(running.url)
    visitor.get("/mesa/entrar")
    answer = visitor.send("/mesa/entrar", chave=secret)
    assert (answer.status_code, said in answer.text) == (status, True)
    assert not secret or secret not in answer.text
    assert visitor.get("/mesa/").url.path == "/mesa/entrar"


def test_a_session_is_in_a_cookie_that_no_script_and_no_other_site_can_use(running: RunningService) -> None:
    visitor = Reviewer(running.url)
    visitor.get("/mesa/entrar")
    visitor.client.follow_redirects = False
    (cookie,) = visitor.send("/mesa/entrar", chave=SECRETS["ana"]).headers.get_list("set-cookie")
    said = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert said == {"httponly", "samesite=strict", "path=/mesa", "max-age=36000"}
    assert SECRETS["ana"] not in cookie


def test_behind_a_proxy_with_https_the_cookie_is_for_https_alone(running: RunningService) -> None:
    answer = httpx.get(f"{running.url}/mesa/entrar", headers={"x-forwarded-proto": "https"})
    assert "secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize("tampered", ["", "x", "e30.0", "é"])
def test_a_cookie_that_was_not_signed_here_opens_nothing(running: RunningService, tampered: str) -> None:
    headers = {b"cookie": f"mesa={tampered}".encode()}
    answer = httpx.get(f"{running.url}/mesa/", headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, "/mesa/entrar?depois=/mesa/")


def test_a_cookie_with_another_name_in_it_opens_nothing(running: RunningService, ana: Reviewer) -> None:
    content, _, mac = ana.client.cookies["mesa"].partition(".")
    forged = f"{content[:-4]}AAAA.{mac}"
    assert httpx.get(f"{running.url}/mesa/", cookies={"mesa": forged}).status_code == 303


def sha256_of(name: str) -> str:
    return hashlib.sha256(SECRETS[name].encode()).hexdigest()


@pytest.mark.parametrize(
    ("key", "sha256", "hours", "path"),
    [
        ("ana", sha256_of("ana"), 9.9, "/mesa/"),
        ("ana", sha256_of("ana"), 10, "/mesa/entrar"),
        ("ana", sha256_of("rui"), 0, "/mesa/entrar"),
        ("loja", sha256_of("loja"), 0, "/mesa/entrar"),
        ("eva", sha256_of("ana"), 0, "/mesa/entrar"),
        ("", "", 0, "/mesa/entrar"),
        (None, "", 0, "/mesa/entrar"),
    ],
    ids=["nearly over", "over", "key replaced", "not for this", "no such key", "from before there were keys", "nobody"],
)
def test_a_session_lasts_ten_hours_and_no_longer_than_its_key(
    running: RunningService, key: str | None, sha256: str, hours: float, path: str
) -> None:
    session = Session(key, sha256, int(time.time() - hours * 3600), "nonce")
    cookies = {"mesa": Sessions(SIGNING_SECRET).sign(session)}
    with httpx.Client(base_url=running.url, cookies=cookies, follow_redirects=True) as client:
        assert client.get("/mesa/").url.path == path


def test_without_keys_this_machine_alone_signs_in_and_needs_none(service: RunningService) -> None:
    with httpx.Client(base_url=service.url, follow_redirects=True, timeout=60) as client:
        page = client.get("/mesa/")
        assert "Entrar sem chave" in page.text
        (token,) = re.findall(r'name="ficha" value="(\w+)"', page.text)
        entered = client.post("/mesa/entrar", data={"ficha": token})
        assert (entered.status_code, entered.url.path) == (200, "/mesa/")
        for headers in ({"x-forwarded-for": "203.0.113.9"}, {"host": "example.org"}):
            refused = client.get("/mesa/", headers=headers)
            assert (refused.status_code, "só atende a própria máquina" in refused.text) == (401, True)


def test_after_signing_out_the_desk_is_closed(running: RunningService) -> None:
    visitor = Reviewer.signed_in(running.url, "ana")
    visitor.get("/mesa/")
    assert visitor.send("/mesa/sair").url.path == "/mesa/entrar"
    assert visitor.get("/mesa/").url.path == "/mesa/entrar"


@pytest.mark.parametrize(
    "wanted",
    ["https://example.org/", "//example.org", "/mesa/../predict\\", "/predict", "/mesa/\r\nx: y", "/mesa/entrar"],
)
def test_sign_in_leads_to_no_other_site(running: RunningService, wanted: str) -> None:
    visitor = Reviewer(running.url)
    visitor.client.get("/mesa/entrar", params={"depois": wanted})
    visitor.get("/mesa/entrar")
    assert visitor.send("/mesa/entrar", chave=SECRETS["ana"], depois=wanted).url.path == "/mesa/"


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
def test_a_form_without_the_sessions_own_token_is_refused(
    running: RunningService, ana: Reviewer, address: str, token: str
) -> None:
    decision = decided(running)
    before = rows_in(address, "reviews")
    ana.get(f"/mesa/decisoes/{decision}")
    answer = ana.send(f"/mesa/decisoes/{decision}/parecer", parecer="APPROVED", motivo=REASON, ficha=token)
    assert (answer.status_code, "não veio desta sessão" in answer.text) == (403, True)
    assert rows_in(address, "reviews") == before


def test_a_form_of_somebody_elses_session_is_refused(running: RunningService, ana: Reviewer, rui: Reviewer) -> None:
    decision = decided(running)
    path = f"/mesa/decisoes/{decision}"
    rui.get(path)
    ana.get(path)
    token = rui.hidden(f"{path}/parecer")["ficha"]
    assert ana.send(f"{path}/parecer", parecer="APPROVED", motivo=REASON, ficha=token).status_code == 403


def test_what_was_written_comes_back_when_the_session_is_over(running: RunningService, address: str) -> None:
    decision = decided(running)
    visitor = Reviewer.signed_in(running.url, "ana")
    visitor.get(f"/mesa/decisoes/{decision}")
    visitor.client.cookies.clear()
    before = rows_in(address, "reviews")
    answer = visitor.send(f"/mesa/decisoes/{decision}/parecer", parecer="APPROVED", motivo="Muito bem pensado.")
    assert answer.status_code == 401
    assert "Sua sessão terminou" in answer.text
    assert "Muito bem pensado." in answer.text
    assert rows_in(address, "reviews") == before


@pytest.mark.parametrize("path", ["/mesa/entrar", "/mesa/", "/mesa/nada", "/mesa/resumo"])
def test_every_page_may_load_nothing_but_itself_and_is_not_kept(ana: Reviewer, path: str) -> None:
    answer = ana.get(path)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self';")
    assert answer.headers["cache-control"] == "no-store"
    assert "<script" not in answer.text
    assert "style=" not in answer.text


def test_an_unknown_page_is_a_page_in_portuguese(ana: Reviewer) -> None:
    answer = ana.get("/mesa/nada")
    assert (answer.status_code, "Esta página não existe." in answer.text) == (404, True)


@pytest.mark.parametrize("content", [b"a=" + b"x" * 40_000, b"&".join([b"a=1"] * 30), b"a=%ff", b"\xff"])
def test_a_form_that_is_too_large_or_cannot_be_read_is_refused(ana: Reviewer, content: bytes) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = ana.client.post("/mesa/sair", content=content, headers=headers)
    assert answer.status_code in (400, 413)
    assert answer.headers["content-type"].startswith("text/html")
    assert "O formulário" in answer.text


def test_what_is_no_form_is_refused_and_told_as_such(ana: Reviewer) -> None:
    answer = ana.client.post("/mesa/sair", json={})
    assert (answer.status_code, "só recebe formulários das suas próprias páginas" in answer.text) == (415, True)


@pytest.mark.slow
def test_sign_in_attempts_are_limited(folder: Path, model_tag: str, tmp_path: Path) -> None:
    with desk(tmp_path, model_tag, CREDIT_SCORING_WORKERS="1") as running:
        visitor = Reviewer(running.url)
        visitor.get("/mesa/entrar")
        statuses = [visitor.send("/mesa/entrar", chave="cs_guess").status_code for _ in range(11)]
        assert statuses == [401] * 10 + [429]
        refused = visitor.send("/mesa/entrar", chave=SECRETS["ana"])
        assert (refused.status_code, "retry-after" in refused.headers) == (429, True)


# What waits


def test_an_application_in_analysis_stands_in_the_queue_until_its_verdict(
    running: RunningService, ana: Reviewer
) -> None:
    decision = decided(running, application_id="fila-1")
    assert "fila-1" in ana.get("/mesa/?tipo=analise").text
    assert "fila-1" not in ana.get("/mesa/?tipo=revisao").text
    assert ana.judge(decision, "DENIED").status_code == 200
    assert "fila-1" not in ana.get("/mesa/").text


def test_a_replaced_application_is_marked_and_linked_and_waits_for_its_own_verdict(
    running: RunningService, ana: Reviewer
) -> None:
    earlier = decided(running, application_id="corrigida-1")
    later = decided(running, application_id="corrigida-2", replaces="corrigida-1", monthly_income=9000)
    assert f'Substituída por <a href="/mesa/decisoes/{later}">corrigida-2</a>' in ana.get("/mesa/?tipo=analise").text
    dossier = ana.get(f"/mesa/decisoes/{earlier}").text
    assert f'Substituída por <a href="/mesa/decisoes/{later}">corrigida-2</a>' in dossier
    assert f'Substitui <a href="/mesa/decisoes/{earlier}">corrigida-1</a>' in ana.get(f"/mesa/decisoes/{later}").text
    assert '<th scope="row">replaces' not in ana.page.text
    for decision in (earlier, later):
        assert ana.judge(decision, "APPROVED").status_code == 200
    assert "corrigida-1" not in ana.get("/mesa/").text


def test_a_refusal_comes_into_the_queue_when_the_client_asks_for_a_review(
    running: RunningService, ana: Reviewer
) -> None:
    decision = decided(running, application_id="fila-2", term_months=180)
    assert "fila-2" not in ana.get("/mesa/").text
    ana.get(f"/mesa/decisoes/{decision}")
    answer = ana.send(f"/mesa/decisoes/{decision}/revisao", motivo="O cliente aceita prazo menor.")
    assert "Revisão pedida" in answer.text
    queue = ana.get("/mesa/?tipo=revisao").text
    assert "fila-2" in queue
    assert "10 dias" in queue


def test_days_left_are_counted_and_what_is_late_can_be_listed(ana: Reviewer, address: str) -> None:
    (late,) = put(address, [in_analysis()], at=datetime.now(UTC) - timedelta(days=12))
    assert "vencido há 2 dias" in ana.get("/mesa/?tipo=vencidos").text
    ana.judge(late, "DENIED")
    assert "Nenhum caso com este filtro." in ana.get("/mesa/?tipo=vencidos").text


@pytest.mark.parametrize("query", ["tipo=x", "pagina=0", "pagina=999", "pagina=x", "pagina=²"])
def test_a_page_of_the_queue_that_is_not_there_is_another_one(ana: Reviewer, query: str) -> None:
    assert ana.get(f"/mesa/?{query}").status_code == 200


def test_a_long_queue_comes_in_pages(ana: Reviewer, address: str) -> None:
    ids = put(address, [in_analysis() for _ in range(60)], at=datetime.now(UTC) - timedelta(days=3))
    found = [id for page in (1, 2, 3) for id in ids if f"/mesa/decisoes/{id}" in ana.get(f"/mesa/?pagina={page}").text]
    assert found == ids
    assert "Página 2 de" in ana.get("/mesa/?pagina=2").text


def test_a_decision_is_found_by_its_id_and_by_the_applications(running: RunningService, ana: Reviewer) -> None:
    decision = decided(running, application_id="P 1/ç")
    for wanted in (decision, decision.upper(), "P 1/ç", " P 1/ç "):
        found = ana.client.get("/mesa/buscar", params={"id": wanted})
        assert (found.status_code, found.url.path) == (200, f"/mesa/decisoes/{decision}")


def test_a_proposal_whose_own_number_looks_like_a_decisions_id_is_found_by_it(
    running: RunningService, ana: Reviewer
) -> None:
    number = new_id()
    decision = decided(running, application_id=number)
    found = ana.client.get("/mesa/buscar", params={"id": number})
    assert (found.status_code, found.url.path) == (200, f"/mesa/decisoes/{decision}")


@pytest.mark.parametrize("wanted", ["nada", new_id(), "\x00", "x" * 100, HTML])
def test_what_is_not_on_record_is_not_found(ana: Reviewer, wanted: str) -> None:
    found = ana.client.get("/mesa/buscar", params={"id": wanted})
    assert found.status_code == 404
    assert "<script>" not in found.text


# The dossier


def test_a_dossier_shows_what_was_decided_on_and_why(running: RunningService, ana: Reviewer) -> None:
    source = {"monthly_income": {"source": "Holerite", "consulted_at": "2026-11-20"}}
    decision = decided(running, term_months=180, sources=source)
    page = ana.get(f"/mesa/decisoes/{decision}").text
    assert "Renda mensal" in page
    assert "Holerite, consultada em 20/11/2026" in page
    assert "180 meses" in page
    assert "Automóvel" in page
    assert "Prazo acima do permitido" in page
    assert "Regulamento, cláusula 12" in page
    assert "policy-" in page
    assert '<svg class="risk"' in page
    assert "Negado" in page


def test_a_dossier_with_a_day_of_consultation_that_was_never_set_shows_it_as_it_came(
    running: RunningService, ana: Reviewer
) -> None:
    source = {"monthly_income": {"source": "Holerite", "consulted_at": "0001-01-01T00:00:00+00:00"}}
    answer = ana.get(f"/mesa/decisoes/{decided(running, sources=source)}")
    assert answer.status_code == 200
    assert "Holerite, consultada em 0001-01-01T00:00:00+00:00" in answer.text


def test_a_dossier_says_what_counted_in_the_score(running: RunningService, ana: Reviewer) -> None:
    page = ana.get(f"/mesa/decisoes/{decided(running, **WEAK)}").text
    assert "O que pesou contra, no risco" in page
    assert "Renda baixa em relação ao compromisso" in page


def test_the_letter_tells_a_client_why_and_what_to_do_and_no_number_of_ours(
    running: RunningService, ana: Reviewer
) -> None:
    source = {"monthly_income": {"source": "Holerite", "consulted_at": "2026-11-20"}}
    decision = decided(running, application_id="carta-1", sources=source, **WEAK)
    letter = ana.get(f"/mesa/decisoes/{decision}/carta").text
    for said in ("não foi aprovada", "carta-1", "Renda baixa em relação ao compromisso", "R$ 100", "Holerite, 20/11"):
        assert said in letter
    assert "art. 20" in letter
    for ours in ("risk", "Limite", "credit_scoring:", "policy-", decision, "Estado civil"):
        assert ours not in letter


def test_the_letter_of_a_refusal_by_rule_gives_the_rule_and_nothing_of_the_score(
    running: RunningService, ana: Reviewer
) -> None:
    letter = ana.get(f"/mesa/decisoes/{decided(running, term_months=180)}/carta").text
    assert "Prazo acima do permitido" in letter
    assert "análise de risco" not in letter


def test_after_a_verdict_the_letter_says_what_counts_now(running: RunningService, ana: Reviewer) -> None:
    decision = decided(running)
    assert "em análise" in ana.get(f"/mesa/decisoes/{decision}/carta").text
    ana.judge(decision, "APPROVED")
    letter = ana.get(f"/mesa/decisoes/{decision}/carta").text
    assert "foi <strong>aprovada</strong>" in letter
    assert "Pessoas da nossa equipe analisaram a proposta" in letter


def test_an_applicants_text_is_shown_as_text(running: RunningService, ana: Reviewer) -> None:
    source = {"monthly_income": {"source": HTML}}
    decision = decided(running, application_id=HTML[:64], sources=source)
    for path in (f"/mesa/decisoes/{decision}", f"/mesa/decisoes/{decision}/carta", "/mesa/?pagina=999"):
        page = ana.get(path).text
        assert "<script>" not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;" in page
        assert "{{ 7 * 7 }}" in page or path.startswith("/mesa/?")


def test_what_would_have_to_change_is_simulated_when_asked_for(running: RunningService, ana: Reviewer) -> None:
    decision = decided(running, term_months=180)
    assert "sem promessa de aprovação" not in ana.get(f"/mesa/decisoes/{decision}").text
    assert "sem promessa de aprovação" in ana.get(f"/mesa/decisoes/{decision}?simular=sim").text


@pytest.mark.slow
def test_a_simulation_that_is_asked_for_too_often_says_so(model_tag: str, tmp_path: Path) -> None:
    settings = {"CREDIT_SCORING_WHAT_IF_PER_MINUTE": "1", "CREDIT_SCORING_WORKERS": "1"}
    with desk(tmp_path, model_tag, **settings) as running:
        visitor = Reviewer.signed_in(running.url, "ana")
        path = f"/mesa/decisoes/{decided(running, term_months=180)}?simular=sim"
        assert "sem promessa de aprovação" in visitor.get(path).text
        again = visitor.get(path)
        assert (again.status_code, "Muitos pedidos em pouco tempo" in again.text) == (200, True)


def test_every_look_is_on_record_and_shown_to_the_next(running: RunningService, ana: Reviewer, rui: Reviewer) -> None:
    decision = decided(running)
    assert "Ninguém antes de você" in ana.get(f"/mesa/decisoes/{decision}").text
    ana.get(f"/mesa/decisoes/{decision}/carta")
    page = rui.get(f"/mesa/decisoes/{decision}").text
    assert page.count("<li>ana, ") == 2
    assert "a carta" in page


def test_an_erased_decision_has_a_page_that_says_so_and_no_letter_or_form(
    running: RunningService, ana: Reviewer, address: str
) -> None:
    decision = decided(running, application_id="eliminada-1", monthly_income=7_654_321)
    ana.judge(decision, "DENIED")
    erased(address, decision)
    page = ana.get(f"/mesa/decisoes/{decision}")
    assert (page.status_code, "Dados eliminados" in page.text, "dpo" in page.text) == (200, True, True)
    assert "Negado na análise" in page.text
    assert not any(each in page.text for each in ("eliminada-1", "7.654.321", REASON, "/parecer"))
    letter = ana.get(f"/mesa/decisoes/{decision}/carta")
    assert (letter.status_code, "foram eliminados" in letter.text) == (409, True)
    assert ana.get("/mesa/buscar?id=eliminada-1").status_code == 404
    assert ana.get("/mesa/resumo").status_code == 200


def test_a_decision_that_is_not_on_record_has_no_dossier(ana: Reviewer) -> None:
    answer = ana.get(f"/mesa/decisoes/{new_id()}")
    assert (answer.status_code, "Não há decisão registrada" in answer.text) == (404, True)


# Verdicts


def test_a_verdict_counts_and_names_the_key_of_who_gave_it(
    running: RunningService, ana: Reviewer, address: str
) -> None:
    decision = decided(running)
    page = ana.judge(decision, "APPROVED").text
    assert '<dd class="answer aprovado">Aprovado</dd>' in page
    assert "Aprovado na análise</strong> por ana, registrado por ana" in page
    assert REASON in page
    assert ask(address, verify, reading=True).problems == []


@pytest.mark.parametrize("reason", ["", "curto", "x" * 2001, " " * 50])
def test_a_verdict_needs_a_justification(running: RunningService, ana: Reviewer, address: str, reason: str) -> None:
    decision = decided(running)
    before = rows_in(address, "reviews")
    answer = ana.judge(decision, "APPROVED", reason)
    assert (answer.status_code, "Escreva a justificativa" in answer.text) == (400, True)
    assert rows_in(address, "reviews") == before


@pytest.mark.parametrize("verdict", ["", "PROPOSED_APPROVED", "REQUESTED", "x", "UPHELD"])
def test_a_verdict_that_does_not_fit_is_not_taken_and_nothing_written_is_lost(
    running: RunningService, ana: Reviewer, verdict: str
) -> None:
    answer = ana.judge(decided(running), verdict, "Uma justificativa comprida.")
    assert answer.status_code in (400, 409)
    assert ">Uma justificativa comprida.</textarea>" in answer.text


def test_of_two_reviewers_at_once_the_second_is_told_and_loses_nothing(
    running: RunningService, ana: Reviewer, rui: Reviewer
) -> None:
    decision = decided(running)
    path = f"/mesa/decisoes/{decision}"
    ana.get(path)
    rui.get(path)
    assert ana.send(f"{path}/parecer", parecer="APPROVED", motivo=REASON).status_code == 200
    answer = rui.send(f"{path}/parecer", parecer="DENIED", motivo="Renda não confere com a conta.")
    assert answer.status_code == 409
    assert "Outro passo foi registrado enquanto você analisava" in answer.text
    assert "Renda não confere com a conta." in answer.text
    assert '<dd class="answer aprovado">' in answer.text


def test_a_verdict_sent_twice_counts_once_and_no_error_is_told(
    running: RunningService, ana: Reviewer, address: str
) -> None:
    path = f"/mesa/decisoes/{decided(running)}"
    ana.get(path)
    before = rows_in(address, "reviews")
    answers = [ana.send(f"{path}/parecer", parecer="APPROVED", motivo=REASON) for _ in range(2)]
    assert [(each.status_code, 'class="problem"' in each.text) for each in answers] == [(200, False)] * 2
    assert rows_in(address, "reviews") == before + 1


def test_a_request_that_came_too_late_comes_back_as_it_was_written(
    running: RunningService, ana: Reviewer, rui: Reviewer
) -> None:
    path = f"/mesa/decisoes/{decided(running, term_months=180)}"
    ana.get(path)
    rui.get(path)
    ana.send(f"{path}/revisao", motivo="O cliente aceita prazo menor.")
    answer = rui.send(f"{path}/revisao", motivo="A cliente mandou novos documentos.")
    assert answer.status_code == 409
    assert ">A cliente mandou novos documentos.</textarea>" in answer.text
    assert 'id="form-revisao"' in answer.text


def test_what_was_written_about_a_decision_that_was_erased_meanwhile_comes_back(
    running: RunningService, ana: Reviewer, address: str
) -> None:
    decision = decided(running, term_months=180)
    ana.get(f"/mesa/decisoes/{decision}")
    erased(address, decision)
    answer = ana.send(f"/mesa/decisoes/{decision}/revisao", motivo="O cliente aceita prazo menor.")
    assert (answer.status_code, "Dados eliminados" in answer.text) == (409, True)
    assert ">O cliente aceita prazo menor.</textarea>" in answer.text


def test_an_outcome_is_entered_and_a_day_that_cannot_be_is_refused(running: RunningService, ana: Reviewer) -> None:
    decision = decided(running)
    path = f"/mesa/decisoes/{decision}"
    ana.get(path)
    for day, said in (("", "Informe o dia"), ("2999-01-01", "está no futuro"), ("2000-01-01", "anterior à decisão")):
        answer = ana.send(f"{path}/desfecho", desfecho="PAID", data=day)
        assert (answer.status_code in (400, 409), said in answer.text) == (True, True)
    today = datetime.now(UTC).date().isoformat()
    assert "Pagou</strong>, conhecido em" in ana.send(f"{path}/desfecho", desfecho="PAID", data=today).text


def test_the_overview_counts_what_was_decided_and_overruled(running: RunningService, ana: Reviewer) -> None:
    decision = decided(running, term_months=200)
    ana.get(f"/mesa/decisoes/{decision}")
    ana.send(f"/mesa/decisoes/{decision}/revisao", motivo="O cliente aceita prazo menor.")
    ana.judge(decision, "REVERSED")
    page = ana.get("/mesa/resumo").text
    assert '<th scope="row">Prazo acima do permitido</th>' in page
    assert "Em análise" in page


# Two people


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, model_tag: str) -> Iterator[RunningService]:
    settings = {"CREDIT_SCORING_FOUR_EYES": "true", "CREDIT_SCORING_WORKERS": "1"}
    with desk(tmp_path_factory.mktemp("two"), model_tag, **settings) as service:
        yield service


def test_with_four_eyes_the_first_proposes_and_another_person_confirms(two: RunningService) -> None:
    decision = decided(two)
    first, second = (Reviewer.signed_in(two.url, name) for name in ("ana", "rui"))
    page = first.judge(decision, "APPROVED").text
    assert '<dd class="answer em_analise">Em análise</dd>' in page
    assert "Outra pessoa precisa confirmar ou devolver" in page
    path = f"/mesa/decisoes/{decision}"
    assert "proposta de ana" in second.get("/mesa/?tipo=segunda").text
    second.get(path)
    answer = second.send(f"{path}/parecer", parecer="APPROVED", motivo="Confere com os documentos.")
    assert '<dd class="answer aprovado">Aprovado</dd>' in answer.text


def test_with_four_eyes_what_the_first_person_writes_on_an_old_page_comes_back(two: RunningService) -> None:
    decision = decided(two)
    first = Reviewer.signed_in(two.url, "ana")
    first.judge(decision, "APPROVED")
    answer = first.send(f"/mesa/decisoes/{decision}/parecer", parecer="DENIED", motivo="Renda não confere.")
    assert (answer.status_code, "Este envio não foi registrado" in answer.text) == (409, True)
    assert "Outra pessoa precisa confirmar ou devolver" in answer.text
    assert ">Renda não confere.</textarea>" in answer.text


def test_with_four_eyes_another_key_of_the_first_person_does_not_confirm(two: RunningService) -> None:
    decision = decided(two)
    first, other_key = (Reviewer.signed_in(two.url, name) for name in ("ana", "ana-2027"))
    rui = Reviewer.signed_in(two.url, "rui")
    first.judge(decision, "APPROVED")
    path = f"/mesa/decisoes/{decision}"
    rui.get(path)
    seen = rui.hidden(f"{path}/parecer")["visto"]
    assert f'action="{path}/parecer"' in other_key.get(path).text
    answer = other_key.send(f"{path}/parecer", parecer="APPROVED", motivo=REASON, visto=seen)
    assert (answer.status_code, "A segunda pessoa não pode ser a primeira" in answer.text) == (409, True)
