"""Cards of models that were trained but not published, kept for whoever has to find out why."""

from datetime import UTC, datetime
from pathlib import Path

from bentoml._internal.configuration.containers import BentoMLContainer

from credit_scoring.settings import MODEL_NAME

KEPT = 20  # newest cards; older ones are deleted


def keep_card(card: str) -> Path:
    """Write this card to a new file in BentoML's home; its path. Raises OSError."""
    folder = Path(BentoMLContainer.bentoml_home.get()) / MODEL_NAME / "unpublished"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"card-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.json"
    new = path.with_suffix(".new")
    new.write_text(card, encoding="utf-8")
    new.replace(path)
    for old in sorted(folder.glob("card-*.json"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return path
