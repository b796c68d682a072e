"""Plots of an assessment: each function returns a new Figure and does not use pyplot's global state."""

import io
import re
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from math import ceil
from typing import Literal

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator, PercentFormatter

from credit_scoring.application.fields import REAIS
from credit_scoring.application.schemas import Answer
from credit_scoring.evaluation.results import Assessment, Curve, GroupResult, Label, PartialDependence
from credit_scoring.model.card import Interval

Place = Literal["upper left", "upper right", "lower right", "best"]

# Blue and vermilion of Okabe & Ito's palette, distinguishable with any colour vision.
PAYERS, DEFAULTERS = "#0072B2", "#D55E00"
MODEL, REFERENCE, WARNING = "#222222", "#8A8A8A", "#B5006E"

HALF, FULL = 4.2, 8.6  # inches: two to a row, or the whole row
LONGEST_LABEL = 32
GRID_COLUMNS = 3
_FLAG = {0.0: "no", 1.0: "yes"}
_WAYS = {"up": "risk may only rise", "down": "risk may only fall"}

_drawing = threading.Lock()


def roc(assessment: Assessment) -> Figure:
    """ROC curve: recall against false alarms, with the point of the threshold."""
    metrics = assessment.metrics
    figure, axes = _picture("ROC curve", "Payers denied (false alarms)", "Defaulters denied (recall)")
    axes.plot([0, 1], [0, 1], color=REFERENCE, linestyle="--", linewidth=1, label="Guessing")
    axes.plot(assessment.roc.x, assessment.roc.y, color=MODEL, label=f"Model, AUC {metrics['auc']}")
    percent(axes.xaxis)
    _mark_point(axes, _false_alarms(assessment), metrics["recall"].value, assessment.threshold)
    return _shares(figure, axes, "lower right")


def precision_recall(assessment: Assessment) -> Figure:
    """Precision against recall, with the point of the threshold and the precision of denying all."""
    metrics, curve = assessment.metrics, assessment.precision_recall
    figure, axes = _picture("Precision and recall", "Defaulters denied (recall)", "Denied who default (precision)")
    label = f"Denying all, {100 * assessment.default_rate:.1f} %"
    axes.axhline(assessment.default_rate, color=REFERENCE, linestyle="--", linewidth=1, label=label)
    axes.plot(curve.x, curve.y, color=MODEL, label="Model")
    percent(axes.xaxis)
    _mark_point(axes, metrics["recall"].value, metrics["precision"].value, assessment.threshold)
    return _shares(figure, axes, "best")


def kolmogorov_smirnov(assessment: Assessment) -> Figure:
    """Share of payers and of defaulters at or below each risk, and where the two are furthest apart."""
    payers, defaulters = assessment.cumulative_payers, assessment.cumulative_defaulters
    figure, axes = _picture("Kolmogorov–Smirnov distance", "Risk probability", "Clients at or below it")
    axes.step(payers.x, payers.y, where="post", color=PAYERS, label="Payers")
    axes.step(defaulters.x, defaulters.y, where="post", color=DEFAULTERS, label="Defaulters")
    risk, *ends = _largest_gap(payers, defaulters)
    gap = f"Largest gap, {assessment.metrics['ks']}"
    axes.plot([risk, risk], ends, color=MODEL, linewidth=2, label=gap)
    _mark_threshold(axes, assessment.threshold)
    return _shares(figure, axes, "lower right")


def reliability(assessment: Assessment) -> Figure:
    """Predicted risk against observed defaults with 95 % intervals, over a strip with the rows of each point."""
    bins = assessment.reliability
    predicted = [each.predicted for each in bins]
    end = 1.06 * max([*predicted, *(each.observed.high for each in bins)], default=1)
    figure = canvas("Reliability", HALF, 3.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[5, 1])
    axes = style(above, "", "Defaults observed")
    axes.plot([0, end], [0, end], color=REFERENCE, linestyle="--", linewidth=1, label="As predicted")
    axes.vlines(predicted, *_ends(each.observed for each in bins), color=MODEL, linewidth=1.2)
    axes.plot(predicted, [each.observed.value for each in bins], "o", color=MODEL, label="Observed, 95 % interval")
    axes.set(xlim=(0, end), ylim=(0, end))
    percent(axes.yaxis, above.xaxis)
    legend(axes, "upper left")
    strip = style(below, "Risk predicted", "Rows")
    strip.bar(predicted, [each.rows for each in bins], width=end / 50, color=REFERENCE)
    strip.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    return figure


