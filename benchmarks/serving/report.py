"""What was measured, as Markdown: medians over the repetitions, with their spread."""

from collections.abc import Callable, Iterator, Sequence
from statistics import median

from pydantic import BaseModel

from benchmarks.serving.catalogue import VARIANTS
from benchmarks.serving.load import Run
from benchmarks.serving.machine import Machine

RATIO_CLIENTS = 32
RATIOS = (("a", 40.0), ("b", 1.0), ("f", 0.6))
FOREIGN_LIMIT = 0.05

Figure = Callable[[Run], float | None]


class Report(BaseModel):
    """Everything a run of the benchmark found; `not_run` and `ready_s` are by variant."""

    machine: Machine
    model: str
    seconds: float
    repetitions: int
    complete: bool = False
    not_run: dict[str, str] = {}
    ready_s: dict[str, list[float]] = {}
    runs: list[Run] = []

    def of(self, variant: str, *, clients: int = 0, share: float = 0.0) -> list[Run]:
        """The repetitions of one load on one variant."""
        return [run for run in self.runs if (run.variant, run.clients, run.share) == (variant, clients, share)]

    @property
    def variants(self) -> list[str]:
        """The variants that have figures, in order."""
        return sorted({run.variant for run in self.runs})

    @property
    def clients(self) -> list[int]:
        """The numbers of clients of the closed loop."""
        return sorted({run.clients for run in self.runs if run.kind == "closed"})

    @property
    def shares(self) -> list[float]:
        """The shares of capacity of the open loop."""
        return sorted({run.share for run in self.runs if run.kind == "open"})


def markdown(report: Report) -> str:
    """The whole report."""
    parts = (_headline, _not_run, _ratios, _closed, _open, _starts, _warnings)
    return "\n\n".join(text for part in parts if (text := "\n".join(part(report)))) + "\n"


def _headline(report: Report) -> Iterator[str]:
    machine = report.machine
    done = len({run.repetition for run in report.runs})
    yield (
        f"{machine.cpu}, {machine.cores} cores, Linux {machine.kernel}, Python {machine.python}; server on core "
        f"{machine.server_core}, client on core {machine.client_core}. Model {report.model}. "
        f"{done} of {report.repetitions} repetitions, interleaved, {report.seconds:g} s a load. "
        "Medians (lowest–highest repetition); times in ms; CPU is server CPU per answer; memory is that of all the "
        "server's processes, shared pages counted for each, and that of the largest of them."
    )
    if not report.complete:
        yield "\n**Stopped before the end: what is missing was not measured.**"


def _not_run(report: Report) -> Iterator[str]:
    for letter, reason in sorted(report.not_run.items()):
        yield f"- **({letter}) {VARIANTS[letter].name}: not run: {reason}**"


def _ratios(report: Report) -> Iterator[str]:
    pairs = [(peer, goal, _ratio(report, peer)) for peer, goal in RATIOS]
    if any(found for _, _, found in pairs):
        yield f"| throughput at {RATIO_CLIENTS} clients | ratio | goal | |"
        yield "|---|--:|--:|---|"
    for peer, goal, found in pairs:
        if found:
            verdict = "held" if median(found) >= goal else "**missed**"
            title = f"g / {peer} ({VARIANTS[peer].name})"
            yield f"| {title} | {spread(found, _short)} | ≥ {goal:g} | {verdict} |"


def _ratio(report: Report, peer: str) -> list[float]:
    """Throughput of this service over a peer's, repetition by repetition."""
    theirs = {run.repetition: run.outcome.useful_per_s for run in report.of(peer, clients=RATIO_CLIENTS)}
    ours = {run.repetition: run.outcome.useful_per_s for run in report.of("g", clients=RATIO_CLIENTS)}
    return [ours[i] / theirs[i] for i in sorted(ours) if theirs.get(i)]


def _closed(report: Report) -> Iterator[str]:
    yield _CLOSED_TITLES
    yield "|---" + "|--:" * 11 + "|"
    for letter in report.variants:
        for clients in report.clients:
            if runs := report.of(letter, clients=clients):
                yield _row(_title(letter), f"{clients}", *_throughput(runs), *_latencies(runs), *_cost(runs))


_CLOSED_TITLES = (
    "| closed loop | clients | answers/s | p50 | p99 | p99.9 | > 100 ms | 503 | errors |"
    " CPU ms | MB in all | MB largest |"
)


