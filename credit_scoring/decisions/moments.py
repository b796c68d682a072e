"""Moments as people write and read them."""

from datetime import UTC, datetime, timedelta, timezone

BRASILIA = timezone(timedelta(hours=-3), "BRT")  # America/Sao_Paulo; Brazil has had no summer time since 2019


def moment(text: str) -> datetime:
    """A day or a time, UTC unless it names a zone; raises ValueError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text}: expected a day or a time, like 2026-11-24 or 2026-11-24T15:00.") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def local(moment: datetime) -> str:
    """In Brasília's time, as people there write it."""
    return f"{moment.astimezone(BRASILIA):%d/%m/%Y %H:%M:%S}"
