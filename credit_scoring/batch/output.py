"""The output of a batch: a folder that is replaced as a whole, on any file system that Spark reaches."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from credit_scoring.errors import ConfigurationError, DecisionLogError

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


class OutputFolder:
    """A folder of decisions and rejected rows. `jvm` is that of a Spark session, `configuration` its Hadoop one."""

    def __init__(self, path: str, jvm: Any, configuration: Any) -> None:
        self._jvm = jvm
        given = jvm.org.apache.hadoop.fs.Path(path)
        self._files = given.getFileSystem(configuration)
        self._folder = self._files.makeQualified(given)
        self._new, self._old = self._sibling("new"), self._sibling("old")

    @property
    def path(self) -> str:
        """The qualified path."""
        return str(self._folder.toString())

    def check(self, source: str) -> None:
        """Raises ConfigurationError where something else than a batch's output would be replaced, or the input."""
        given = self._files.makeQualified(self._jvm.org.apache.hadoop.fs.Path(source)).toString()
        if _within(given, self.path) or _within(self.path, given):
            raise ConfigurationError(f"--output {self.path}: must lie apart from the input {given}.")
        if self._files.exists(self._old) and not self._files.exists(self._folder):
            self._rename(self._old, self._folder)  # a run was killed between its two renames
        if not self._files.exists(self._folder) or self._files.exists(self._inside(MANIFEST_FILE)):
            return
        if self._files.getFileStatus(self._folder).isFile() or len(self._files.listStatus(self._folder)):
            raise ConfigurationError(
                f"--output {self.path}: exists and is no output of this command. Name another, or remove it first."
            )

    @contextmanager
    def replacing(self) -> Iterator[str]:
        """A new folder to write to, which takes the place of the old one if the block ends without an error."""
        self._files.delete(self._new, True)
        try:
            yield str(self._new.toString())
            self._put_in_place()
        finally:
            self._files.delete(self._new, True)

    def move(self, name: str, target: str) -> bool:
        """Rename a part of the new folder; False where there is none of this name."""
        path, to = (self._jvm.org.apache.hadoop.fs.Path(self._new, each) for each in (name, target))
        there = bool(self._files.exists(path))
        if there:
            self._rename(path, to)
        return there

    def remove(self, name: str) -> None:
        """Delete a part of the new folder."""
        self._files.delete(self._jvm.org.apache.hadoop.fs.Path(self._new, name), True)

    def write_manifest(self, manifest: BatchManifest) -> None:
        """Write the manifest into the new folder."""
        path = self._jvm.org.apache.hadoop.fs.Path(self._new, MANIFEST_FILE)
        stream = self._files.create(path, True)
        try:
            stream.write(bytearray(manifest.model_dump_json(indent=2).encode()))
        finally:
            stream.close()

    def _put_in_place(self) -> None:
        if self._files.exists(self._folder):
            self._files.delete(self._old, True)
            self._rename(self._folder, self._old)
        self._rename(self._new, self._folder)
        self._files.delete(self._old, True)

    def _rename(self, path: Any, target: Any) -> None:
        if not self._files.rename(path, target):
            raise DecisionLogError(f"{path.toString()} could not be renamed to {target.getName()}.")

    def _sibling(self, state: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(self._folder.getParent(), f".{self._folder.getName()}.{state}")

    def _inside(self, name: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(self._folder, name)


def _within(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{folder}/")
