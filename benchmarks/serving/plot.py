"""The plot: throughput and p99 by clients, a line per variant."""

from pathlib import Path
from statistics import median

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from benchmarks.serving.catalogue import VARIANTS
from benchmarks.serving.loads import SLOW_MS
from benchmarks.serving.report import Figure, Report

mpl.use("Agg")

OURS = "g"


def draw(report: Report, path: Path) -> None:
    """Write the plot as PNG."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    _lines(left, report, lambda run: run.outcome.useful_per_s)
    _lines(right, report, lambda run: run.outcome.p99)
    right.axhline(SLOW_MS, color="grey", linestyle=":", linewidth=1)
    _label(left, report, "answers per second")
    _label(right, report, "p99, ms")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _lines(axes: Axes, report: Report, read: Figure) -> None:
    for letter in report.variants:
        points = {clients: _middle(report, letter, clients, read) for clients in report.clients}
        known = {clients: value for clients, value in points.items() if value}
        width = 3.0 if letter == OURS else 1.2
        axes.plot(
            list(known),
            list(known.values()),
            marker="o",
            linewidth=width,
            label=f"({letter}) {VARIANTS[letter].name}",
            color=f"C{list(VARIANTS).index(letter)}",
        )


def _middle(report: Report, letter: str, clients: int, read: Figure) -> float | None:
    found = [value for run in report.of(letter, clients=clients) if (value := read(run)) is not None]
    return median(found) if found else None


def _label(axes: Axes, report: Report, title: str) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(report.clients, [str(clients) for clients in report.clients])
    axes.set_xlabel("concurrent clients, closed loop")
    axes.set_ylabel(title)
    axes.grid(visible=True, which="major", alpha=0.3)
