"""Finished trials in a file, so that a search that was interrupted goes on where it was."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from credit_scoring import __version__
from credit_scoring.errors import ConfigurationError
from credit_scoring.model.manifest import library_versions


class Tried(BaseModel):
    """What a trial found: parameters, AUC on each fold that it was tried on, and the seconds of a fit."""

    model_config = ConfigDict(allow_inf_nan=False)

    parameters: dict[str, Any]
    aucs: tuple[float, ...]
    seconds: float

    @property
    def auc(self) -> float:
        """Mean over the folds."""
        return sum(self.aucs) / len(self.aucs) if self.aucs else 0.0

    def on_first(self, folds: int) -> Self:
        """The same as if it had been tried on the first folds alone."""
        return self.model_copy(update={"aucs": self.aucs[:folds]})


class _Entry(BaseModel):
    key: str
    tried: Tried


_BEGINS = re.compile(rb'\{"key":"[0-9a-f]{64}"')


class Journal:
    """A line for each trial, under a key of all that it depends on; the sampler draws the same again for a seed.

    Without a path nothing is kept. A last line that was cut off while it was written is taken off and tried again;
    nothing else that is in the file ever changes.
    """

    def __init__(self, path: Path | None = None, known: Mapping[str, Tried] | None = None) -> None:
        self._path = path
        self._known = dict(known or {})

    @classmethod
    def at(cls, path: Path | None) -> Self:
        """The one in this file, which is begun where there is none; raises ConfigurationError."""
        if path is None:
            return cls()
        try:
            with path.open("ab"):  # it may be written to
                content = path.read_bytes()
            *lines, last = content.split(b"\n")
            known = dict(_read(path, number, line) for number, line in enumerate(lines, start=1))
            if last and not (known or _BEGINS.match(last)):
                raise _foreign(path, 1)
            if last:
                os.truncate(path, len(content) - len(last))
        except OSError as error:
            raise ConfigurationError(
                f"--resume {path}: cannot be read and written as text ({type(error).__name__}). Name another file."
            ) from error
        return cls(path, known)

    def find(self, key: str) -> Tried | None:
        """What this trial found, where it was done before."""
        return self._known.get(key)

    def add(self, key: str, tried: Tried) -> None:
        """Keep a trial; raises ConfigurationError where it cannot be written."""
        if not self._path:
            return
        self._known[key] = tried
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(_Entry(key=key, tried=tried).model_dump_json() + "\n")
        except OSError as error:
            raise ConfigurationError(
                f"--resume {self._path}: a trial could not be written ({error.strerror}). Those before it are kept: "
                "free the disk and give the same command again, which goes on from there; or leave --resume out."
            ) from error


def _read(path: Path, number: int, line: bytes) -> tuple[str, Tried]:
    try:
        entry = _Entry.model_validate_json(line)
    except ValidationError as error:
        raise _foreign(path, number) from error
    return entry.key, entry.tried


def _foreign(path: Path, number: int) -> ConfigurationError:
    return ConfigurationError(
        f"--resume {path}: line {number} is no trial of a search. Name a file that `train --resume` has written, "
        "or a new one."
    )


def key_of(*parts: object) -> str:
    """One key for all of these; another version of this project or of the libraries makes another one."""
    text = json.dumps([*map(repr, parts), __version__, library_versions()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
