"""What a teacher gave, on the console."""

from rich.console import Console

from credit_scoring.model.card import Teaching


def show_teaching(console: Console, teaching: Teaching) -> None:
    """A line for the teacher, and one for each candidate that learned from it."""
    console.print(
        f"Teacher {teaching.sha256[:12]}…: AUC {teaching.auc:.3f}, out of fold; {teaching.share:.0%} of each label.",
        highlight=False,
    )
    if not teaching.gains:
        console.print(
            "Nobody learned from it: every booster is far behind the best candidate, or a fold lacks an outcome."
        )
    for name, gain in teaching.gains.items():
        console.print(f"{name} against {teaching.over}, by outcomes alone: {gain} of AUC.", highlight=False)
