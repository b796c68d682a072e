"""The examples of the integration guide, run as they stand there against the running service."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from benchmarks.support.consorcio import EXAMPLE_APPLICATION
from credit_scoring.decisions.ids import new_id
from credit_scoring.settings import PROJECT_FOLDER
from tests.conftest import RunningService

GUIDE = (PROJECT_FOLDER / "docs" / "integracao.md").read_text(encoding="utf-8")
PRINTED = re.compile(
    r"(APROVADO|NEGADO) [0-9a-f-]{36}\n"
    r"invalid_application: The application was not decided: 1 fault\. "
    r".*did you mean monthly_income\?.* \([0-9a-f-]{36}\)\n"
    r"recorded\n"
)


def block(language: str) -> str:
    """The one example in this language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    return str(found)


def printed(service: RunningService, *command: str) -> str:
    done = subprocess.run(
        command,
        env={**os.environ, "CREDIT_SCORING_URL": service.url, "CREDIT_SCORING_KEY": "none-is-needed-here"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_in_curl_gets_a_decision_and_the_same_one_again(service: RunningService) -> None:
    first, again = (httpx.Response(200, text=printed(service, "bash", "-c", block("bash"))).json() for _ in range(2))
    assert first["decision"] in {"APROVADO", "NEGADO"}
    assert again == first


def test_the_line_that_reads_an_answer_finds_what_people_have_decided_since(service: RunningService) -> None:
    application = {**EXAMPLE_APPLICATION, "application_id": new_id()}
    with httpx.Client(base_url=service.url, timeout=30) as client:
        first = client.post("/predict", json=application).json()
        for step in ({"step": "REQUESTED"}, {"step": "REVERSED", "reviewer": "Ana"}):
            path = f"/decisions/{first['decision_id']}/review"
            client.post(path, json={"reason": "Paid in October.", **step}).raise_for_status()
        repeated = client.post("/predict", json=application).json()
    (line,) = {found.rstrip() for found in re.findall(r"^ *(counts = [^#\n]+)", GUIDE, re.MULTILINE)}
    for answer, expected in ((first, first["decision"]), (repeated, repeated["effective_decision"])):
        script = f"import json, sys; decision = json.loads(sys.argv[1]); {line}; print(counts)"
        assert printed(service, sys.executable, "-c", script, json.dumps(answer)).strip() == expected
    assert repeated["effective_decision"] != first["decision"]


def test_the_example_in_python_decides_once_reads_an_error_and_reports_the_outcome(
    service: RunningService, tmp_path: Path
) -> None:
    script = tmp_path / "example.py"
    script.write_text(block("python"), encoding="utf-8")
    assert PRINTED.fullmatch(printed(service, sys.executable, str(script)))


def test_the_example_of_an_error_is_what_the_service_answers(service: RunningService) -> None:
    application = {"credit_letter_value": 24000, "age": 37, "monthly_incom": 3600}
    answer = httpx.post(f"{service.url}/predict", json=application, headers={"X-Request-ID": "crm-7f3a"})
    assert answer.json() == httpx.Response(200, text=block("json")).json()


@pytest.mark.parametrize("status", ["408", "429", "503"])
def test_the_examples_repeat_what_the_table_says_may_be_repeated(status: str) -> None:
    assert re.search(rf"^\| {status} \| sim \|", GUIDE, re.MULTILINE)
    assert all(status in block(language) for language in ("python", "typescript"))