def profit(assessment: Assessment) -> Figure:
    """Profit per application by threshold, compared with denying all."""
    threshold, curve = assessment.threshold, assessment.profit
    figure, axes = _picture("Profit by threshold", "Threshold", "Profit, R$ per application")
    axes.axhline(0, color=REFERENCE, linestyle="--", linewidth=1, label="Denying all")
    axes.plot(curve.x, curve.y, color=MODEL)
    best = int(np.argmax(curve.y))
    label = f"Best on these data, {curve.x[best]:.2f}"
    axes.plot(curve.x[best], curve.y[best], "o", color=REFERENCE, markerfacecolor="none", label=label)
    _mark_point(axes, threshold, float(np.interp(threshold, curve.x, curve.y)), threshold)
    _mark_threshold(axes, threshold, label=None)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    legend(axes, "best")
    return figure


def score_distribution(assessment: Assessment) -> Figure:
    """Histograms of the risks of payers and of defaulters, each as shares of its class."""
    figure, axes = _picture("Risk by outcome", "Risk probability", "Clients of the class, % per 0.01 of risk")
    edges = np.array(assessment.histogram_edges)
    classes = {
        "Payers": (assessment.histogram_payers, PAYERS),
        "Defaulters": (assessment.histogram_defaulters, DEFAULTERS),
    }
    for label, (counts, color) in classes.items():
        density = np.array(counts) / max(1, sum(counts)) / np.diff(edges)
        axes.stairs(density, edges, fill=True, color=color, alpha=0.25)
        axes.stairs(density, edges, color=color, linewidth=1.5, label=f"{label}, {sum(counts):,}")
    _mark_threshold(axes, assessment.threshold)
    _headline(axes, f"{Answer.APPROVED} below {assessment.threshold:.2f}, {Answer.DENIED} from there on")
    legend(axes, "upper right")
    return figure


def importance(assessment: Assessment) -> Figure:
    """Importance of each field: AUC lost when it is shuffled, and its share of the log-odds; most important first."""
    fields = sorted(assessment.importance, key=lambda each: each.auc_loss.value)
    if not fields:
        return _nothing("Importance of fields", "The importance of no field was measured.")
    figure = canvas("Importance of fields", FULL, 1.2 + 0.3 * len(fields))
    left, right = figure.subplots(1, 2, sharey=True)
    rows = range(len(fields))
    _importance_bars(left, "Loss of AUC when shuffled, and its range", [each.auc_loss.value for each in fields])
    left.hlines(rows, *_ends(each.auc_loss for each in fields), color=MODEL, linewidth=1.2)
    left.set_yticks(rows, [_named(each.field, assessment.labels) for each in fields])
    _importance_bars(right, "Mean absolute share of the log-odds (SHAP)", [each.log_odds_share for each in fields])
    return figure


def partial_dependence(assessment: Assessment) -> Figure:
    """Mean risk when each field takes each value; a field that violates its declared direction stands out."""
    fields = assessment.partial_dependence
    if not fields:
        return _nothing("Partial dependence", "No field was varied.")
    figure, panels = _grid("Partial dependence", len(fields), GRID_COLUMNS, 2.2)
    for axes, field in zip(panels, fields, strict=True):
        _dependence_panel(axes, field, assessment.labels.get(field.field))
    figure.supylabel("Mean risk", fontsize=9)
    panels[0].set_ylim(0, 1.1 * max(0.01, *(risk for field in fields for risk in field.risk)))
    return figure


