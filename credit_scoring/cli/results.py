"""What the console says of the data, of a model that was trained on them, and of how well it does."""

from rich.console import Console
from rich.markup import escape

from credit_scoring.application.suggestions import did_you_mean
from credit_scoring.cli.listing import Listing
from credit_scoring.cli.prices import show_prices
from credit_scoring.cli.selection_bias import show_selection_bias
from credit_scoring.cli.teaching import show_teaching
from credit_scoring.data import datasets
from credit_scoring.data.datasets import Dataset
from credit_scoring.evaluation.results import Assessment
from credit_scoring.model.card import Interval, ModelCard
from credit_scoring.model.scorer import Scorer


def show_data(console: Console, dataset: Dataset) -> None:
    """How many rows there are and how many defaulted; what was left out, and what looks wrong."""
    console.print(
        f"[bold]{escape(dataset.source)}[/]: {len(dataset.frame):,} applications, {dataset.defaulted.mean():.1%} "
        f"defaulted, {len(dataset.features)} feature fields, sha256 {dataset.sha256}"
    )
    if dataset.note:
        console.print("note:", escape(" ".join(dataset.note.split())), style="dim")
    for problem in datasets.summarise(dataset.bad_rows):
        console.print(f"[yellow]left out[/] {escape(problem)}")
    if dataset.unknown:
        console.print(f"[yellow]left out[/] {dataset.unknown:,} rows whose outcome is not known yet")
    if dataset.young:
        console.print(
            f"[yellow]young[/] {dataset.young:,} rows had less time to default than the outcome's window_months; "
            "they make the model too hopeful. Leave them out of the file, or count them as unknown."
        )
    if dataset.unused_columns:
        meant = did_you_mean(dataset.unused_columns, {*dataset.catalogue.fields} - {*dataset.features})
        console.print(f"[yellow]not used[/] columns {escape(', '.join(dataset.unused_columns))}.{escape(meant)}")
    if dataset.duplicates:
        console.print(f"[yellow]kept[/] {dataset.duplicates:,} duplicate rows")


def show_result(console: Console, scorer: Scorer, compare_rows: int) -> None:
    """What a training found; `compare_rows` is how many rows its comparison had at most."""
    card, policy = scorer.card, scorer.policy
    measured = "AUC, 95 % interval\nrecall of defaulters"
    listing = Listing("candidate", "trials", measured, "behind the best", right=("trials",))
    for each in card.candidates:
        name = f"[bold]{each.name}[/]" if each.name == card.chosen else each.name
        measures = f"{each.repeated_auc}\n{each.recall_mean:.3f} ± {each.recall_std:.3f}"
        listing.add(name, str(each.trials or ""), measures, str(each.behind_best))
    listing.show(console)
    if card.teacher:
        show_teaching(console, card.teacher)
    console.print(f"Chosen: {card.chosen}, {card.why_chosen}. Calibration: {card.calibration}.")
    _show_shortage(console, card, compare_rows)
    if card.monotone_price:
        console.print(f"The constraints on the direction of risk cost {card.monotone_price} of AUC.")
    show_prices(console, scorer)
    show_selection_bias(console, card)
    console.print(
        f"Threshold {policy.threshold:g}: a default costs {policy.costs.loss_given_default:.0%} of the exposure, "
        f"a denied good client {policy.costs.margin:.0%} (break-even {policy.costs.break_even:.2f})."
    )
    show_metrics(console, f"the untouched test part, {card.data.rows_test:,} rows", card.test)
    if card.against:
        console.print(f"{card.against.tag} has AUC {card.against.auc:.3f} there; difference {card.against.difference}.")


def _show_shortage(console: Console, card: ModelCard, compare_rows: int) -> None:
    if card.rows_compared is not None and card.rows_compared < min(compare_rows, card.data.rows_train):
        console.print(
            f"[yellow]little time[/] The choice, the calibration and the threshold are from {card.rows_compared:,} of "
            f"{card.data.rows_train:,} rows; --timeout left none for more. Allow it more before people are decided on."
        )


def show_metrics(console: Console, data: str, metrics: dict[str, Interval]) -> None:
    """A row for each metric on these data, described in a few words."""
    listing = Listing("", "95 % interval", title=f"on {escape(data)}")
    for metric, interval in metrics.items():
        listing.add(metric, str(interval))
    listing.show(console)


def show_warnings(console: Console, assessment: Assessment) -> None:
    """A line for each."""
    for warning in assessment.warnings:
        console.print(f"[yellow]warning:[/] {escape(warning)}")
