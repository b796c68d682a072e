"""The report on a period as a self-contained HTML page."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from credit_scoring.evaluation.html import environment
from credit_scoring.evaluation.plots import FULL, HALF, MODEL, REFERENCE, WARNING, canvas, legend, percent, style, svg
from credit_scoring.model.card import Interval
from credit_scoring.model.reference import RISK
from credit_scoring.monitoring.cohorts import Cohort
from credit_scoring.monitoring.drift_report import FieldDrift, PeriodReport


def period_page(report: PeriodReport) -> str:
    """The page of this report; the same report gives the same page."""
    drawings = {each.bins.field: Markup(svg(distribution(each))) for each in report.fields}  # noqa: S704 - ours
    over_time = Markup(svg(performance(report.cohorts, report.tested))) if report.cohorts else None  # noqa: S704 - ours
    return (
        environment({each.bins.field: each.bins.title for each in report.fields})
        .get_template("period.html")
        .render(report=report, drawings=drawings, over_time=over_time, risk=RISK)
    )


THEN, NOW = REFERENCE, "#0072B2"


BAR = 0.4


def distribution(drift: FieldDrift) -> Figure:
    """Share of each bin in training, and in the period."""
    figure = canvas(drift.bins.field, HALF, 2.6)
    axes = style(figure.subplots(), "", "Share of decisions")
    places = np.arange(len(drift.bins.labels))
    now = drift.counts / max(drift.decisions, 1)
    then = np.array(drift.bins.counts) / max(sum(drift.bins.counts), 1)
    axes.bar(places - BAR / 2, then, BAR, color=THEN, label="In training")
    axes.bar(places + BAR / 2, now, BAR, color=WARNING if drift.has_moved else NOW, label="Now")
    axes.set_xticks(places, drift.bins.labels, rotation=60, ha="right", fontsize=7)
    percent(axes.yaxis)
    legend(axes, "best")
    return figure


def performance(cohorts: Sequence[Cohort], tested: Mapping[str, Interval]) -> Figure:
    """Default rate and AUC of each cohort: realised with intervals, estimates hollow, the test part as a band."""
    figure = canvas("Performance over time", FULL, 5.4)
    rates, rankings = figure.subplots(2, 1, sharex=True)
    names = [f"{each.start:%Y-%m}" for each in cohorts]
    _track(style(rates, "", "Default rate"), cohorts, "default_rate", "estimated_default_rate")
    _track(style(rankings, "Month of decision", "AUC"), cohorts, "auc", "estimated_auc")
    for axes, metric in ((rates, "default_rate"), (rankings, "auc")):
        if metric in tested:
            _band(axes, tested[metric])
    percent(rates.yaxis)
    rankings.axhline(0.5, color=REFERENCE, linestyle="--", linewidth=1)
    rankings.set_xticks(range(len(names)), names, rotation=45, ha="right")
    legend(rates, "best")
    return figure


def _band(axes: Axes, tested: Interval) -> None:
    label = "Approved clients of the test part, 95 % interval"
    axes.axhspan(tested.low, tested.high, color=REFERENCE, alpha=0.25, linewidth=0, label=label)


def _track(axes: Axes, cohorts: Sequence[Cohort], realised: str, estimated: str) -> None:
    known = [(place, getattr(each, realised)) for place, each in enumerate(cohorts) if getattr(each, realised)]
    guessed = [(place, getattr(each, estimated)) for place, each in enumerate(cohorts)]
    guessed = [(place, value) for place, value in guessed if value is not None]
    if guessed:
        axes.plot(*zip(*guessed, strict=True), "o", color=MODEL, markerfacecolor="none", label="Estimated, for all")
    if known:
        places, intervals = zip(*known, strict=True)
        axes.vlines(places, [each.low for each in intervals], [each.high for each in intervals], color=NOW)
        axes.plot(
            places,
            [each.value for each in intervals],
            "o",
            color=NOW,
            label="Approved clients, known outcomes, 95 % interval",
        )
