"""One database for synchronous code: what runs in it is a function of a connection, in a transaction of its own.

`sqlite.py` and `postgres.py` are the two kinds; `storage.py` opens the one that an address names.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import gaierror
from ssl import SSLError
from typing import TypeVar

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from credit_scoring.decisions.chain import Block
from credit_scoring.errors import CreditScoringError, DecisionLogError, DuplicateError, place_of

Result = TypeVar("Result")
Work = Callable[[Connection], Result]
SECRETS = ("password", "sslpassword")  # that may stand among the options of an address, too
HINTS: dict[type[Exception] | tuple[type[Exception], ...], str] = {
    SSLError: " Is its certificate for this host, and signed by an authority of `sslrootcert`?",
    (ConnectionError, gaierror): " Does it run, and is the address right?",
}


class Database:
    """What all kinds have in common; `timeout` is how long one wait in it may take, in seconds."""

    driver_failures: tuple[type[Exception], ...] = ()
    driver_clashes: tuple[type[Exception], ...] = ()

    def __init__(self, url: URL, timeout: float) -> None:
        self.url = url
        self.timeout = timeout
        self.failures: tuple[type[Exception], ...] = (*self.driver_failures, SQLAlchemyError, OSError, TimeoutError)

    def __str__(self) -> str:
        shown = self.url.set(drivername=self.url.get_backend_name()).difference_update_query(SECRETS)
        return shown.render_as_string(hide_password=True)

    def exists(self) -> bool:
        """Whether it is there without being made; of a server that is told when it is asked."""
        return True

    async def run(self, work: Work[Result], *, reading: bool = False) -> Result:
        """What `work` returns; raises DecisionLogError."""
        raise NotImplementedError

    def run_now(self, work: Work[Result], *, reading: bool = False) -> Result:
        """The same for whoever has no event loop."""
        raise NotImplementedError

    def check(self) -> None:
        """Raises DecisionLogError where it is plain, without asking, that nothing written now would be kept."""

    def wipe(self) -> bool:
        """Take what was deleted out of the database's files; False where that is left to the server or must wait."""
        return False

    def appender(self) -> "Appender":
        """What stores blocks in it."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close the connections."""
        raise NotImplementedError

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Turn any error of the driver into DecisionLogError, without its message: that may hold values of a row."""
        try:
            yield
        except CreditScoringError:
            raise
        except Exception as error:  # drivers raise more than they document, and whoever waits must be told in any case
            cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
            clash = isinstance(cause, self.driver_clashes) or isinstance(cause.__cause__, self.driver_clashes)
            kind = DuplicateError if clash else DecisionLogError
            place = "" if isinstance(error, self.failures) else f" at {place_of(error)}"
            hint = next((text for kinds, text in HINTS.items() if isinstance(cause, kinds)), "")
            raise kind(f"The decision log at {self} failed: {self.in_short(cause)}{place}.{hint}", cause) from error

    def in_short(self, cause: BaseException) -> str:
        """What the driver raised, without any value of a row."""
        return type(cause.__cause__ or cause).__name__


class Appender:
    """Stores blocks, each in a transaction of its own: the hot path, written against the driver.

    SQLAlchemy's part of a transaction would take a worker more time than the database's. `seconds` is how long the last
    one took, measured where it was made.
    """

    seconds = 0.0

    @property
    def is_quick(self) -> bool:
        """Whether to append at once."""
        return False

    def append_at_once(self, block: Block) -> bool:
        """Store a block before this returns; False, with nothing stored, where that failed."""
        return False

    async def append(self, block: Block) -> None:
        """Store a block; raises DuplicateError where an application id is claimed already, else DecisionLogError."""
        raise NotImplementedError

    async def close(self) -> None:
        """Wait for what is being stored, then close."""
        raise NotImplementedError
