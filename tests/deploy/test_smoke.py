"""The smoke test, against a service that really runs, and against what is none."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from credit_scoring.serving.auth import Scope, entry
from credit_scoring.settings import PROJECT_FOLDER
from tests.conftest import RunningService, free_port, wait_until_ready
from tests.test_service import served

SMOKE = PROJECT_FOLDER / "deploy" / "smoke.py"
ENDED_WITHIN = 60.0
UNHURRIED = ("--requests", "20", "--p99-ms", "5000")  # how fast this machine is just now is not what is tested
REVIEWS_ALL = '[policy]\nname = "own"\n[threshold]\ndeny_at = 0.9999\nreview_from = 0.0001\n'
MAY_ALL = f"cs_predict-and-read-{'x' * 32}"
MAY_PREDICT = f"cs_predict-only-{'x' * 32}"


def smoke(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, SMOKE, *arguments],
        env=variables,
        capture_output=True,
        text=True,
        timeout=ENDED_WITHIN,
        check=False,
    )


def verdicts(done: "subprocess.CompletedProcess[str]") -> dict[str, tuple[str, str]]:
    """By check: ok or FAILED, and what is said."""
    lines = [re.fullmatch(r"(ok|FAILED) +(\w+) +(.+)", line) for line in done.stdout.splitlines()]
    return {line[2]: (line[1], line[3]) for line in lines if line}


@pytest.fixture(scope="module")
def keyed(model_tag: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with keys, as it is deployed."""
    folder = tmp_path_factory.mktemp("keyed")
    scopes = {MAY_ALL: frozenset([Scope.PREDICT, Scope.READ]), MAY_PREDICT: frozenset([Scope.PREDICT])}
    keys = [entry(f"smoke-{number}", secret, scopes[secret]) for number, secret in enumerate(scopes)]
    (folder / "keys.toml").write_text("\n".join(keys), encoding="utf-8")
    settings = {
        "CREDIT_SCORING_API_KEYS_FILE": str(folder / "keys.toml"),
        "CREDIT_SCORING_DATABASE_URL": f"sqlite:///{folder}/decisions.db",
        "CREDIT_SCORING_MODEL": model_tag,
    }
    with served(folder, **settings) as running:
        wait_until_ready(running)
        yield running


def test_a_service_that_is_well_passes_every_check_on_a_line_of_its_own(keyed: RunningService) -> None:
    done = smoke(keyed.url, "--key", MAY_ALL, *UNHURRIED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(verdicts(done)) == ["readiness", "prediction", "metrics", "record", "latency"]
    assert {verdict for verdict, _ in verdicts(done).values()} == {"ok"}
    assert len(done.stdout.splitlines()) == 5


def test_what_is_decided_is_on_record_under_a_name_that_says_so(keyed: RunningService) -> None:
    done = smoke(keyed.url, *UNHURRIED, KEY=MAY_ALL)
    found = httpx.get(
        f"{keyed.url}/decisions/{verdicts(done)['record'][1]}", headers={"authorization": f"Bearer {MAY_ALL}"}
    ).json()
    assert re.fullmatch(r"smoke-[0-9a-f]{12}", found["application_id"])


def test_a_key_that_may_only_predict_skips_the_record(keyed: RunningService) -> None:
    done = smoke(keyed.url, *UNHURRIED, KEY=MAY_PREDICT)
    assert done.returncode == 0
    assert verdicts(done)["record"] == ("ok", "skipped: the key lacks the scope read")


def test_without_a_key_it_fails_and_says_what_was_expected(keyed: RunningService) -> None:
    done = smoke(keyed.url, *UNHURRIED)
    assert done.returncode == 1
    verdict, said = verdicts(done)["prediction"]
    assert verdict == "FAILED"
    assert said.startswith("POST /predict: expected 200, found 401: ")


def test_the_key_is_never_printed(keyed: RunningService) -> None:
    wrong = "cs_wrong-but-secret-all-the-same"
    for key in (MAY_ALL, wrong):
        done = smoke(keyed.url, *UNHURRIED, KEY=key)
        assert key not in done.stdout + done.stderr


def test_a_service_that_is_slower_than_agreed_fails(keyed: RunningService) -> None:
    done = smoke(keyed.url, "--requests", "3", "--p99-ms", "0.001", KEY=MAY_ALL)
    assert done.returncode == 1
    assert re.match(r"p99 of 3 requests: expected at most 0.001 ms, found [\d.]+\.", verdicts(done)["latency"][1])


def test_a_policy_that_leaves_the_example_to_people_is_no_failure(model_tag: str, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(REVIEWS_ALL, encoding="utf-8")
    with served(tmp_path, CREDIT_SCORING_MODEL=model_tag, CREDIT_SCORING_POLICY_FILE=str(policy)) as running:
        wait_until_ready(running)
        done = smoke(running.url, *UNHURRIED)
    assert done.returncode == 0, done.stdout
    assert verdicts(done)["prediction"][1].startswith("EM_ANALISE, risk ")


def test_where_nobody_listens_every_check_fails_and_none_hangs() -> None:
    done = smoke(f"http://127.0.0.1:{free_port()}", *UNHURRIED)
    assert done.returncode == 1
    assert {verdict for verdict, _ in verdicts(done).values()} == {"FAILED"}
    assert "ConnectionRefusedError" in verdicts(done)["readiness"][1]


@pytest.mark.slow
def test_a_service_that_starts_is_waited_for(model_tag: str, tmp_path: Path) -> None:
    with served(tmp_path, CREDIT_SCORING_MODEL=model_tag) as starting:
        done = smoke(starting.url, "--ready-within", "60", *UNHURRIED)
    assert done.returncode == 0, done.stdout + starting.log_text()


@pytest.mark.parametrize("url", ["127.0.0.1:3000", "ftp://host", "http://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    done = smoke(url)
    assert done.returncode == 2
    assert "expected an address like http://127.0.0.1:3000" in done.stderr
