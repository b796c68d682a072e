"""The output of a batch: a folder that is replaced as a whole, on any file system that an engine reaches."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from credit_scoring.errors import ConfigurationError

DECISIONS, REJECTED = "decisions", "rejected"
MANIFEST_FILE = "_credit_scoring.json"


class BatchManifest(BaseModel):
    """What lies in an output folder and where it comes from."""

    model_config = ConfigDict(frozen=True)

    model: str
    policy_version: str
    source: str
    rows: int
    decided: int
    rejected: int
    decided_at: datetime
    package_version: str


class FileSystem(Protocol):
    """What an output folder needs of a file system; paths are those that `qualified` gives, or lie below."""

    def qualified(self, path: str) -> str:
        """The one full name of a path."""

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder."""

    def is_empty_folder(self, path: str) -> bool:
        """Whether this is a folder with nothing in it."""

    def rename(self, path: str, target: str) -> bool:
        """Whether the file or folder now has the other name."""

    def delete(self, path: str) -> None:
        """Remove a file or folder with all that is in it, if it is there."""

    def write(self, path: str, content: bytes) -> None:
        """Write a new file."""


class LocalFiles:
    """The file system of this machine."""

    def qualified(self, path: str) -> str:
        """Absolute, symbolic links followed."""
        return os.path.realpath(path)

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder."""
        return Path(path).exists()

    def is_empty_folder(self, path: str) -> bool:
        """Whether this is a folder with nothing in it."""
        return Path(path).is_dir() and not any(Path(path).iterdir())

    def rename(self, path: str, target: str) -> bool:
        """True; raises OSError where that fails."""
        Path(path).rename(target)
        return True

    def delete(self, path: str) -> None:
        """Remove a folder, if it is there."""
        if Path(path).exists():
            shutil.rmtree(path)

    def write(self, path: str, content: bytes) -> None:
        """Write a file."""
        Path(path).write_bytes(content)


class HadoopFiles:
    """The file system of a path by Hadoop's rules; `jvm` is that of a Spark session, `configuration` its Hadoop one."""

    def __init__(self, path: str, jvm: Any, configuration: Any) -> None:
        self._path = jvm.org.apache.hadoop.fs.Path
        self._files = self._path(path).getFileSystem(configuration)

    def qualified(self, path: str) -> str:
        """With scheme and host."""
        return str(self._files.makeQualified(self._path(path)).toString())

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder."""
        return bool(self._files.exists(self._path(path)))

    def is_empty_folder(self, path: str) -> bool:
        """Whether this is a folder with nothing in it."""
        status = self._files.getFileStatus(self._path(path))
        return not status.isFile() and not len(self._files.listStatus(self._path(path)))

    def rename(self, path: str, target: str) -> bool:
        """Whether the file or folder now has the other name."""
        return bool(self._files.rename(self._path(path), self._path(target)))

    def delete(self, path: str) -> None:
        """Remove a file or folder with all that is in it, if it is there."""
        self._files.delete(self._path(path), True)

    def write(self, path: str, content: bytes) -> None:
        """Write a new file."""
        stream = self._files.create(self._path(path), True)
        try:
            stream.write(bytearray(content))
        finally:
            stream.close()


class OutputFolder:
    """A folder of decisions and rejected rows."""

    def __init__(self, path: str, files: FileSystem) -> None:
        self._files = files
        self.path = files.qualified(path)
        parent, _, name = self.path.rstrip("/").rpartition("/")
        self._new, self._old = f"{parent}/.{name}.new", f"{parent}/.{name}.old"

    def check(self, source: str) -> None:
        """Raises ConfigurationError where something else than a batch's output would be replaced, or the input."""
        given = self._files.qualified(source)
        if _within(given, self.path) or _within(self.path, given):
            raise ConfigurationError(f"--output {self.path}: must lie apart from the input {given}.")
        if self._files.exists(self._old) and not self._files.exists(self.path):
            self._rename(self._old, self.path)  # a run was killed between its two renames
        if not self._files.exists(self.path) or self._files.exists(f"{self.path}/{MANIFEST_FILE}"):
            return
        if not self._files.is_empty_folder(self.path):
            raise ConfigurationError(
                f"--output {self.path}: exists and is no output of this command. Name another, or remove it first."
            )

    @contextmanager
    def replacing(self) -> Iterator[str]:
        """A new folder to write to, which takes the place of the old one if the block ends without an error."""
        self._files.delete(self._new)
        try:
            yield self._new
            self._put_in_place()
        finally:
            self._files.delete(self._new)

    def move(self, name: str, target: str) -> bool:
        """Rename a part of the new folder; False where there is none of this name."""
        there = self._files.exists(f"{self._new}/{name}")
        if there:
            self._rename(f"{self._new}/{name}", f"{self._new}/{target}")
        return there

    def remove(self, name: str) -> None:
        """Delete a part of the new folder."""
        self._files.delete(f"{self._new}/{name}")

    def write_manifest(self, manifest: BatchManifest) -> None:
        """Write the manifest into the new folder."""
        self._files.write(f"{self._new}/{MANIFEST_FILE}", manifest.model_dump_json(indent=2).encode())

    def _put_in_place(self) -> None:
        if self._files.exists(self.path):
            self._files.delete(self._old)
            self._rename(self.path, self._old)
        self._rename(self._new, self.path)
        self._files.delete(self._old)

    def _rename(self, path: str, target: str) -> None:
        if not self._files.rename(path, target):
            raise ConfigurationError(f"--output {self.path}: {path} could not be renamed to {target}.")


def _within(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{folder}/")
