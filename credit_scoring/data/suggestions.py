"""What a misspelt column may have been meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches

ALIKE = 0.75  # of difflib's ratio: one or two letters of a name


def did_you_mean(unknown: Iterable[str], known: Iterable[str]) -> str:
    """A question that names, for each unknown name that is nearly a known one, both; empty where none is."""
    by_lower = {name.lower(): name for name in known}
    pairs = []
    for name in unknown:
        if near := get_close_matches(name.strip().lower(), by_lower, n=1, cutoff=ALIKE):
            pairs.append(f"{by_lower[near[0]]} by {name[:40]}")
    return f" Did you mean {', '.join(pairs)}?" if pairs else ""
