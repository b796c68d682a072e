"""What a misspelt name of a field or column may have been meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches

ALIKE = 0.75  # of difflib's ratio: one or two letters of a name


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is nearly this one; None where none is."""
    by_lower = {each.lower(): each for each in known}
    near = get_close_matches(name.strip().lower(), by_lower, n=1, cutoff=ALIKE)
    return by_lower[near[0]] if near else None


def did_you_mean(unknown: Iterable[str], known: Iterable[str]) -> str:
    """A question that names, for each unknown name that is nearly a known one, both; empty where none is."""
    known = [*known]
    pairs = [f"{near} by {name[:40]}" for name in unknown if (near := nearest(name, known))]
    return f" Did you mean {', '.join(pairs)}?" if pairs else ""