def approval_by_group(assessment: Assessment) -> Figure:
    """Approval rate of each group with its 95 % interval, one panel per audit field."""
    names = dict.fromkeys(each.field for each in assessment.groups)
    by_field = [[each for each in assessment.groups if each.field == name] for name in names]
    if not by_field:
        return _nothing("Approval rate by group", "The data has no audit field to compare groups by.")
    figure, panels = _grid("Approval rate by group", len(by_field), 2, 1.1 + 0.28 * max(map(len, by_field)), "x")
    for axes, groups in zip(panels, by_field, strict=True):
        _group_panel(axes, groups, assessment.metrics["approval_rate"].value)
        overall = f"all clients {100 * assessment.metrics['approval_rate'].value:.1f} %, dashed"
        _headline(axes, f"{_named(groups[0].field, assessment.labels)}\n{overall}")
    return figure


FIGURES: Mapping[str, Callable[[Assessment], Figure]] = {
    "ROC curve": roc,
    "Precision and recall": precision_recall,
    "Kolmogorov–Smirnov distance": kolmogorov_smirnov,
    "Reliability": reliability,
    "Profit by threshold": profit,
    "Risk by outcome": score_distribution,
    "Importance of fields": importance,
    "Partial dependence": partial_dependence,
    "Approval rate by group": approval_by_group,
}


