"""`python -m benchmarks.explanation.what_if`: what simulations take, whether plans and proofs hold, and peers.

The refused applications of the demo data, by a stored model: time with a single lever and with pairs, every plan sent
anew and alone, proofs of "none" against a grid of values. treecf and dice-ml get the same applications and levers in an
environment of their own, and the policy says what their plans are worth.
"""

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from benchmarks.explanation.what_if_peers import Peer
from benchmarks.serving.applications import sample_of
from benchmarks.serving.environments import SCORING, VALIDATING, Environment, InstallError
from benchmarks.serving.machine import described
from credit_scoring.application.arrays import Flags
from credit_scoring.application.catalogue import shipped
from credit_scoring.application.schemas import Answer
from credit_scoring.data.datasets import load_embedded
from credit_scoring.explanation.levers import grid
from credit_scoring.explanation.searches import Record
from credit_scoring.explanation.simulation import Plan, WhatIf
from credit_scoring.explanation.what_if import what_if
from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import PROJECT_FOLDER

RESULTS_FILE = PROJECT_FOLDER / "benchmarks" / "results" / "what_if.md"
PEERS = Environment("what-if", Path(__file__).parent / "what_if_peers.txt", SCORING + VALIDATING)
PEERS_WITHIN_S = 1800.0
VALUES_EACH = 60  # of each directed lever, in the grid that a proof is checked on

console = Console(stderr=True)


@dataclass
class Bench:
    """A scorer, its refused applications, and what simulations of them have found."""

    scorer: Scorer
    refused: list[dict[str, Any]]
    answers: list[WhatIf] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)

    def approved(self, records: Sequence[Record]) -> Flags:
        """Whether the policy approves each."""
        return self.scorer.score_records(records) < self.scorer.policy.threshold

    def simulate(self) -> None:
        """Every refused application, after some to warm up."""
        levers = [name for name in self.scorer.catalogue.levers if name in self.scorer.card.features]
        for record in [*self.refused[:50], *self.refused]:
            started, on_cpu = time.perf_counter(), time.process_time()
            self.answers.append(what_if(record, self.scorer.catalogue, self.approved, levers=levers))
            self.seconds.append(time.perf_counter() - started)
            self.cpu_seconds.append(time.process_time() - on_cpu)
        del self.answers[:50], self.seconds[:50], self.cpu_seconds[:50]

    def approves_alone(self, record: Record, changes: dict[str, Any]) -> bool:
        """What `/predict` would say: validated and scored by itself."""
        content = json.dumps({key: value for key, value in {**record, **changes}.items() if value is not None})
        sent = self.scorer.catalogue.application.model_validate_json(content)
        (ruling,) = self.scorer.decide([sent.__dict__])[1]
        return ruling.answer is Answer.APPROVED


def main(
    model: Annotated[str, typer.Option(help="Tag of a stored model.")] = "credit_scoring:latest",
    applications: Annotated[int, typer.Option(min=1, help="Refused applications at most.")] = 5000,
    plans: Annotated[int, typer.Option(help="Refused applications whose plans are sent anew.")] = 1000,
    proofs: Annotated[int, typer.Option(help="Proofs that are checked on a grid.")] = 200,
    peer_rows: Annotated[int, typer.Option(help="Applications for the peers.")] = 100,
    peers: Annotated[bool, typer.Option(help="Run treecf and dice-ml, too.")] = True,
    output: Annotated[Path, typer.Option(help="File for the table.")] = RESULTS_FILE,
) -> None:
    """Print the figures and write them to a file."""
    bench = _bench(model, applications)
    bench.simulate()
    lines = [
        f"{described()}; {bench.scorer.card.chosen}, {len(bench.refused):,} refused applications of the demo data.",
        "",
        *_times(bench),
        "",
        *_held(bench, plans),
        *_proven(bench, proofs),
    ]
    if peers:
        lines += ["", *_beside(bench, peer_rows)]
    text = "\n".join(lines) + "\n"
    print(text, end="")
    output.write_text(text, encoding="utf-8")


def _bench(tag: str, most: int) -> Bench:
    scorer = replace(Scorer.load(Path(store.find(tag).path)), catalogue=shipped())  # older models have no levers
    found = sample_of(scorer, load_embedded(PROJECT_FOLDER / "data").frame)
    denied = [body for body, answer in zip(found.bodies, found.decisions, strict=True) if answer is Answer.DENIED]
    application = scorer.catalogue.application
    return Bench(scorer, [dict(application.model_validate_json(body).__dict__) for body in denied[:most]])


