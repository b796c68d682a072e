"""A review desk to visit: a service of two workers whose policy sends most applications to people."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from html import unescape
from pathlib import Path
from typing import Any, ClassVar

import httpx

from benchmarks.support.consorcio import EXAMPLE_APPLICATION
from credit_scoring.serving.auth import Scope, entry
from tests.conftest import RunningService, wait_until_ready
from tests.test_service import served

SECRETS = {name: f"cs_of-{name}-{'x' * 32}" for name in ("ana", "ana-2027", "rui", "loja")}
SIGNING_SECRET = b"of this test alone, 32 bytes long."
REASON = "Renda conferida por contracheque."
POLICY = """
[policy]
name = "mesa"

[threshold]
deny_at = 0.3

[[rule]]
id = "LOOK"
when = { field = "term_months", at_most = 120 }
if_missing = "pass"
then = "review"
reason = "Prazo a conferir"

[[rule]]
id = "TERM"
when = { field = "term_months", above = 120 }
if_missing = "pass"
then = "deny"
reason = "Prazo acima do permitido"
basis = "Regulamento, cláusula 12"
"""
WEAK = {
    "monthly_income": 100.0,
    "monthly_expenses": 5000.0,
    "assets_value": 0.0,
    "outstanding_debt": 900_000.0,
    "has_negative_record": True,
    "job_tenure_years": 0.0,
    "credit_history_years": 0.0,
}


@contextmanager
def desk(folder: Path, model_tag: str, **settings: str) -> Iterator[RunningService]:
    """The service, with keys of two reviewers and of one who is none."""
    keys, policy = folder / "keys.toml", folder / "policy.toml"
    scopes = {"ana": Scope.REVIEW, "rui": Scope.REVIEW, "loja": Scope.PREDICT}
    lines = [entry(name, SECRETS[name], frozenset([scope])) for name, scope in scopes.items()]
    lines.append(entry("ana-2027", SECRETS["ana-2027"], frozenset([Scope.REVIEW]), "ana"))
    keys.write_text("\n".join(lines), encoding="utf-8")
    policy.write_text(POLICY, encoding="utf-8")
    secret = folder / "secret"
    secret.write_bytes(SIGNING_SECRET)
    environment = {
        "CREDIT_SCORING_API_KEYS_FILE": str(keys),
        "CREDIT_SCORING_POLICY_FILE": str(policy),
        "CREDIT_SCORING_DATABASE_URL": f"sqlite:///{folder}/decisions.db",
        "CREDIT_SCORING_MODEL": model_tag,
        "CREDIT_SCORING_REVIEW_SECRET_FILE": str(secret),
        "CREDIT_SCORING_WORKERS": "2",
        **settings,
    }
    with served(folder, **environment) as running:
        wait_until_ready(running)
        with ExitStack() as clients:
            Reviewer.clients = clients
            yield running


def decided(running: RunningService, **fields: Any) -> str:
    """The id of a new decision, EM_ANALISE unless a field makes it another."""
    answer = httpx.post(
        f"{running.url}/predict",
        json={**EXAMPLE_APPLICATION, **fields},
        headers={"authorization": f"Bearer {SECRETS['loja']}"},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["decision_id"])


class Reviewer:
    """Somebody at a browser without JavaScript, which is closed with the desk."""

    clients: ClassVar[ExitStack]

    def __init__(self, url: str) -> None:
        self.client = self.clients.enter_context(httpx.Client(base_url=url, timeout=60, follow_redirects=True))

    @classmethod
    def signed_in(cls, url: str, name: str) -> "Reviewer":
        """Somebody with this key."""
        found = cls(url)
        found.get("/mesa/entrar")
        answer = found.send("/mesa/entrar", chave=SECRETS[name])
        assert answer.url.path == "/mesa/", answer.text
        return found

    def get(self, path: str) -> httpx.Response:
        """A page; its forms can be sent afterwards."""
        self.page = self.client.get(path)
        return self.page

    def send(self, path: str, **fields: str) -> httpx.Response:
        """The form of the last page that goes to this path, filled in."""
        content = {**self.hidden(path), **fields}
        return self.client.post(path, data=content)

    def hidden(self, path: str) -> dict[str, str]:
        """What the form holds that nobody fills in."""
        form = re.search(rf'<form[^>]*action="{re.escape(path)}".*?</form>', self.page.text, re.DOTALL)
        assert form, f"no form to {path}:\n{self.page.text}"
        inputs = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form[0])
        return {name: unescape(value) for name, value in inputs}

    def judge(self, decision: str, verdict: str, reason: str = REASON) -> httpx.Response:
        """Look at the dossier and give a verdict."""
        self.get(f"/mesa/decisoes/{decision}")
        return self.send(f"/mesa/decisoes/{decision}/parecer", parecer=verdict, motivo=reason)
