"""Chunks of an input on this machine: rows in their order, read once and cheaply, for other processes to decide."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from credit_scoring.batch.arrow import Source


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of a file, of which `first_row` is the number of the first; the file is named as Spark does.

    With it, `done` bytes of the input have been read.
    """

    file: str
    first_row: int
    rows: int
    content: Any
    done: int


class Form(Protocol):
    """How the files of an input are written; travels to the processes that decide."""

    @property
    def source(self) -> Source:
        """How a batch becomes applications."""

    @property
    def header(self) -> tuple[str, ...]:
        """The columns, which all files have to have."""

    def chunks(self, path: Path, done: int, finer: int = 1) -> Iterator[Chunk]:
        """The rows of a file; `done` bytes of the input have been read before.

        A chunk is so many times `finer` than it would be by itself.
        """

    def fitted(self, files: Iterable[Path]) -> "Form":
        """The form with what only these files say; raises DataError where that is not certain."""

    def batch(self, content: Any) -> Any:
        """A chunk's content as a record batch with the source's columns."""


def uri_of(path: Path) -> str:
    """As Spark names a file: only what a URI may not have in ASCII is escaped."""
    return "file:" + re.sub(r"[\x00-\x7f]+", lambda found: quote(found[0], safe="/!~*'(),;:$&+=@"), str(path))