def _open(report: Report) -> Iterator[str]:
    if report.shares:
        yield _OPEN_TITLES
        yield "|---" + "|--:" * 16 + "|"
    for letter in report.variants:
        for share in report.shares:
            if runs := report.of(letter, share=share):
                yield _open_row(letter, share, runs)


_OPEN_TITLES = (
    "| open loop | of capacity | offered/s | 200 answers/s | of capacity | p50 | p99 | p99.9 | > 100 ms |"
    " 503 | 503 p99 | errors | dropped | CPU ms | MB in all | MB largest | sent by |"
)


def _open_row(letter: str, share: float, runs: Sequence[Run]) -> str:
    refused_p99, refused, errors = _figure(runs, lambda run: run.outcome.refused_p99), *_failures(runs)
    useful_share = _figure(runs, lambda run: share * run.outcome.useful_per_s / run.rate, _percent)
    dropped = _figure(runs, lambda run: run.outcome.dropped, _whole)
    offered = _figure(runs, lambda run: run.rate, _whole)
    tools = " and ".join(sorted({_tool(run) for run in runs}))
    before = (_title(letter), f"{share:.0%}", offered, *_throughput(runs), useful_share, *_latencies(runs)[:4])
    return _row(*before, refused, refused_p99, errors, dropped, *_cost(runs), tools)


def _tool(run: Run) -> str:
    return ("k6" if run.tool == "k6" else "own client") + (", **too slow**" if run.client_limited else "")


def _starts(report: Report) -> Iterator[str]:
    """Seconds from start to the first decision."""
    if report.ready_s:
        starts = (f"({letter}) {spread(found, _short)}" for letter, found in sorted(report.ready_s.items()))
        yield "Seconds from start to first decision: " + "; ".join(starts) + "."


def _warnings(report: Report) -> Iterator[str]:
    disturbed = [run for run in report.runs if run.foreign_cpu > FOREIGN_LIMIT]
    if disturbed:
        worst = max(run.foreign_cpu for run in disturbed)
        yield (
            f"**Disturbed: in {len(disturbed)} of {len(report.runs)} loads other work took over {FOREIGN_LIMIT:.0%} of "
            f"the cores used, at worst {worst:.0%}. Repeat on a quiet machine.**"
        )
    for run in report.runs:
        if run.client_limited:
            load = f"{run.clients} clients" if run.kind == "closed" else f"{run.share:.0%} of capacity"
            yield f"- ({run.variant}) {load}, repetition {run.repetition}: **the client was the limit, not the server**"


def _throughput(runs: Sequence[Run]) -> tuple[str]:
    return (_figure(runs, lambda run: run.outcome.useful_per_s, _whole),)


def _latencies(runs: Sequence[Run]) -> tuple[str, ...]:
    return (
        _figure(runs, lambda run: run.outcome.p50),
        _figure(runs, lambda run: run.outcome.p99),
        _figure(runs, lambda run: run.outcome.p999),
        _figure(runs, lambda run: run.outcome.slow_share, _percent),
        *(_failures(runs) if runs[0].kind == "closed" else ()),
    )


def _failures(runs: Sequence[Run]) -> tuple[str, str]:
    refused = _figure(runs, lambda run: run.outcome.refused, _whole)
    return refused, _figure(runs, lambda run: run.outcome.errors, _whole)


def _cost(runs: Sequence[Run]) -> tuple[str, str, str]:
    cpu = _figure(runs, lambda run: 1000 * run.cpu_seconds / max(1, run.outcome.answered_in_all))
    memory = (_figure(runs, lambda run: run.peak_rss_mb, _whole), _figure(runs, lambda run: run.largest_rss_mb, _whole))
    return cpu, *memory


def _figure(runs: Sequence[Run], read: Figure, show: Callable[[float], str] | None = None) -> str:
    found = [value for run in runs if (value := read(run)) is not None]
    return spread(found, show or _short) if found else "–"


def spread(values: Sequence[float], show: Callable[[float], str]) -> str:
    """The median of these values, with the lowest and the highest where they differ."""
    middle, low, high = show(median(values)), show(min(values)), show(max(values))
    return middle if low == high else f"{middle} ({low}–{high})"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _percent(value: float) -> str:
    return f"{value:.0%}" if value in (0, 1) else f"{value:.2%}"


def _title(letter: str) -> str:
    return f"({letter}) {VARIANTS[letter].name}"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"
