"""The findings of a backtest as tables that fit 80 columns."""

from collections.abc import Iterable
from itertools import groupby

from rich.console import Console
from rich.markup import escape

from credit_scoring.application.schemas import Answer
from credit_scoring.cli.listing import Listing
from credit_scoring.evaluation.backtest_results import Backtest, Portfolio, Quadrant
from credit_scoring.evaluation.languages import MoneyUnit
from credit_scoring.model.card import Interval

SPECIAL = {"threshold": "(risk)", "rules": "(all rules)"}


def show(found: Backtest, console: Console) -> None:
    """Print everything that a decision needs; JSON and page have the rest."""
    unit = MoneyUnit.of(found.amounts)
    policies = f"{len(found.history)} {'policy' if len(found.history) == 1 else 'policies'} of the day"
    history = f"{sum(each.decisions for each in found.history):,} decisions under {policies}"
    console.print(f"[bold]{escape(found.policy)}[/] ({found.policy_version}) by the risks of {escape(found.model)}")
    console.print(f"History decided again: {history}, [green]no difference[/].")
    for line in _notes_on_data(found):
        console.print(line)
    for listing in (_changes(found), _funnel(found), _quadrants(found, unit), _totals(found, unit)):
        _show(listing, console)
    console.print(_stress(found))
    _show(_curve(found, unit), console)
    if found.groups:
        _show(_groups(found), console)
    for line in _footnotes(found):
        console.print(line, style="dim")


def _notes_on_data(found: Backtest) -> Iterable[str]:
    if found.rescored:
        yield f"{found.rescored:,} of them were scored by another model, and are scored again by this one."
    if found.rejected:
        yield f"[yellow]left out[/] {found.rejected:,}: this model's field catalogue does not allow the application."


def _show(listing: Listing, console: Console) -> None:
    console.print()
    listing.show(console)


def _listing(title: str, first: str, *numbers: str) -> Listing:
    return Listing(first, *numbers, right=numbers, title=title)


def _changes(found: Backtest) -> Listing:
    listing = _listing("Answers", "on record \\ new", *Answer)
    for was, row in found.changes.items():
        listing.add(was, *(f"{row[answer]:,}" for answer in Answer))
    return listing


def _funnel(found: Backtest) -> Listing:
    listing = _listing("What the new policy does not let pass", "rule", "NEGADO", "EM_ANALISE", "alone", "newly alone")
    for each in found.funnel:
        counts = (each.denies, each.reviews, each.alone, each.newly)
        listing.add(SPECIAL.get(each.id, escape(each.id)), *(f"{count:,}" for count in counts))
    return listing


def _quadrants(found: Backtest, unit: MoneyUnit) -> Listing:
    listing = _listing("Clients", "", "clients", "known", "default rate", unit.english)
    for each in found.quadrants:
        rate = shares(each.default_rate) if each.default_rate else "–"
        name = each.name.replace("_", " ")
        listing.add(name, f"{each.clients:,}", f"{each.known:,}", rate, _amounts(each.money, unit))
    return listing


def _totals(found: Backtest, unit: MoneyUnit) -> Listing:
    listing = _listing("All applications", "", "approved", "default rate", unit.english)
    for name, each in (("on record", found.before), ("new policy", found.after)):
        listing.add(name, *_portfolio(each), _amounts(each.money, unit))
    listing.add("difference", _points(found), "", _amounts(found.difference, unit))
    return listing


def _portfolio(found: Portfolio) -> tuple[str, str]:
    return f"{100 * found.approval_rate.value:.1f} %", shares(found.default_rate) if found.default_rate else "–"


def _points(found: Backtest) -> str:
    return f"{100 * (found.after.approval_rate.value - found.before.approval_rate.value):+.1f} points"


def _stress(found: Backtest) -> str:
    swapped_in = found.quadrant("swapped_in")
    if not swapped_in.clients:
        return "Stress: nobody is swapped in."
    if found.stress.break_even is None:
        return "Stress: no multiple of their risks makes the swapped in break even."
    return f"Stress: the swapped in break even if their risks are {found.stress.break_even:.2f} times as high."


def _curve(found: Backtest, unit: MoneyUnit) -> Listing:
    listing = _listing("The new rules with other thresholds", "approve below", "approved", "default rate", unit.english)
    for each in found.shown_curve:
        rate = "–" if each.default_rate is None else f"{100 * each.default_rate:.1f} %"
        style = "bold" if each is found.nearest else None
        row = (f"{each.risk:.2f}", f"{100 * each.approval_rate:.1f} %", rate, _amount(each.money, unit))
        listing.add(*row, style=style)
    return listing


def _groups(found: Backtest) -> Listing:
    listing = _listing("Approval by audit group", "group", "clients", "on record", "new policy", "")
    for field, members in groupby(found.groups, lambda each: each.field):
        listing.add(f"[bold]{escape(field)}[/]")
        for each in members:
            flag = "[yellow]< 4/5[/]" if each.is_below_four_fifths else ""
            rates = shares(each.before), shares(each.after)
            listing.add(f"  {escape(each.group)}", f"{each.clients:,}", *rates, flag)
    return listing


def _footnotes(found: Backtest) -> Iterable[str]:
    yield "EM_ANALISE counts as not approved. In brackets: 95 % intervals. < 4/5: of the group approved most."
    yield (
        f"Outcomes are known of {found.known:,} clients, mostly approved ones: only they have contracts. The rest "
        "is estimated by the calibrated risk, of the swapped in above all."
    )
    yield from (_off(each) for each in found.quadrants if each.is_off)


def _off(found: Quadrant) -> str:
    observed, predicted = found.observed_rate, found.predicted_rate
    return (
        f"Of the {found.name.replace('_', ' ')}, {shares(observed) if observed else ''} defaulted where the outcome is "
        f"known, but their risks say {100 * (predicted or 0):.1f} %: estimates by risk may be as wrong."
    )


def _amount(value: float, unit: MoneyUnit) -> str:
    return f"{value / unit.divisor:,.{unit.digits}f}"


def _amounts(found: Interval, unit: MoneyUnit) -> str:
    return f"{_amount(found.value, unit)} [{_amount(found.low, unit)}, {_amount(found.high, unit)}]"


def shares(found: Interval) -> str:
    """Such as `12.5 % [11.0, 14.1]`."""
    return f"{100 * found.value:.1f} % [{100 * found.low:.1f}, {100 * found.high:.1f}]"
