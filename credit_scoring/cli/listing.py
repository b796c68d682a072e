"""Tables and prose of the command line, all by one rule of width.

On a terminal a table fits it: cells stay whole, so that an id can be copied, and only the column of text is folded.
Where that is not enough, each row becomes a record, a line for each cell, as with psql's automatic expanded display.
Off a terminal a row is as long as its cells, with no space at its end: for files, grep and whoever reads a pipe.
Prose is folded at words on a terminal, and nowhere else.
"""

import re
import sys
from collections.abc import Container
from io import StringIO
from itertools import chain, repeat

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

BETWEEN = 2  # columns
_STEERING = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)  # controls, and turns of direction
UNLIMITED = sys.maxsize


class Listing:
    """Rows under `titles`; the column that is titled `text` may be folded, those titled `right` are aligned there.

    Cells may have markup and several lines. An empty cell is left out of a record.
    """

    def __init__(
        self, *titles: str, text: str | None = None, right: Container[str] = (), title: str | None = None
    ) -> None:
        columns = (
            Column(each, no_wrap=each != text, overflow="fold", justify="right" if each in right else "left")
            for each in titles
        )
        self._rows: list[list[Text]] = []
        self._table = Table(
            *columns,
            title=title and Text.from_markup(title, emoji=False),
            title_justify="left",
            box=None,
            pad_edge=False,
            padding=(0, BETWEEN, 0, 0),
        )

    def add(self, *cells: str, style: str | None = None) -> None:
        """Add a row from the left; what looks like an emoji's name is no emoji, and nothing steers the terminal."""
        row = [Text.from_markup(_STEERING.sub("\ufffd", cell), emoji=False) for cell in cells]
        self._rows.append(row)
        self._table.add_row(*row, style=style)

    def show(self, console: Console) -> None:
        """Print it, on a terminal as wide as that at most."""
        self._keep_whole()
        size = Measurement.get(console, console.options.update(width=UNLIMITED), self._table)
        if not console.is_terminal:
            self._print_all(console, size.maximum)
        elif size.minimum <= console.width:
            console.print(self._table)
        else:
            self._print_records(console)

    def _keep_whole(self) -> None:
        for place, column in enumerate(self._table.columns):
            if column.no_wrap:
                cells = [Text(str(column.header)), *(row[place] for row in self._rows if place < len(row))]
                column.min_width = max(line.cell_len for cell in cells for line in cell.split(allow_blank=True))

    def _print_all(self, console: Console, width: int) -> None:
        wide = Console(file=StringIO(), width=width)
        with wide.capture() as printed:
            wide.print(self._table)
        for line in printed.get().removesuffix("\n").split("\n"):
            console.out(line.rstrip(), highlight=False)

    def _print_records(self, console: Console) -> None:
        if self._table.title:
            console.print(self._table.title, style="italic")
        names = [str(column.header).replace("\n", ", ") for column in self._table.columns]
        widest = max(map(cell_len, names)) + BETWEEN
        for row in self._rows:
            for name, column, cell in zip(names, self._table.columns, row, strict=False):
                titles = chain([name], repeat(""))
                for title, line in zip(titles, cell.split() if cell else (), strict=False):
                    told = Text.assemble((title.ljust(widest), "bold"), line)
                    console.print(told, soft_wrap=bool(column.no_wrap))
            console.print()


def messages() -> Console:
    """Standard error, for what a command tells beside its result."""
    return Console(stderr=True, soft_wrap=not sys.stderr.isatty())


def say(text: str) -> None:
    """Print prose on standard output as it is, without markup."""
    console = Console(markup=False, emoji=False, highlight=False)
    console.print(text, soft_wrap=not console.is_terminal)
