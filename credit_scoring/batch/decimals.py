"""The decimal sign of CSV files whose mapping names none: told from how each begins, as training tells it."""

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from credit_scoring.batch.arrow import TextSource
from credit_scoring.data.layout import UNTOLD, decimal_of, decimals_of
from credit_scoring.data.mapping import ColumnMapping
from credit_scoring.errors import DataError

SAMPLE_BYTES = 256 * 1024


def with_decimal(source: TextSource, header: Sequence[str], beginnings: Iterable[tuple[str, bytes]]) -> TextSource:
    """The source with the decimal sign of these files: the name and the first `SAMPLE_BYTES` of each, unpacked.

    Raises DataError where it is not certain, or not the same in all of them. Where none of them tells, numbers that
    may be either are none.
    """
    if "decimal" in source.mapping.model_fields_set:
        return source
    signs: dict[str, str] = {}
    for name, beginning in beginnings:
        found = _decimals_in(beginning, header, source.mapping)
        sign = decimal_of(found, f"Input {name}")
        if found.total():
            signs.setdefault(sign, name)
    if len(signs) > 1:
        raise DataError(f"Input {signs[',']} has a decimal comma, and {signs['.']} has a point. Score them one by one.")
    return replace(source, mapping=source.mapping.model_copy(update={"decimal": next(iter(signs), UNTOLD)}))


def _decimals_in(beginning: bytes, header: Sequence[str], mapping: ColumnMapping) -> Counter[str]:
    """How many numbers of the whole rows have which sign; whether the file is CSV is found out when it is read."""
    text = codecs.getincrementaldecoder(mapping.encoding)("replace").decode(beginning)
    reader = csv.DictReader(io.StringIO(text, newline=""), header, delimiter=mapping.delimiter)
    try:
        rows = [*reader]
    except csv.Error:
        return Counter()
    whole = rows[mapping.header : -1 if len(beginning) >= SAMPLE_BYTES else None]
    return decimals_of(whole, [column for column in mapping.numeric_columns if column in header])