def _times(bench: Bench) -> list[str]:
    """Time on the clock and on the processor, which others do not lengthen, and evaluations, by what was searched."""
    kinds: dict[str, list[int]] = {"single levers suffice": [], "pairs were searched": []}
    for place, answer in enumerate(bench.answers):
        kinds["single levers suffice" if answer.single else "pairs were searched"].append(place)
    lines = [
        "| | applications | median ms | p95 ms | median CPU ms | p95 CPU ms | evaluations, median |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for kind, places in kinds.items():
        if not places:
            continue
        took = [_milliseconds([seconds[place] for place in places]) for seconds in (bench.seconds, bench.cpu_seconds)]
        evaluations = statistics.median(bench.answers[place].evaluations for place in places)
        lines.append(f"| {kind} | {len(places):,} | {' | '.join(took)} | {evaluations:,.0f} |")
    return lines


def _milliseconds(seconds: Sequence[float]) -> str:
    return f"{1000 * statistics.median(seconds):.1f} | {1000 * float(np.quantile(seconds, 0.95)):.1f}"


def _held(bench: Bench, most: int) -> list[str]:
    """How many plans the policy approves, each sent by itself."""
    sent = [
        (record, plan)
        for record, answer in [*zip(bench.refused, bench.answers, strict=True)][:most]
        for plan in _plans(answer)
    ]
    held = sum(bench.approves_alone(record, _changes(plan)) for record, plan in sent)
    return [
        f"{len(sent):,} plans of {min(most, len(bench.refused)):,} applications, each sent alone: {held:,} APROVADO."
    ]


def _plans(answer: WhatIf) -> list[Plan]:
    return [*answer.single, *([answer.pair] if answer.pair else [])]


def _changes(plan: Plan) -> dict[str, Any]:
    return {change.field: change.after for change in plan.changes}


def _proven(bench: Bench, most: int) -> list[str]:
    """How many proofs a grid over all directed levers contradicts."""
    catalogue = bench.scorer.catalogue
    found = [(record, answer.none) for record, answer in zip(bench.refused, bench.answers, strict=True) if answer.none]
    wrong = rows = 0
    for record, none in found[:most]:
        grids = [_thinned(grid(catalogue.levers[name], False)) for name in none.proven]
        tried = [{**record, **dict(zip(none.proven, values, strict=True))} for values in product(*grids)]
        rows += len(tried)
        wrong += bool(bench.approved(tried).any())
    return [
        f"{min(most, len(found))} proofs of none, {rows:,} applications over the grids of their directed levers: "
        f"{wrong} contradicted."
    ]


def _thinned(values: Sequence[float]) -> list[float]:
    """So many values of a grid, its ends among them."""
    return [values[place] for place in sorted({*np.linspace(0, len(values) - 1, VALUES_EACH).round().astype(int)})]


def _beside(bench: Bench, rows: int) -> list[str]:
    """The peers and this simulation on the same applications, without missing values: dice-ml takes none."""
    features = bench.scorer.card.features
    places = [place for place, each in enumerate(bench.refused) if all(each[name] is not None for name in features)][
        :rows
    ]
    lines = [
        f"{len(places)} applications without missing values:",
        "",
        "| | median ms | with a plan | of these the policy approves |",
        "|---|--:|--:|--:|",
        _ours(bench, places),
    ]
    try:
        found = _peers(bench, places)
    except InstallError as error:
        console.print(f"treecf, dice-ml: NOT RUN, {error}", style="bold red", soft_wrap=True)
        return [*lines, f"| treecf, dice-ml | NOT RUN: {error} | | |"]
    return [*lines, *(_peer_row(bench, places, peer) for peer in found)]


def _ours(bench: Bench, places: Sequence[int]) -> str:
    took = statistics.median(1000 * bench.seconds[place] for place in places)
    planned = [(bench.refused[place], bench.answers[place]) for place in places if _plans(bench.answers[place])]
    held = sum(all(bench.approves_alone(record, _changes(plan)) for plan in _plans(each)) for record, each in planned)
    return _row("what_if, all its plans", took, len(planned), held, len(places))


def _peer_row(bench: Bench, places: Sequence[int], peer: Peer) -> str:
    if peer.error:
        console.print(f"{peer.name}: NOT RUN, {peer.error}", style="bold red", soft_wrap=True)
        return f"| {peer.name} | NOT RUN: {peer.error} | | |"
    planned = [(place, changes) for place, changes in zip(places, peer.changes, strict=True) if changes is not None]
    held = sum(bench.approves_alone(bench.refused[place], changes) for place, changes in planned)
    return _row(peer.name, statistics.median(peer.milliseconds), len(planned), held, len(places))


def _row(name: str, milliseconds: float, planned: int, held: int, rows: int) -> str:
    return f"| {name} | {milliseconds:.1f} | {planned / rows:.0%} | {held / max(planned, 1):.0%} |"


def _peers(bench: Bench, places: Sequence[int]) -> list[Peer]:
    """What the peers find, in a process of their own environment."""
    PEERS.make()
    with tempfile.TemporaryDirectory(prefix="credit-scoring-what-if-") as name:
        folder = Path(name)
        (folder / "model").mkdir()
        bench.scorer.save(folder / "model")
        rows = [{key: bench.refused[place][key] for key in bench.scorer.card.features} for place in places]
        load_embedded(PROJECT_FOLDER / "data").frame.to_csv(folder / "training.csv", index=False)
        (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
        command = [str(PEERS.bin / "python"), "-m", "benchmarks.explanation.what_if_peers", str(folder)]
        process = subprocess.run(  # noqa: S603 - a command of this benchmark
            command, cwd=PROJECT_FOLDER, check=False, timeout=PEERS_WITHIN_S, capture_output=True, text=True
        )
        if process.returncode:
            raise InstallError("; ".join(process.stderr.strip().splitlines()[-1:]))
        return [Peer(**each) for each in json.loads((folder / "found.json").read_text(encoding="utf-8"))]


if __name__ == "__main__":
    typer.run(main)
