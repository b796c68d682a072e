"""The input of a batch: Parquet or CSV files as a Spark frame of what tasks need, checked before any task runs."""

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.batch.arrow import ID, MISSHAPEN, Source, TextSource, TypedSource, column_kind
from credit_scoring.batch.task import BLOCK, FILE, ROW, FirstRows
from credit_scoring.data.mapping import ColumnMapping
from credit_scoring.errors import ConfigurationError, DataError

CORRUPT = "_corrupt"
KINDS = ("csv", "parquet")
TASKS_PER_CORE = 4
LARGEST_SPLIT = 128 * 1024 * 1024

_NUMBERS = re.compile(r"(tinyint|smallint|int|bigint|float|double|decimal\(.*\))$")
_KINDS = {"boolean": "flag", "string": "text", "void": "nothing"}
_SPARK_TYPES = {"number": "double", "flag": "boolean", "text": "string"}


@dataclass(frozen=True)
class Input:
    """The rows as tasks read them, how they become applications, how many there are, and where each block begins."""

    frame: Any
    source: Source
    rows: int
    first_rows: FirstRows | None = None


@dataclass(frozen=True)
class InputFiles:
    """Which files to read and how; `path` may be a file, a folder or a pattern on any file system that Spark reaches.

    `format` is one of KINDS, told by the files' names where it is None. `partitions` is the number of tasks to cut the
    input into.
    """

    path: str
    format: str | None = None
    mapping: Path | None = None
    id_column: str | None = None
    partitions: int | None = None

    def read(self, session: Any, catalogue: Catalogue) -> Input:
        """The input as applications of this catalogue; raises ConfigurationError or DataError where it is none."""
        names, size = self._found(session)
        kind = self.format or self._kind_of(names)
        if self.mapping and kind != "csv":
            raise ConfigurationError(f"--mapping {self.mapping}: is for CSV, but {self.path} is {kind}.")
        tasks = self.partitions or TASKS_PER_CORE * session.sparkContext.defaultParallelism
        split = min(LARGEST_SPLIT, max(1, -(-size // tasks)))
        session.conf.set("spark.sql.files.maxPartitionBytes", str(split))
        return self._csv(session, catalogue) if kind == "csv" else self._parquet(session, catalogue)

    def _found(self, session: Any) -> tuple[list[str], int]:
        """Names and total bytes of the files."""
        jvm, configuration = session.sparkContext._jvm, session.sparkContext._jsc.hadoopConfiguration()
        path = jvm.org.apache.hadoop.fs.Path(self.path)
        files = path.getFileSystem(configuration)
        names, size = [], 0
        for status in files.globStatus(path) or []:
            leaves = files.listFiles(status.getPath(), True)
            while leaves.hasNext():
                leaf = leaves.next()
                names.append(str(leaf.getPath().getName()))
                size += int(leaf.getLen())
        if not names:
            raise ConfigurationError(f"Input {self.path}: no such file, or a folder without files.")
        return names, size

    def _kind_of(self, names: Sequence[str]) -> str:
        kinds = {found[1] for name in names if (found := re.search(r"\.(csv|parquet)(\.\w+)?$", name))}
        if len(kinds) != 1:
            problem = "both CSV and Parquet files" if kinds else "no file named .csv or .parquet"
            raise ConfigurationError(f"Input {self.path}: {problem}. Name the kind with --format.")
        return kinds.pop()

    def _parquet(self, session: Any, catalogue: Catalogue) -> Input:
        frame = session.read.option("recursiveFileLookup", True).parquet(self.path)
        source = TypedSource.of(_kinds(frame, catalogue), catalogue, self.id_column)
        columns = {name: self.id_column or ID if name == ID else name for name in source.fields}
        types = {name: _SPARK_TYPES[column_kind(field)] for name, field in catalogue.all_fields.items()}
        fields = [f"CAST({_quoted(column)} AS {types[name]}) AS {name}" for name, column in columns.items()]
        rows = frame.selectExpr(f"_metadata.file_path AS {FILE}", f"_metadata.row_index + 1 AS {ROW}", *fields)
        return Input(rows.repartition(self.partitions) if self.partitions else rows, source, frame.count())

    def _csv(self, session: Any, catalogue: Catalogue) -> Input:
        mapping = ColumnMapping.read(self.mapping, catalogue) if self.mapping else None
        encoding, delimiter = (mapping.encoding, mapping.delimiter) if mapping else ("utf-8", ",")
        reader = session.read.options(
            sep=delimiter, quote='"', escape='"', encoding=_java_name(encoding), recursiveFileLookup=True
        )
        first = [cell or "" for cell in reader.csv(self.path).head() or ()]
        header = mapping.names_in(first) if mapping else first
        source = TextSource.of(header, catalogue, mapping, self.id_column)
        schema = ", ".join(f"{_quoted(name)} STRING" for name in (*header, CORRUPT))
        named = mapping is None or mapping.header
        whole = reader.options(header=named, enforceSchema=False, columnNameOfCorruptRecord=CORRUPT)
        rows = whole.csv(self.path, schema).selectExpr(
            f"_metadata.file_path AS {FILE}",
            f"_metadata.file_block_start AS {BLOCK}",
            f"{CORRUPT} IS NOT NULL AS {MISSHAPEN}",
            *map(_quoted, source.columns),
        )
        counts = {(each[FILE], each[BLOCK]): each["count"] for each in rows.groupBy(FILE, BLOCK).count().collect()}
        return Input(rows, source, sum(counts.values()), _first_rows(counts))


def _first_rows(counts: FirstRows) -> FirstRows:
    """The number of the first row of each block, from the rows that each has."""
    first_rows, next_row = {}, {file: 1 for file, _ in counts}
    for file, block in sorted(counts):
        first_rows[file, block] = next_row[file]
        next_row[file] += counts[file, block]
    return first_rows


def _kinds(frame: Any, catalogue: Catalogue) -> dict[str, str]:
    """The kind of each column; one whose type is of another kind than its field, but without a value, is nothing."""
    kinds = {name: "number" if _NUMBERS.match(type_) else _KINDS.get(type_, type_) for name, type_ in frame.dtypes}
    for name, field in catalogue.all_fields.items():
        numeric = kinds.get(name) == "number" and column_kind(field) != "number"  # as pandas writes a column of None
        if numeric and frame.where(f"{name} IS NOT NULL").isEmpty():
            kinds[name] = "nothing"
    return kinds


def _java_name(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
    except LookupError as error:
        raise DataError(f"Mapping file: no encoding is called {encoding}.") from error
    return "utf-8" if name == "utf-8-sig" else name


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"
