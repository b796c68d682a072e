"""Reasons of the rows of a batch: the very text that the service answers for the same application."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import bentoml
import httpx
import pyarrow.parquet
import pytest

from credit_scoring.batch import parquet_chunks
from credit_scoring.batch.local import score
from credit_scoring.data.datasets import Dataset
from credit_scoring.errors import ConfigurationError
from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.rules import Rule
from tests.conftest import wait_until_ready
from tests.support.batch import Row, applications, job_of, read, write_csv, write_parquet
from tests.test_service import served

ROWS = 300
TOO_YOUNG = 77
OPTIONAL = ("monthly_income", "assets_value", "job_type", "housing", "outstanding_debt", "has_negative_record")
RULES = tuple(
    Rule.model_validate({"id": id, "when": when, "if_missing": "review", "then": then, "reason": "Motivo é este"})
    for id, when, then in (
        ("TERM", {"field": "term_months", "above": 48}, "deny"),
        ("JOB", {"field": "job_type", "in": ["FREELANCE"]}, "review"),
    )
)


@pytest.fixture(scope="module")
def policy(scorer: Scorer) -> Policy:
    """Rules that deny and that send to review, and a band of risks that are reviewed."""
    threshold = scorer.policy.threshold
    return Policy(threshold=threshold, review_from=0.6 * threshold, costs=scorer.policy.costs, rules=RULES)


@pytest.fixture(scope="module")
def tag(scorer: Scorer, policy: Policy) -> Iterator[str]:
    tag = store.save(replace(scorer, policy=policy))
    yield tag
    bentoml.models.delete(tag)


@pytest.fixture(scope="module")
def rows(dataset: Dataset) -> list[Row]:
    """Real applications, of which every other one lacks one or two fields."""
    found = applications(dataset, ROWS)
    for number, row in enumerate(found):
        for name in (OPTIONAL[number % 6], OPTIONAL[number % 5]) if number % 2 else ():
            row.pop(name, None)
    return found


@pytest.fixture(scope="module")
def answered(rows: list[Row], tag: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """By the client's id, the reasons in the service's answer but for the id of its decision."""
    settings = {"CREDIT_SCORING_MODEL": tag, "CREDIT_SCORING_DECISION_LOG": "off"}
    with served(tmp_path_factory.mktemp("reasons"), **settings) as running, httpx.Client(timeout=60) as client:
        wait_until_ready(running)
        url = f"{running.url}/predict?reasons=true"
        return {row["application_id"]: reasons_in(client.post(url, json=row)) for row in rows}


def reasons_in(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    found = re.fullmatch(r'.+,"reasons":\{"decision_id":"[0-9a-f-]{36}",(.+)\}', answer.text)
    assert found
    return "{" + found[1]


def reasons_by_id(output: Path) -> dict[str, str]:
    return {row["application_id"]: row["reasons"] for row in read(output / "decisions")}


def test_the_sample_has_every_answer_and_decisions_by_rules_alone(
    rows: list[Row], answered: dict[str, str], policy: Policy
) -> None:
    texts = [*answered.values()]
    for answer in policy.answers:
        assert any(f'"decision":"{answer}"' in text for text in texts)
        assert any(f'"decision":"{answer}"' in text and '"score":{' in text for text in texts)
    assert any('"score":null' in text for text in texts)
    assert any('"rules":[{' in text and '"score":{' in text for text in texts)
    assert any("não informad" in text for text in texts)


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_reasons_are_those_of_the_service_to_the_byte(
    write: Any, rows: list[Row], answered: dict[str, str], tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_chunks, "CHUNK_ROWS", 2000)
    source = write(tmp_path / f"in.{write.__name__.removeprefix('write_')}", rows)
    score(job_of(source, tmp_path / "out", tag, with_reasons=True), jobs=2)
    assert reasons_by_id(tmp_path / "out") == answered


def test_a_rejected_row_has_no_reasons_and_the_others_keep_theirs(
    rows: list[Row], answered: dict[str, str], tag: str, tmp_path: Path
) -> None:
    mixed = [{**row, "age": 17.0} if number == TOO_YOUNG else row for number, row in enumerate(rows)]
    score(job_of(write_csv(tmp_path / "in.csv", mixed), tmp_path / "out", tag, with_reasons=True))
    (rejected,) = read(tmp_path / "out" / "rejected")
    assert (rejected["application_id"], rejected["reasons"]) == (f"p-{TOO_YOUNG}", None)
    expected = {id: text for id, text in answered.items() if id != f"p-{TOO_YOUNG}"}
    assert reasons_by_id(tmp_path / "out") == expected


@pytest.mark.parametrize("count", [0, 40])
def test_reasons_are_one_more_column_and_change_no_other(rows: list[Row], tag: str, tmp_path: Path, count: int) -> None:
    source = write_csv(tmp_path / "in.csv", rows[:count])
    for name, with_reasons in (("plain", False), ("with", True)):
        score(job_of(source, tmp_path / name, tag, with_reasons=with_reasons))
    for name in ("decisions", "rejected"):
        plain, explained = (pyarrow.parquet.read_table(tmp_path / each / name) for each in ("plain", "with"))
        assert {*explained.column_names} - {*plain.column_names} == {"reasons"}
        assert explained.drop(["reasons"]).equals(plain)


def test_progress_is_told_more_often_since_a_row_takes_longer(
    rows: list[Row], tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_chunks, "CHUNK_ROWS", ROWS)
    source, told = write_parquet(tmp_path / "in.parquet", rows), []
    for with_reasons in (False, True):
        job = job_of(source, tmp_path / "out", tag, with_reasons=with_reasons)
        score(job, lambda done, size: told.append(done), jobs=1)
    assert told[0] == told[-1] == source.stat().st_size
    assert len(told) > 10


def test_a_model_that_can_give_none_is_refused_before_anything_is_read(
    scorer: Scorer, published: Callable[[], list[str]], tmp_path: Path
) -> None:
    store.save(replace(scorer, reference=scorer.reference.model_copy(update={"applicants": ()})))
    (tag,) = published()
    with pytest.raises(ConfigurationError) as caught:
        score(job_of(tmp_path / "missing.csv", tmp_path / "out", tag, with_reasons=True))
    assert str(caught.value).startswith(f"--reasons, model {tag}: The model has no reference applicant")
    assert str(caught.value).endswith("Train a new one with `credit-scoring train`.")
    assert [*tmp_path.iterdir()] == []
