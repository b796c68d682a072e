"""Reasons by a real model: while the decision log is away, while many ask, and of models that are not here."""

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import bentoml
import pytest
from pydantic_core import from_json

from benchmarks.support.consorcio import EXAMPLE_APPLICATION, ConsorcioApplication
from benchmarks.support.decision_records import decided_by, origin_of, put, rows_in
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.entries import Entry
from credit_scoring.errors import DecisionLogError, ModelNotFoundError, OverloadedError, RequestError
from credit_scoring.model import store
from credit_scoring.model.manifest import PIPELINE_FILE
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.policy import Policy
from credit_scoring.serving import earlier_models, reason_keeping
from credit_scoring.serving.decision_engine import DecisionDesk
from credit_scoring.serving.endpoint import Asked
from credit_scoring.serving.explanation_thread import MOST_WAITING, ExplanationThread
from credit_scoring.serving.explanations import Explainer
from tests.conftest import make_sqlite_log

TAG = "credit_scoring:test"
IMPATIENT_S = 0.05


@pytest.fixture
def address(tmp_path: Path) -> str:
    return make_sqlite_log(tmp_path)


@pytest.fixture
def given(scorer: Scorer) -> Entry:
    """A decision that was just given."""
    (found,) = decided_by(scorer, TAG, [ConsorcioApplication.model_validate(EXAMPLE_APPLICATION)])
    return found


