"""Where a command's data set comes from: options, and the data set that they name."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from credit_scoring.application.catalogue import Catalogue, shipped
from credit_scoring.cli.decisions import open_log
from credit_scoring.cli.progress import stage
from credit_scoring.data import datasets, history
from credit_scoring.data.datasets import Dataset
from credit_scoring.decisions.queries import Wanted
from credit_scoring.errors import ConfigurationError
from credit_scoring.settings import TrainingSettings, read_settings


class Source(StrEnum):
    """Where training data comes from."""

    EMBEDDED = "embedded"
    KAGGLE = "kaggle"
    CSV = "csv"
    DECISIONS = "decisions"


FieldsOption = Annotated[
    Path | None,
    typer.Option(
        help="TOML file with the fields of your applications; see docs/fields.md. [those of a consórcio]",
        rich_help_panel="Data",
    ),
]


@dataclass(frozen=True)
class DataOptions:
    """Data."""

    source: Annotated[
        Source,
        typer.Option(
            help="embedded: the demo set in the repository; kaggle: laotse/credit-risk-dataset; csv: your file; "
            "decisions: the service's decisions whose outcome is known."
        ),
    ] = Source.EMBEDDED
    path: Annotated[
        Path | None,
        typer.Option(help="CSV, .xlsx or .parquet file. Required with csv; with kaggle it replaces the download."),
    ] = None
    mapping: Annotated[
        Path | None,
        typer.Option(help="TOML file that maps the columns, values and units of your file; see docs/data.md."),
    ] = None
    max_bad_share: Annotated[
        float, typer.Option(min=0, max=1, help="Largest share of bad rows; with more, the run stops.")
    ] = datasets.MAX_BAD_SHARE

    def catalogue(self, fields: Path | None) -> Catalogue:
        """The catalogue in this file, or else the shipped one; raises ConfigurationError for a source with its own."""
        if fields and self.source in (Source.EMBEDDED, Source.KAGGLE):
            raise ConfigurationError(
                f"--fields {fields}: the source {self.source.value} has its own fields; use --source csv or decisions."
            )
        return Catalogue.read(fields) if fields else shipped()

    def load(self, console: Console, catalogue: Catalogue) -> Dataset:
        """The data set, where its source has no fields of its own with those of this catalogue.

        Raises ConfigurationError where the options contradict each other.
        """
        if self.source is Source.DECISIONS:
            return self._load_decisions(console, catalogue)
        if self.source is Source.CSV and self.path is None:
            raise ConfigurationError("--source csv needs --path, the file to train on.")
        if self.source is not Source.CSV and self.mapping:
            raise ConfigurationError(
                f"--mapping {self.mapping}: the source {self.source.value} has its own mapping; use --source csv."
            )
        if self.source is Source.CSV and self.path:
            return datasets.load_csv(self.path, catalogue, self.mapping, self.max_bad_share)
        if self.source is Source.KAGGLE:
            return datasets.load_kaggle(self.path, self.max_bad_share)
        if self.path:
            raise ConfigurationError(f"--path {self.path}: the embedded source has its own file; use --source csv.")
        return datasets.load_embedded(read_settings(TrainingSettings).data_folder, self.max_bad_share)

    def _load_decisions(self, console: Console, catalogue: Catalogue) -> Dataset:
        if self.path or self.mapping:
            raise ConfigurationError(
                "--source decisions takes no file: it reads the database in CREDIT_SCORING_DATABASE_URL."
            )
        with stage(console, "Reading decisions whose outcome is known"):
            return history.load_decisions(open_log(None), Wanted(), catalogue)
