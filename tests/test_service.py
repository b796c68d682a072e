"""The service as its clients see it, over HTTP."""

import httpx

from credit_scoring.schemas import EXAMPLE_APPLICATION
from tests.conftest import RunningService


def test_the_example_application_is_decided(service: RunningService) -> None:
    answer = httpx.post(f"{service.url}/predict", json=EXAMPLE_APPLICATION)
    assert answer.status_code == 200
    assert answer.json()["decision"] in {"APROVADO", "NEGADO"}
