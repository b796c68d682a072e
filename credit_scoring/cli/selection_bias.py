"""What a model trained on decisions cannot know, on the console."""

from rich.console import Console
from rich.markup import escape

from credit_scoring.cli.listing import Listing
from credit_scoring.model.card import ModelCard, SelectionBias

MOST_FIELDS = 10
EFFECTS = {"auc": "AUC", "predicted_default_rate": "default rate predicted"}


def show_selection_bias(console: Console, card: ModelCard) -> None:
    """Coverage by score, the fields in which the refused differ most, and the study; nothing for other sources."""
    bias = card.selection_bias
    if bias is None:
        return
    console.print(
        f"Without an outcome: {bias.refused:,} refused applications and {bias.open:,} approved ones, "
        f"beside {bias.known:,} with one."
    )
    if bias.unusable:
        console.print(f"[yellow]left out[/] {bias.unusable:,} of them, as these fields reject them or they were erased")
    console.print(
        f"{bias.blind_applications:.1%} of all applications and {bias.blind_range:.1%} of the range of scores lie in "
        f"{len(bias.blind)} of {len(bias.bands)} bands with fewer than {bias.fewest} outcomes: the model "
        "extrapolates there.",
        soft_wrap=True,
    )
    _show_fields(console, bias)
    _show_study(console, bias)


def _show_fields(console: Console, bias: SelectionBias) -> None:
    if not bias.fields:
        console.print("Too few were refused to say how they differ.")
        return
    listing = Listing(
        *("refused against known", "PSI", "limit", "over-represented in", "known", "refused"),
        right=("PSI", "limit", "known", "refused"),
    )
    for each in bias.fields[:MOST_FIELDS]:
        numbers = f"{each.psi:.3f}", f"{each.limit:.3f}"
        listing.add(each.field, *numbers, escape(each.bin), f"{each.known_share:.1%}", f"{each.refused_share:.1%}")
    listing.show(console)


def _show_study(console: Console, bias: SelectionBias) -> None:
    if bias.study is None:
        console.print(f"What a stricter past cut-off would have cost was not measured: {bias.no_study}.")
        return
    study = bias.study
    console.print(
        f"Had the riskiest third of those with an outcome been refused as well: {study.hidden_rows:,} clients, default "
        f"rate {study.hidden_default_rate}. On them, trained with their outcomes and without:",
        soft_wrap=True,
    )
    listing = Listing("", "with", "without", "difference, 95 % interval")
    for name, effect in study.effects.items():
        listing.add(EFFECTS[name], str(effect.full), str(effect.hidden), str(effect.difference))
    listing.show(console)
