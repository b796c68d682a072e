"""Clients that send applications without a break and note every answer, while a test breaks what answers them.

`benchmarks.durability` sends the same traffic and judges it by the same audit: it needs `tests.postgres` in any case,
and what counts as a lost decision should be written down once.
"""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import psutil
from sqlalchemy import Connection, select

from benchmarks.support.consorcio import EXAMPLE_APPLICATION
from benchmarks.support.postgres import Postgres
from benchmarks.support.postgres import running_in as running_in  # noqa: PLC0414 - other tests have it from here
from benchmarks.support.waiting import wait_for
from credit_scoring.application.schemas import ErrorAnswer
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.tables import claims, decisions
from credit_scoring.decisions.verification import verify

PATIENCE_S = 3.0  # the service promises 1 s; the rest is for clients that share its cores
RECONNECT_S = 0.02
POLL_S = 0.002
AUDIT_TIMEOUT_S = 60.0
WORKER = "_bentoml_impl.worker.service"

_REQUEST_HEAD = (
    b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n"
)
_numbers = count()


class Sent(NamedTuple):
    """An application as it is sent."""

    id: str | None
    body: bytes


class Answered(NamedTuple):
    """One that was decided, and the decision."""

    sent: Sent
    decision: dict[str, Any]


@dataclass
class Record:
    """What clients have seen.

    `refused` is 503 with Retry-After, `strange` any other status than 200; `lost` are requests whose connection ended
    instead of an answer, `overdue` those without one in PATIENCE_S, `unreachable` those for which there was no
    connection. `longest_s` is from sending to the answer, of whichever status.
    """

    sent: int = 0
    answered: list[Answered] = field(default_factory=list)
    refused: int = 0
    strange: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    overdue: int = 0
    unreachable: int = 0
    longest_s: float = 0.0

    def note_failure(self, error: Exception, was_sent: bool) -> None:
        """There was no answer."""
        if not was_sent:
            self.unreachable += 1
        elif type(error) is TimeoutError:
            self.overdue += 1
        else:
            self.lost += 1

    def note_answer(self, sent: Sent, answer: "HttpAnswer", seconds: float) -> None:
        """There was an answer."""
        self.longest_s = max(self.longest_s, seconds)
        if answer.status == 200:
            self.answered.append(Answered(sent, json.loads(answer.content)))
        elif answer.is_refusal:
            self.refused += 1
        else:
            self.strange[f"{answer.status} {answer.content!r}"] += 1


