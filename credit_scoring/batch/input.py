"""The input of a batch: Parquet or CSV files as a Spark frame of what tasks need, checked before any task runs."""

import codecs
import re
from dataclasses import dataclass
from typing import Any

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.batch.arrow import ID, MISSHAPEN, Source, TextSource, TypedSource, column_kind
from credit_scoring.batch.decimals import SAMPLE_BYTES, with_decimal
from credit_scoring.batch.scoring import InputFiles
from credit_scoring.batch.task import BLOCK, FILE, ROW, FirstRows
from credit_scoring.errors import DataError

CORRUPT = "_corrupt"
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


def read(session: Any, files: InputFiles, catalogue: Catalogue) -> Input:
    """The input as applications of this catalogue; raises ConfigurationError or DataError where it is none."""
    names, size = _found(session, files)
    kind = files.kind(names)
    tasks = files.partitions or TASKS_PER_CORE * session.sparkContext.defaultParallelism
    split = min(LARGEST_SPLIT, max(1, -(-size // tasks)))
    session.conf.set("spark.sql.files.maxPartitionBytes", str(split))
    return _csv(session, files, catalogue) if kind == "csv" else _parquet(session, files, catalogue)


def _found(session: Any, files: InputFiles) -> tuple[list[str], int]:
    """Names and total bytes of the files."""
    jvm, configuration = session.sparkContext._jvm, session.sparkContext._jsc.hadoopConfiguration()
    path = jvm.org.apache.hadoop.fs.Path(files.path)
    system = path.getFileSystem(configuration)
    names, size = [], 0
    for status in system.globStatus(path) or []:
        leaves = system.listFiles(status.getPath(), True)
        while leaves.hasNext():
            leaf = leaves.next()
            names.append(str(leaf.getPath().getName()))
            size += int(leaf.getLen())
    if not names:
        raise files.no_files()
    return names, size


def _parquet(session: Any, files: InputFiles, catalogue: Catalogue) -> Input:
    frame = session.read.option("recursiveFileLookup", True).parquet(files.path)
    source = TypedSource.of(_kinds(frame, catalogue), catalogue, files.id_column)
    columns = {name: files.id_column or ID if name == ID else name for name in source.fields}
    types = {name: _SPARK_TYPES[column_kind(field)] for name, field in catalogue.all_fields.items()}
    fields = [f"CAST({_quoted(column)} AS {types[name]}) AS {name}" for name, column in columns.items()]
    rows = frame.selectExpr(f"_metadata.file_path AS {FILE}", f"_metadata.row_index + 1 AS {ROW}", *fields)
    return Input(rows.repartition(files.partitions) if files.partitions else rows, source, frame.count())


def _csv(session: Any, files: InputFiles, catalogue: Catalogue) -> Input:
    mapping = files.read_mapping(catalogue)
    encoding, delimiter = (mapping.encoding, mapping.delimiter) if mapping else ("utf-8", ",")
    reader = session.read.options(
        sep=delimiter, quote='"', escape='"', encoding=_java_name(encoding), recursiveFileLookup=True
    )
    first = [cell or "" for cell in reader.csv(files.path).head() or ()]
    header = mapping.names_in(first) if mapping else first
    source = TextSource.of(header, catalogue, mapping, files.id_column)
    schema = ", ".join(f"{_quoted(name)} STRING" for name in (*header, CORRUPT))
    named = mapping is None or mapping.header
    options = reader.options(header=named, enforceSchema=False, columnNameOfCorruptRecord=CORRUPT)
    whole = options.csv(files.path, schema)
    source = with_decimal(source, header, (_beginning(session, uri) for uri in sorted(whole.inputFiles())))
    rows = whole.selectExpr(
        f"_metadata.file_path AS {FILE}",
        f"_metadata.file_block_start AS {BLOCK}",
        f"{CORRUPT} IS NOT NULL AS {MISSHAPEN}",
        *map(_quoted, source.columns),
    )
    counts = {(each[FILE], each[BLOCK]): each["count"] for each in rows.groupBy(FILE, BLOCK).count().collect()}
    return Input(rows, source, sum(counts.values()), _first_rows(counts))


def _beginning(session: Any, uri: str) -> tuple[str, bytes]:
    """The name of a file, and its first bytes, unpacked."""
    jvm, configuration = session.sparkContext._jvm, session.sparkContext._jsc.hadoopConfiguration()
    path = jvm.org.apache.hadoop.fs.Path(jvm.java.net.URI(uri))
    codec = jvm.org.apache.hadoop.io.compress.CompressionCodecFactory(configuration).getCodec(path)
    stream = path.getFileSystem(configuration).open(path)
    try:
        unpacked = codec.createInputStream(stream) if codec else stream
        return str(path), bytes(unpacked.readNBytes(SAMPLE_BYTES))
    finally:
        stream.close()


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
