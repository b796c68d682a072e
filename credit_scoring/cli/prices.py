"""What the declared directions of risk cost, on the console."""

from rich.console import Console

from credit_scoring.cli.listing import Listing
from credit_scoring.model.scorer import Scorer


def show_prices(console: Console, scorer: Scorer) -> None:
    """A row for each direction that was priced, and a plain sentence for each that the data contradict."""
    card = scorer.card
    moves = scorer.catalogue.moves
    if card.direction_prices:
        listing = Listing("declared direction", "", "AUC gained without it, 95 % interval")
        for name, price in card.direction_prices.items():
            listing.add(name, moves[name], str(price))
        listing.show(console)
    for name in card.contradicted:
        console.print(
            f"[yellow]contradicted[/] {name}: declared {moves[name]}; the data say otherwise beyond noise, "
            f"by {card.direction_prices[name]} of AUC. If they are right, train with --free {name}.",
            soft_wrap=True,
            highlight=False,
        )
    if card.unpriced:
        console.print(f"No time to price the directions of {', '.join(card.unpriced)}.")
    if card.missing_unpriced:
        console.print("No time to price that a missing value counts as the worst.")
    if card.missing_price:
        console.print(f"That a missing value counts as the worst costs {card.missing_price} of AUC.")
