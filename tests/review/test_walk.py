"""The whole way through the desk over HTTP, on PostgreSQL; and what the desk says where no decisions are kept."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, text

from benchmarks.support.decision_records import ask, rows_in
from benchmarks.support.postgres import Postgres
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.verification import verify
from tests.conftest import RunningService
from tests.decisions.test_erasure import erased
from tests.review.desk import REASON, SECRETS, Reviewer, decided, desk


@pytest.fixture(scope="module")
def address(postgres: Postgres) -> str:
    return postgres.decision_log()


@pytest.fixture(scope="module")
def on_postgres(address: str, tmp_path_factory: pytest.TempPathFactory, model_tag: str) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("walk")
    with desk(folder, model_tag, CREDIT_SCORING_DATABASE_URL=address) as service:
        yield service


@pytest.fixture(scope="module")
def without_log(tmp_path_factory: pytest.TempPathFactory, model_tag: str) -> Iterator[RunningService]:
    settings = {"CREDIT_SCORING_DECISION_LOG": "off", "CREDIT_SCORING_WORKERS": "1"}
    with desk(tmp_path_factory.mktemp("off"), model_tag, **settings) as service:
        yield service


def test_on_postgresql_a_case_goes_all_the_way(on_postgres: RunningService, address: str) -> None:
    ana, rui = (Reviewer.signed_in(on_postgres.url, name) for name in ("ana", "rui"))
    decided(on_postgres, application_id="andar-1")
    decision = decided(on_postgres, application_id="andar-2", replaces="andar-1", term_months=200)
    assert "andar-1" in ana.get("/mesa/").text
    path = f"/mesa/decisoes/{decision}"
    assert ana.get("/mesa/buscar?id=andar-2").url.path == path
    assert "Prazo acima do permitido" in ana.page.text
    assert ana.get(f"{path}?simular=sim").status_code == 200
    ana.get(path)
    assert ana.send(f"{path}/revisao", motivo="O cliente aceita prazo menor.").status_code == 200
    assert "revisão" in ana.get("/mesa/?tipo=revisao").text
    rui.get(path)
    assert "Decisão revertida" in ana.judge(decision, "REVERSED").text
    assert rui.send(f"{path}/parecer", parecer="UPHELD", motivo=REASON).status_code == 409
    today = datetime.now(UTC).date().isoformat()
    ana.get(path)
    assert "Pagou</strong>" in ana.send(f"{path}/desfecho", desfecho="PAID", data=today).text
    assert "aprovada" in ana.get(f"{path}/carta").text
    assert '<th scope="row">Prazo acima do permitido</th>' in ana.get("/mesa/resumo").text
    assert ana.get(path).text.count("<li>rui") == 2
    assert (rows_in(address, "reviews"), rows_in(address, "outcomes")) == (2, 1)
    erased(address, decision)
    assert "Dados eliminados" in ana.get(path).text
    assert ask(address, verify, reading=True).problems == []


def test_on_postgresql_pages_are_answered_in_an_outage_and_after_it(
    on_postgres: RunningService, postgres: Postgres, address: str
) -> None:
    ana = Reviewer.signed_in(on_postgres.url, "ana")
    name = address.rpartition("/")[2]

    def others(connection: Connection) -> None:
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"))

    elsewhere = address.replace(name, "postgres")
    ask(elsewhere, others)
    try:
        answer = ana.get("/mesa/")
        assert (answer.status_code, "não alcança o registro de decisões" in answer.text) == (503, True)
    finally:
        ask(elsewhere, lambda connection: connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")))
    assert ana.get("/mesa/").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/mesa/", "/mesa/resumo", "/mesa/buscar?id=A-1", f"/mesa/decisoes/{new_id()}", f"/mesa/decisoes/{new_id()}/carta"],
)
def test_where_no_decisions_are_kept_each_page_says_so(without_log: RunningService, path: str) -> None:
    decided(without_log)
    ana = Reviewer(without_log.url)
    ana.get("/mesa/entrar")
    answer = ana.send("/mesa/entrar", chave=SECRETS["ana"])
    assert (answer.url.path, answer.status_code) == ("/mesa/", 404)
    page = ana.get(path)
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "Este serviço não guarda decisões (CREDIT_SCORING_DECISION_LOG=off)." in page.text
    assert ">Sair</button>" in page.text
    assert "Voltar à fila" not in page.text