class Traffic:
    """Clients in a thread of their own, each on one connection, sending its next application after each answer.

    The applications of every other client have ids of their own, unless `with_ids` says otherwise; such a one is sent
    again until it is decided, as one would whose connection broke. One without is sent once. Leaving the context waits
    for the answers that are due. `pause` is what a client waits after an answer, in seconds; `key` is all clients' key.
    """

    def __init__(
        self, url: str, clients: int = 8, *, with_ids: bool = True, pause: float = 0.0, key: str | None = None
    ) -> None:
        address = urlsplit(url)
        self._to = (str(address.hostname), int(address.port or 80))
        self._clients = clients
        self._with_ids = with_ids
        self._pause = pause
        self._key = key
        self._ending = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="traffic")
        self.record = Record()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Send nothing more, wait for the answers that are due."""
        self._ending.set()
        self._thread.join()

    def wait_for_answers(self, more: int, within: float = 60.0) -> None:
        """Return once so many more applications were decided than until now."""
        before = len(self.record.answered)
        wait_for(lambda: len(self.record.answered) >= before + more, f"{more} more answers", within)

    async def _run(self) -> None:
        await asyncio.gather(*map(self._client, range(self._clients)))

    async def _client(self, number: int) -> None:
        line = Line(self._to, self._key)
        with_ids = self._with_ids and number % 2 == 0
        application = new_application(with_id=with_ids)
        while not self._ending.is_set():
            is_decided = await self._send(application, line)
            if is_decided or application.id is None:
                application = new_application(with_id=with_ids)
            await asyncio.sleep(self._pause if is_decided else RECONNECT_S)
        line.close()

    async def _send(self, sent: Sent, line: "Line") -> bool:
        """Whether it was decided."""
        self.record.sent += 1
        is_connected = False
        try:
            await line.connect()
            is_connected, began = True, time.monotonic()
            answer = await asyncio.wait_for(line.exchange(sent.body), PATIENCE_S)
        except (OSError, EOFError, TimeoutError) as error:
            line.close()
            self.record.note_failure(error, is_connected)
            return False
        self.record.note_answer(sent, answer, time.monotonic() - began)
        return answer.status == 200


class HttpAnswer(NamedTuple):
    """An answer to a request; `head` is in lower case."""

    status: int
    head: bytes
    content: bytes

    @property
    def is_refusal(self) -> bool:
        """Whether it says that the service cannot answer now, and when to ask again."""
        return self.status == 503 and b"\r\nretry-after: " in self.head and bool(_refusal(self.content).detail)


def _refusal(content: bytes) -> ErrorAnswer:
    return ErrorAnswer.model_validate_json(content)


class Line:
    """One connection, kept alive."""

    def __init__(self, to: tuple[str, int], key: str | None = None) -> None:
        self._to = to
        self._key = b"Authorization: Bearer %b\r\n" % key.encode() if key else b""
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def connect(self) -> None:
        """Open it unless it is open, anew where the other side has closed it since; raises OSError."""
        if self._streams and self._streams[0].at_eof():
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._to)

    async def exchange(self, body: bytes) -> HttpAnswer:
        """The answer to this application; raises OSError or EOFError when the connection ends before."""
        await self.connect()
        assert self._streams
        reader, writer = self._streams
        writer.write(_REQUEST_HEAD % (self._key, len(body)) + body)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]
        content = await reader.readexactly(int(length))
        if b"\r\nconnection: close\r\n" in head:
            self.close()
        return HttpAnswer(int(head.split()[1]), head, content)

    def close(self) -> None:
        """End the connection; another one can be opened."""
        if self._streams:
            self._streams[1].transport.abort()
            self._streams = None


def new_application(*, with_id: bool) -> Sent:
    """One that nobody has sent before."""
    number = next(_numbers)
    application_id = f"application {number}" if with_id else None
    content = EXAMPLE_APPLICATION | {"monthly_income": 1000.0 + number / 8, "application_id": application_id}
    return Sent(application_id, json.dumps(content).encode())


def workers(process: int) -> list[int]:
    """The process ids of the workers of a service, by that of its `bentoml` process."""
    found = []
    for child in psutil.Process(process).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if WORKER in child.cmdline():
                found.append(child.pid)
    return found


def crash(postgres: Postgres, *, all_at_once: bool = True) -> None:
    """Kill -9 of PostgreSQL, see `Postgres.crash`."""
    postgres.crash(all_at_once=all_at_once)


@dataclass(frozen=True)
class Audit:
    """What the decision log holds of what was answered: ids `missing` or stored otherwise than answered, bodies stored
    `twice`, and the `problems` of its chains.
    """

    stored: int
    missing: list[str]
    twice: list[str]
    problems: list[str]

    @property
    def is_clean(self) -> bool:
        """Whether the promise was kept."""
        return not (self.missing or self.twice or self.problems)


def audit(address: str, answered: Sequence[Answered]) -> Audit:
    """Hold what clients were answered against the decision log; nobody may write to it meanwhile."""
    return open_database(address, timeout=AUDIT_TIMEOUT_S).run_now(partial(_audit, answered), reading=True)


def _audit(answered: Sequence[Answered], connection: Connection) -> Audit:
    problems = verify(connection).problems  # before anything else is read: it sets how the transaction reads
    columns = decisions.c
    found = connection.execute(
        select(columns.id, columns.application_id, columns.received, columns.risk_probability, columns.decision)
    )
    stored = {row.id: row for row in found}
    claimed = {row.application_id: row.decision for row in connection.execute(select(claims))}
    missing = [str(each.decision["decision_id"]) for each in answered if not _is_stored(each, stored, claimed)]
    bodies = Counter(row.received for row in stored.values())
    return Audit(len(stored), missing, [body for body, times in bodies.items() if times > 1], problems)


def _is_stored(answer: Answered, stored: dict[str, Any], claimed: dict[str, str]) -> bool:
    """Under its id, as it was sent and answered, and so that the same application would get it again."""
    (application_id, body), decision = answer
    row = stored.get(decision["decision_id"])
    return (
        row is not None
        and (application_id is None or claimed.get(application_id) == row.id)
        and row.application_id == application_id
        and row.received == body.decode()
        and row.risk_probability == decision["risk_probability"]
        and row.decision == decision["decision"]
    )
