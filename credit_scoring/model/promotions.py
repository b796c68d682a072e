"""Which model of the store is the champion: a record of promotions and rollbacks, each with who, when and why."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from bentoml._internal.configuration.containers import BentoMLContainer
from pydantic import BaseModel, ConfigDict, ValidationError

from credit_scoring.errors import ModelStoreError
from credit_scoring.settings import MODEL_NAME

KEPT = 1000  # newest entries; older ones are dropped


class Promotion(BaseModel):
    """One change of the champion: to `tag`, by whom and why; `replaced` is the champion before."""

    model_config = ConfigDict(frozen=True)

    tag: str
    at: datetime
    by: str
    reason: str
    replaced: str | None = None
    rollback: bool = False


Entries = tuple[Promotion, ...]
Decided = TypeVar("Decided", bound=Promotion | None)


class Promotions:
    """A file with a JSON line for each promotion, oldest first; written as a whole, so that a crash changes nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of_store(cls) -> "Promotions":
        """The record of BentoML's model store, in BentoML's home."""
        return cls(Path(BentoMLContainer.bentoml_home.get()) / MODEL_NAME / "promotions.jsonl")

    def read(self) -> Entries:
        """All entries, oldest first; raises ModelStoreError when the file cannot be read."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return ()
        except OSError as error:
            message = f"{self.path}: the record of promotions cannot be read ({error.strerror})."
            raise ModelStoreError(message) from error
        return tuple(self._parsed(number, line) for number, line in enumerate(lines, 1))

    def champion(self) -> Promotion | None:
        """The promotion of the champion; None while no model has been promoted. Raises ModelStoreError as `read`."""
        entries = self.read()
        return entries[-1] if entries else None

    def change(self, decide: Callable[[Entries], Decided]) -> Decided:
        """Append the promotion that `decide` makes of the entries so far, if any; no other process can come between.

        Raises ModelStoreError when it cannot be written; nothing has changed then.
        """
        try:
            with self._locked():
                entries = self.read()
                made = decide(entries)
                if made is not None:
                    self._write((*entries, made))
                return made
        except OSError as error:
            raise ModelStoreError(
                f"{self.path}: the record of promotions cannot be written ({error.strerror}). The champion is the one "
                "that it was. Free the disk, or get the right to write there."
            ) from error

    def _parsed(self, number: int, line: bytes) -> Promotion:
        try:
            return Promotion.model_validate_json(line)
        except ValidationError as error:
            raise ModelStoreError(
                f"{self.path}: line {number} is not an entry of the record of promotions. Restore the file from a "
                "backup or remove that line; until then name the model by its own tag (CREDIT_SCORING_MODEL, --model)."
            ) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, entries: Entries) -> None:
        new = self.path.with_suffix(".new")
        with new.open("w", encoding="utf-8") as file:
            file.writelines(f"{each.model_dump_json()}\n" for each in entries[-KEPT:])
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the new name, too, survives a power cut
        finally:
            os.close(folder)


def previous(entries: Entries) -> str | None:
    """The champion that a rollback goes back to: the one before, past those that were rolled back themselves."""
    champions: list[str] = []
    for each in entries:
        if not each.rollback:
            champions.append(each.tag)
            continue
        del champions[-1:]
        if champions[-1:] != [each.tag]:  # entries before it were dropped
            champions.append(each.tag)
    return champions[-2] if len(champions) > 1 else None
