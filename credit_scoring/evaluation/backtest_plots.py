"""Pictures of a backtest, each in the language asked for; no text in them comes from applicants."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from credit_scoring.evaluation.backtest_results import Backtest, CutOff, QuadrantName
from credit_scoring.evaluation.languages import Language, MoneyUnit
from credit_scoring.evaluation.plots import (
    DEFAULTERS,
    FULL,
    MODEL,
    PAYERS,
    REFERENCE,
    canvas,
    legend,
    plain,
    style,
)
from credit_scoring.model.card import Interval

Names = Callable[[str, str], str]

_PLACES: Mapping[QuadrantName, tuple[int, int, str]] = {
    "kept_in": (0, 1, "#DCEBF5"),
    "swapped_out": (1, 1, "#F9E4D6"),
    "swapped_in": (0, 0, "#CDE9DD"),
    "kept_out": (1, 0, "#EEEEEE"),
}


def titles(language: Language) -> dict[QuadrantName, str]:
    """What the quadrants are called."""
    say = language.say
    return {
        "kept_in": say("Continuam aprovados", "Kept in"),
        "swapped_out": say("Deixam de ser aprovados", "Swapped out"),
        "swapped_in": say("Passam a ser aprovados", "Swapped in"),
        "kept_out": say("Continuam fora", "Kept out"),
    }


def quadrants(found: Backtest, language: Language) -> Figure:
    """Who was approved, and who would be: clients, default rate and money of each quadrant."""
    say = language.say
    figure = canvas(say("Os quatro quadrantes", "The four quadrants"), FULL, 3.4)
    axes = style(figure.add_subplot(), say("Nova política", "New policy"), say("Registrado", "On record"))
    named = titles(language)
    for each in found.quadrants:
        x, y, color = _PLACES[each.name]
        axes.add_patch(_square(x, y, color))
        rate = "–" if each.default_rate is None else language.percent(each.default_rate.value)
        lines = (
            f"{language.number(each.clients)} ({language.percent(each.clients / found.decisions)})",
            f"{say('inadimplência', 'default rate')} {rate}",
            _literal(language.reais(each.money.value)),
        )
        axes.text(x + 0.5, y + 0.78, named[each.name], ha="center", va="center", fontsize=10, weight="bold")
        axes.text(x + 0.5, y + 0.4, "\n".join(lines), ha="center", va="center", fontsize=9, color=MODEL)
    approved, other = "APROVADO", say("outra resposta", "another answer")
    axes.set(xlim=(0, 2), ylim=(0, 2))
    axes.set_xticks([0.5, 1.5], [approved, other])
    axes.set_yticks([1.5, 0.5], [approved, other])
    return figure


def money(found: Backtest, language: Language) -> Figure:
    """What approving earns on record and under the new policy, and the difference, with 95 % intervals."""
    say = language.say
    figure = canvas(say("Resultado pela matriz de custos", "Money by the cost matrix"), FULL, 2.0)
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    before, after = say("registrado", "on record"), say("nova política", "new policy")
    _amounts(left, {before: found.before.money, after: found.after.money}, language)
    _amounts(right, {say("diferença", "difference"): found.difference}, language)
    right.axvline(0, color=REFERENCE, linestyle="--", linewidth=1)
    return figure


def stress(found: Backtest, language: Language) -> Figure:
    """Money of the swapped in if their risks were higher, and where it is gone."""
    say = language.say
    figure = canvas(say("Estresse dos que passam a ser aprovados", "Stress of the swapped in"), FULL, 3.0)
    curve = found.stress.money
    label = say("Risco multiplicado por", "Risk multiplied by")
    divisor, unit = _unit(curve.y, language)
    axes = style(figure.add_subplot(), label, unit)
    axes.axhline(0, color=REFERENCE, linestyle="--", linewidth=1)
    axes.plot(curve.x, np.array(curve.y) / divisor, color=MODEL)
    estimate = float(np.interp(1.0, curve.x, curve.y)) / divisor
    axes.plot(1.0, estimate, "o", color=MODEL, label=say("Risco estimado", "Risk as estimated"))
    if (at := found.stress.break_even) is not None and at <= curve.x[-1]:
        label = f"{say('Empate em', 'Break-even at')} {language.number(at, 2)}"
        axes.plot(at, 0, "o", color=DEFAULTERS, label=label)
    _localise(language, axes.xaxis, axes.yaxis)
    legend(axes, "best")
    return figure


def funnel(found: Backtest, language: Language) -> Figure:
    """Applications that each rule does not let pass, and those that nothing else would stop."""
    say = language.say
    rows = [each for each in found.funnel if each.id != "rules"]
    figure = canvas(say("O que cada regra barra", "What each rule stops"), FULL, 1.1 + 0.34 * len(rows))
    axes = style(figure.add_subplot(), say("Propostas", "Applications"), "")
    places = np.arange(len(rows))
    denies, reviews = [each.denies for each in rows], [each.reviews for each in rows]
    axes.barh(places, denies, 0.6, color=DEFAULTERS, alpha=0.75, label="NEGADO")
    axes.barh(places, reviews, 0.6, left=denies, color=PAYERS, alpha=0.6, label="EM_ANALISE")
    alone = [each.alone for each in rows]
    axes.plot(alone, places, "D", color=MODEL, markersize=5, label=say("Só por esta", "By this alone"))
    risk = say("risco", "risk")
    axes.set_yticks(places, [risk if each.id == "threshold" else each.id for each in rows])
    axes.invert_yaxis()
    axes.margins(x=0.05)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    _localise(language, axes.xaxis)
    legend(axes, "best")
    return figure


def curve(found: Backtest, language: Language) -> Figure:
    """The new rules with other thresholds: approval rate, default rate of the approved, and money."""
    say = language.say
    figure = canvas(say("Curva de estratégia", "Strategy curve"), FULL, 3.2)
    panels = figure.subplots(1, 3, sharex=True)
    divisor, unit = _unit([each.money for each in found.curve], language)
    below = say("Aprovar abaixo do risco", "Approve below this risk")
    read: Sequence[tuple[str, Callable[[CutOff], float], float | None]] = (
        (say("Aprovação", "Approval rate"), lambda each: each.approval_rate, found.before.approval_rate.value),
        (say("Inadimplência", "Default rate"), _rate, _value(found.before.default_rate)),
        (unit, lambda each: each.money / divisor, found.before.money.value / divisor),
    )
    for axes, (title, value, before) in zip(panels, read, strict=True):
        style(axes, below, title)
        axes.plot([each.risk for each in found.curve], [value(each) for each in found.curve], color=MODEL)
        axes.axvline(found.cut_off, color=MODEL, linestyle=":", linewidth=1.2, label=say("nova política", "new policy"))
        if before is not None:
            axes.axhline(before, color=REFERENCE, linestyle="--", linewidth=1, label=say("registrado", "on record"))
        _localise(language, axes.xaxis, axes.yaxis)
    _percent(language, panels[0].yaxis, panels[1].yaxis)
    legend(panels[0], "best")
    return figure


def groups(found: Backtest, language: Language, named: Names) -> Figure:
    """Approval rate of each audit group with its 95 % interval, on record and under the new policy."""
    say = language.say
    figure = canvas(say("Aprovação por grupo", "Approval by group"), FULL, 1.1 + 0.36 * len(found.groups))
    axes = style(figure.add_subplot(), say("Aprovação, intervalo de 95 %", "Approval rate, 95 % interval"), "")
    places = np.arange(len(found.groups))
    _dots(axes, places - 0.14, [each.before for each in found.groups], REFERENCE, say("registrado", "on record"))
    _dots(axes, places + 0.14, [each.after for each in found.groups], PAYERS, say("nova política", "new policy"))
    axes.set_yticks(places, [plain(named(each.field, each.group)) for each in found.groups])
    axes.invert_yaxis()
    _percent(language, axes.xaxis)
    legend(axes, "best")
    return figure


def _square(x: int, y: int, color: str) -> Rectangle:
    return Rectangle((x + 0.02, y + 0.02), 0.96, 0.96, facecolor=color, edgecolor="none")


def _amounts(axes: Axes, found: Mapping[str, Interval], language: Language) -> None:
    divisor, unit = _unit([end for each in found.values() for end in (each.low, each.high)], language)
    style(axes, f"{unit}, {language.say('intervalo de 95 %', '95 % interval')}", "")
    _dots(axes, np.arange(len(found)), [_over(each, divisor) for each in found.values()], MODEL, None)
    axes.set_yticks(range(len(found)), [*found])
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    _localise(language, axes.xaxis)


def _dots(axes: Axes, places: npt.ArrayLike, found: Sequence[Interval], color: str, label: str | None) -> None:
    axes.hlines(places, [each.low for each in found], [each.high for each in found], color=color, linewidth=1.5)
    axes.plot([each.value for each in found], places, "o", color=color, label=label)


def _over(found: Interval, divisor: float) -> Interval:
    return Interval(value=found.value / divisor, low=found.low / divisor, high=found.high / divisor)


def _unit(amounts: Iterable[float], language: Language) -> tuple[float, str]:
    """What to divide amounts by, and the unit that they are then in."""
    unit = MoneyUnit.of(amounts)
    return unit.divisor, _literal(language.unit(unit))


def _literal(text: str) -> str:
    """Not as TeX."""
    return text.replace("$", r"\$")


def _value(found: Interval | None) -> float | None:
    return found.value if found else None


def _rate(each: CutOff) -> float:
    return float("nan") if each.default_rate is None else each.default_rate


def _localise(language: Language, *scales: Axis) -> None:
    for scale in scales:
        scale.set_major_formatter(FuncFormatter(lambda value, place: language.localised(f"{value:,.10g}")))


def _percent(language: Language, *scales: Axis) -> None:
    for scale in scales:
        scale.set_major_formatter(FuncFormatter(lambda value, place: f"{language.localised(f'{100 * value:,.10g}')} %"))