def svg(figure: Figure) -> str:
    """The figure as an SVG element for a page; the same figure gives the same bytes.

    Text stays text, in the reader's fonts; ids are unique, so that a page can contain several figures.
    """
    output = io.StringIO()
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    title = str(figure.get_label())
    with _drawing, rc_context({"svg.hashsalt": title, "svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # the browser has its own fonts
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # each draw would move the layout by another thousandth
        figure.savefig(output, format="svg", metadata=metadata)
    element = re.sub(r'<g id="[^"]*">', "<g>", output.getvalue().partition("<svg ")[2])
    return f'<svg role="img" aria-label="{escape(title)}" {element}'


def canvas(title: str, width: float, height: float) -> Figure:
    """An empty figure of this size in inches."""
    return Figure(figsize=(width, height), layout="constrained", label=title)


def _picture(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = canvas(title, HALF, 3.6)
    return figure, style(figure.add_subplot(), x, y)


def _nothing(title: str, sentence: str) -> Figure:
    figure = canvas(title, FULL, 0.8)
    figure.text(0.5, 0.5, sentence, color=REFERENCE, ha="center", va="center")
    return figure


def _grid(title: str, count: int, columns: int, row_height: float, shared: str = "y") -> tuple[Figure, list[Axes]]:
    rows = ceil(count / columns)
    figure = canvas(title, FULL, row_height * rows)
    panels = list(figure.subplots(rows, columns, sharex=shared == "x", sharey=shared == "y", squeeze=False).flat)
    for unused in panels[count:]:
        unused.remove()
    return figure, panels[:count]


def style(axes: Axes, x: str, y: str) -> Axes:
    """Label both axes and hide the frame."""
    axes.set(xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(REFERENCE)
    axes.tick_params(color=REFERENCE, labelsize=8)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_fontsize(9)
    return axes


def _headline(axes: Axes, text: str, color: str = MODEL) -> None:
    axes.set_title(text, loc="left", fontsize=9, color=color)


def _shares(figure: Figure, axes: Axes, place: Place) -> Figure:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    percent(axes.yaxis)
    legend(axes, place)
    return figure


def legend(axes: Axes, place: Place) -> None:
    """Add the legend."""
    axes.legend(loc=place, fontsize=8, frameon=True, framealpha=0.8, edgecolor="none")


def percent(*scales: Axis) -> None:
    """Write shares as per cent."""
    for scale in scales:
        scale.set_major_formatter(PercentFormatter(1, symbol=" %"))


def _mark_point(axes: Axes, x: float, y: float, threshold: float) -> None:
    axes.plot(x, y, "o", color=MODEL, markersize=7, label=f"At the threshold, {threshold:.2f}")


def _mark_threshold(axes: Axes, threshold: float, label: str | None = "Threshold") -> None:
    axes.axvline(threshold, color=MODEL, linestyle=":", linewidth=1.2, label=label and f"{label}, {threshold:.2f}")


def _false_alarms(assessment: Assessment) -> float:
    """Share of payers denied: those denied less the defaulters among them."""
    denied = 1 - assessment.metrics["approval_rate"].value
    defaulters_denied = assessment.default_rate * assessment.metrics["recall"].value
    return (denied - defaulters_denied) / (1 - assessment.default_rate)


def _largest_gap(payers: Curve, defaulters: Curve) -> tuple[float, float, float]:
    """The risk at which the two curves are furthest apart, and their heights there."""
    risk = np.union1d(payers.x, defaulters.x)
    low, high = _steps(payers, risk), _steps(defaulters, risk)
    place = int(np.abs(low - high).argmax())
    return float(risk[place]), float(low[place]), float(high[place])


def _steps(curve: Curve, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    heights: npt.NDArray[np.float64] = np.array([0.0, *curve.y])
    return heights[np.searchsorted(curve.x, x, side="right")]


def _ends(intervals: Iterable[Interval]) -> tuple[list[float], list[float]]:
    held = list(intervals)
    return [each.low for each in held], [each.high for each in held]


def _importance_bars(axes: Axes, x: str, values: Sequence[float]) -> None:
    style(axes, x, "").barh(range(len(values)), values, height=0.6, color="#C4C4C4")
    axes.axvline(0, color=REFERENCE, linewidth=1)


def _dependence_panel(axes: Axes, dependence: PartialDependence, label: Label | None) -> None:
    color = WARNING if dependence.holds is False else MODEL
    style(axes, _title_and_unit(label), "")
    if (label and label.kind == "flag") or any(isinstance(value, str) for value in dependence.values):
        _category_points(axes, dependence, color)
    else:
        axes.plot([float(value) for value in dependence.values], dependence.risk, ".-", color=color, markersize=4)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    percent(axes.yaxis)
    _headline(axes, f"{plain(dependence.field)}\n{_direction(dependence)}", color)


def _category_points(axes: Axes, dependence: PartialDependence, color: str) -> None:
    places = range(len(dependence.values))
    labels = [plain(value) if isinstance(value, str) else _FLAG.get(value, f"{value:g}") for value in dependence.values]
    axes.plot(places, dependence.risk, "o", color=color, markersize=5)
    axes.set_xticks(places, labels)
    if len(labels) > 2:
        axes.tick_params("x", labelrotation=35, labelsize=7, labelrotation_mode="xtick")
    axes.margins(x=0.15)


def _direction(dependence: PartialDependence) -> str:
    if dependence.holds is None or dependence.risk_moves is None:
        return "no direction declared"
    way = _WAYS[dependence.risk_moves]
    return f"{way}, as declared" if dependence.holds else f"BROKEN: declared “{way}”"


def _group_panel(axes: Axes, groups: Sequence[GroupResult], overall: float) -> None:
    style(axes, "Approval rate, 95 % interval", "")
    rows = range(len(groups))
    axes.axvline(overall, color=REFERENCE, linestyle="--", linewidth=1)
    axes.hlines(rows, *_ends(each.approval_rate for each in groups), color=MODEL, linewidth=1.2)
    axes.plot([each.approval_rate.value for each in groups], rows, "o", color=MODEL)
    axes.set_yticks(rows, [f"{plain(each.group)} (n = {each.rows:,})" for each in groups])
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.tick_params("x", labelbottom=True)
    percent(axes.xaxis)


def _named(field: str, labels: Mapping[str, Label]) -> str:
    return f"{plain(field)} ({plain(labels[field].title)})" if field in labels else plain(field)


def _title_and_unit(label: Label | None) -> str:
    if label is None:
        return ""
    unit = "R$" if label.unit == REAIS else label.unit
    return plain(f"{label.title}, {unit}" if unit else label.title)


def plain(text: str) -> str:
    """Text shown literally, not as TeX; shortened, on one line, without characters that XML does not allow."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    short = shown if len(shown) <= LONGEST_LABEL else f"{shown[:LONGEST_LABEL - 1]}…"
    return short.replace("$", r"\$")
