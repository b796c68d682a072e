"""The input of a batch on this machine: its files, found and checked before anything is decided."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Self

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.batch.chunks import Chunk, Form
from credit_scoring.batch.csv_chunks import CsvForm
from credit_scoring.batch.parquet_chunks import ParquetForm
from credit_scoring.batch.scoring import InputFiles
from credit_scoring.errors import DataError


@dataclass(frozen=True)
class LocalInput:
    """The files in the order of their names, all of one form."""

    files: tuple[Path, ...]
    form: Form

    @classmethod
    def of(cls, wanted: InputFiles, catalogue: Catalogue) -> Self:
        """The input as applications of this catalogue; raises ConfigurationError or DataError where it is none."""
        files = _found(wanted)
        form_of = _reader(wanted, wanted.kind([path.name for path in files]), catalogue)
        form, *others = map(form_of, files)
        for path, other in zip(files[1:], others, strict=True):
            if other.header != form.header:
                raise DataError(
                    f"Input {wanted.path}: its files do not have the same header: {path} differs from {files[0]}."
                )
        return cls(files, form.fitted(files))

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(path.stat().st_size for path in self.files)

    def chunks(self, finer: int = 1) -> Iterator[Chunk]:
        """All rows, in the order of the files and of their rows; `finer` as a form has it."""
        done = 0
        for path in self.files:
            yield from self.form.chunks(path, done, finer)
            done += path.stat().st_size


def _reader(wanted: InputFiles, kind: str, catalogue: Catalogue) -> Callable[[Path], Form]:
    if kind == "parquet":
        return lambda path: ParquetForm.of(path, catalogue, wanted.id_column)
    mapping = wanted.read_mapping(catalogue)
    return lambda path: CsvForm.of(path, catalogue, mapping, wanted.id_column)


def _found(wanted: InputFiles) -> tuple[Path, ...]:
    path = os.path.abspath(wanted.path)  # noqa: PTH100 - `resolve` would follow links, which Spark does not
    roots = [path] if Path(path).exists() else glob(path)  # noqa: PTH207 - as above, any path
    files = sorted({path for root in roots for path in _below(Path(root))})
    if not files:
        raise wanted.no_files()
    return tuple(files)


def _below(root: Path) -> Iterator[Path]:
    """The file, or those in the folder but for hidden ones, whose names begin with a dot or _ as Spark's do."""
    if root.is_file():
        yield root
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        yield from (Path(folder) / name for name in names if not name.startswith((".", "_")))
