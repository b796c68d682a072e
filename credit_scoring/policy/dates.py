"""Whether a policy is valid today, and whether one follows another without a gap."""

from datetime import UTC, date, datetime, timedelta

from credit_scoring.policy.policy import BRASILIA, Policy


def today() -> date:
    """The day in Brasília."""
    return datetime.now(UTC).astimezone(BRASILIA).date()


def not_valid(policy: Policy, day: date) -> str | None:
    """Why the policy may not decide on this day; None where it may."""
    if policy.valid_from and day < policy.valid_from:
        return f"it is valid from {policy.valid_from}, and today is {day}; correct valid_from, or wait"
    if policy.valid_until and day > policy.valid_until:
        return f"it was valid until {policy.valid_until}, and today is {day}; use the policy that follows it"
    return None


def gap(before: Policy, after: Policy) -> str | None:
    """What is wrong with the dates of two policies of which one follows the other; None where nothing is."""
    if before.valid_until is None or after.valid_from is None:
        return None
    if after.valid_from <= before.valid_until + timedelta(days=1):
        return None
    return (
        f"valid_from {after.valid_from} leaves a gap: the policy before, {before.name}, is valid until "
        f"{before.valid_until}; let one begin the day after the other ends"
    )
