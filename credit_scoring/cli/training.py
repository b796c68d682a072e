"""The options of `credit-scoring train` that make its plan and its gate."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from credit_scoring.errors import ConfigurationError
from credit_scoring.policy.costs import CostMatrix, Limits
from credit_scoring.settings import TrainingSettings, read_settings
from credit_scoring.training.config import LARGEST_SEED, TrainingPlan
from credit_scoring.training.journal import Journal


@dataclass(frozen=True)
class SearchOptions:
    """Search."""

    trials: Annotated[int, typer.Option(min=1, help="Search trials per booster; the other candidates get fewer.")] = 20
    timeout: Annotated[
        float | None,
        typer.Option(
            min=1, help="Seconds for the whole command; with a limit, the result depends on the machine's speed."
        ),
    ] = None
    jobs: Annotated[int, typer.Option(help="Processes for cross-validation; -1: one per core.")] = -1
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=LARGEST_SEED, help="Random seed; the same data, seed and lock file give the same model."
        ),
    ] = 42
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File to keep finished trials in: the same command on the same data goes on where it was interrupted.",
        ),
    ] = None


@dataclass(frozen=True)
class ThresholdOptions:
    """Threshold."""

    loss_given_default: Annotated[
        float,
        typer.Option(
            min=0.001,
            max=1,
            help="Cost of approving a client who defaults, as a share of the letter (or other exposure).",
        ),
    ] = 0.45
    margin: Annotated[
        float,
        typer.Option(
            min=0.001,
            max=1,
            help="Cost of denying a client who would pay, as a share of the letter (or other exposure).",
        ),
    ] = 0.20
    threshold_min_recall: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Smallest share of held-out defaulters that the threshold denies."),
    ] = None
    threshold_max_approval_rate: Annotated[
        float | None, typer.Option(min=0, max=1, help="Largest share of clients that the threshold approves.")
    ] = None


@dataclass(frozen=True)
class GateOptions:
    """Gate."""

    min_auc: Annotated[
        float | None,
        typer.Option(
            min=0.5,
            max=1,
            show_default="CREDIT_SCORING_MINIMUM_AUC or 0.75",
            help="Lowest AUC on the test part with which a model is published.",
        ),
    ] = None
    min_recall: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            show_default="CREDIT_SCORING_MINIMUM_RECALL or 0.5",
            help="Lowest recall on the test part with which a model is published.",
        ),
    ] = None
    against: Annotated[
        str | None,
        typer.Option(
            help="Stored model, or `champion`: a new one with a lower AUC on the same test part, beyond noise, "
            "is not published."
        ),
    ] = None


def plan_of(search: SearchOptions, threshold: ThresholdOptions, gate: GateOptions) -> TrainingPlan:
    """The plan that these options and the environment make; raises ConfigurationError where there is none."""
    if search.jobs == 0:
        raise ConfigurationError("--jobs 0: expected -1 for one process per core, or a number of processes.")
    Journal.at(search.resume)
    settings = read_settings(TrainingSettings)
    return TrainingPlan(
        **asdict(search),
        costs=CostMatrix(loss_given_default=threshold.loss_given_default, margin=threshold.margin),
        limits=Limits(
            min_recall=threshold.threshold_min_recall, max_approval_rate=threshold.threshold_max_approval_rate
        ),
        minimum_auc=settings.minimum_auc if gate.min_auc is None else gate.min_auc,
        minimum_recall=settings.minimum_recall if gate.min_recall is None else gate.min_recall,
    )