@contextmanager
def locked(address: str) -> Iterator[None]:
    """Another process is writing, and does not end."""
    with closing(sqlite3.connect(address.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@asynccontextmanager
async def explaining(
    scorer: Scorer, address: str, *, best_effort: bool = False, thread: ExplanationThread | None = None
) -> AsyncIterator[Explainer]:
    database = open_database(address, timeout=IMPATIENT_S)
    try:
        yield Explainer(
            DecisionDesk(scorer, TAG), database, thread or ExplanationThread("reasons"), best_effort=best_effort
        )
    finally:
        await database.close()


async def reasons(explainer: Explainer, given: Entry) -> str:
    (text,) = await explainer.of_many([(given.decision, given.application)], "")
    assert isinstance(text, str)
    return text


async def reasons_on_record(explainer: Explainer, given: Entry) -> bytes:
    return await explainer.reasons(b"", Asked(by="", path={"decision_id": given.row.id}))


def test_under_best_effort_a_log_that_is_away_keeps_no_client_from_the_reasons(
    scorer: Scorer, given: Entry, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with explaining(scorer, address, best_effort=True) as explainer:
            with locked(address):
                for _ in range(2):
                    assert from_json(await reasons(explainer, given))["decision_id"] == given.row.id

    asyncio.run(scenario())
    assert rows_in(address, "explanations") == 0
    (told,) = caplog.messages
    assert "reasons are given and not kept" in told


def test_once_the_log_is_back_reasons_are_kept_again(
    scorer: Scorer, given: Entry, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reason_keeping, "RETRY_AFTER_S", 0)
    put(address, [given], origin=origin_of(scorer, TAG))

    async def scenario() -> None:
        async with explaining(scorer, address, best_effort=True) as explainer:
            with locked(address):
                unkept = await reasons(explainer, given)
            assert await reasons(explainer, given) == unkept

    asyncio.run(scenario())
    assert rows_in(address, "explanations") == 1


def test_otherwise_reasons_that_cannot_be_kept_are_not_given(scorer: Scorer, given: Entry, address: str) -> None:
    async def scenario() -> None:
        async with explaining(scorer, address, best_effort=False) as explainer:
            with locked(address), pytest.raises(DecisionLogError):
                await reasons(explainer, given)

    asyncio.run(scenario())


@asynccontextmanager
async def filled(thread: ExplanationThread) -> AsyncIterator[None]:
    """A thread as full as it gets, until the block is left."""
    may_end = threading.Event()
    works = [asyncio.create_task(thread.run(may_end.wait)) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    assert thread.is_full
    try:
        yield
    finally:
        may_end.set()
        await asyncio.gather(*works)


def test_while_too_many_wait_for_reasons_nothing_more_is_decided_with_reasons(scorer: Scorer, address: str) -> None:
    async def scenario() -> None:
        thread = ExplanationThread("reasons")
        async with explaining(scorer, address, thread=thread) as explainer:
            async with filled(thread):
                with pytest.raises(OverloadedError, match="nothing was decided"), explainer.place():
                    pass
            with explainer.place():
                pass

    asyncio.run(scenario())


@pytest.mark.parametrize("by", [TAG, "credit_scoring:another"])
def test_a_request_that_was_let_in_gets_its_reasons_though_too_many_wait_by_then(
    scorer: Scorer, address: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(earlier_models, "_loaded", lambda tag: scorer)
    (given,) = decided_by(scorer, by, [ConsorcioApplication.model_validate(EXAMPLE_APPLICATION)])
    put(address, [given], origin=origin_of(scorer, by))

    async def scenario() -> None:
        thread = ExplanationThread("reasons")
        async with explaining(scorer, address, thread=thread) as explainer:
            with explainer.place():
                async with filled(thread):
                    with pytest.raises(OverloadedError, match="Too many reasons are asked for"):
                        await reasons_on_record(explainer, given)
                    found = asyncio.create_task(reasons(explainer, given))
                    while thread.waiting <= MOST_WAITING and not found.done():
                        await asyncio.sleep(0)
                assert from_json(await found)["decision_id"] == given.row.id

    asyncio.run(scenario())


@pytest.mark.usefixtures("published")
def test_a_model_that_cannot_be_loaded_any_more_or_is_gone_has_no_reasons_and_says_so(
    scorer: Scorer, address: str
) -> None:
    tag = store.save(scorer)
    (given,) = decided_by(scorer, tag, [ConsorcioApplication.model_validate(EXAMPLE_APPLICATION)])
    put(address, [given], origin=origin_of(scorer, tag))

    async def told() -> str:
        async with explaining(scorer, address, best_effort=False) as explainer:
            assert await reasons(explainer, given) == "null"
            with pytest.raises(RequestError) as raised:
                await reasons_on_record(explainer, given)
            assert (raised.value.status, raised.value.kind) == (409, "no_model")
            return str(raised.value)

    (Path(store.find(tag).path) / PIPELINE_FILE).write_bytes(b"of other libraries")
    assert f"Model {tag}, which decided, cannot be loaded by this service" in asyncio.run(told())
    bentoml.models.delete(tag)
    assert f"Model {tag}, which decided, is not in the store of this service" in asyncio.run(told())


@pytest.mark.usefixtures("published")
def test_a_model_that_is_back_in_the_store_explains_what_it_decided(
    scorer: Scorer, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(earlier_models, "RETRY_AFTER_S", 0)
    tag = store.save(scorer)
    (given,) = decided_by(scorer, tag, [ConsorcioApplication.model_validate(EXAMPLE_APPLICATION)])
    put(address, [given], origin=origin_of(scorer, tag))
    folder = Path(store.find(tag).path)

    async def scenario() -> None:
        async with explaining(scorer, address) as explainer:
            shutil.move(folder, tmp_path / "away")
            assert await reasons(explainer, given) == "null"
            shutil.move(tmp_path / "away", folder)
            assert from_json(await reasons(explainer, given))["decision_id"] == given.row.id

    asyncio.run(scenario())


def test_a_model_that_cannot_be_loaded_is_not_tried_for_each_decision_of_a_list(
    scorer: Scorer, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(earlier_models, "RETRY_AFTER_S", 3600)
    looked_for: list[str] = []

    def nowhere(tag: str) -> None:
        looked_for.append(tag)
        raise ModelNotFoundError(tag)

    monkeypatch.setattr(store, "find", nowhere)
    gone = "credit_scoring:gone"
    given = decided_by(scorer, gone, [ConsorcioApplication.model_validate(EXAMPLE_APPLICATION)] * 3)
    put(address, given, origin=origin_of(scorer, gone))

    async def scenario() -> None:
        async with explaining(scorer, address) as explainer:
            pairs = [(each.decision, each.application) for each in given]
            assert await explainer.of_many(pairs, "") == ["null"] * 3

    asyncio.run(scenario())
    assert looked_for == [gone]


def test_of_a_policy_for_which_the_model_gives_no_reasons_a_decision_has_none(scorer: Scorer, address: str) -> None:
    earlier = replace(scorer, policy=Policy(threshold=1e-9, costs=scorer.policy.costs))
    (given,) = decided_by(earlier, TAG, [ConsorcioApplication.model_validate(EXAMPLE_APPLICATION)])
    put(address, [given], origin=origin_of(earlier, TAG))

    async def scenario() -> None:
        async with explaining(scorer, address) as explainer:
            assert await reasons(explainer, given) == "null"
            with pytest.raises(RequestError, match="no reference applicant for the threshold 1e-09"):
                await reasons_on_record(explainer, given)

    asyncio.run(scenario())


def test_another_error_is_that_of_its_decision_alone(scorer: Scorer, given: Entry, address: str) -> None:
    (lost,) = decided_by(scorer, "credit_scoring:another", [given.application])

    async def scenario() -> None:
        async with explaining(scorer, address) as explainer:
            pairs = [(each.decision, each.application) for each in (given, lost)]
            text, error = await explainer.of_many(pairs, "")
            assert isinstance(text, str)
            assert from_json(text)["decision_id"] == given.row.id
            assert isinstance(error, RequestError)
            assert error.kind == "no_decision"

    asyncio.run(scenario())
