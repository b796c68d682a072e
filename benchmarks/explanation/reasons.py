"""`python -m benchmarks.explanation.reasons`: what reasons cost, whether they add up, and what peers make of the same.

Denied clients of the demo data, one at a time, on the demo model, a LightGBM and an ensemble; then random applications,
each candidate with each calibration in turn. The peers run in an environment of their own, made on first use. Times are
of the processor, from the record to the reasons; the peers' are without making the matrix.
"""

import json
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from math import factorial
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated, Any

import typer
from rich.progress import track

from benchmarks.serving.__main__ import RESULTS_FOLDER
from benchmarks.serving.environments import SCORING, VALIDATING, Environment
from benchmarks.serving.machine import described
from benchmarks.support.consorcio import FIELDS
from benchmarks.support.kinds import KINDS, calibrated_otherwise, clients, scorer_of_kind
from credit_scoring.data.datasets import load_embedded
from credit_scoring.explanation.groups import reason_groups
from credit_scoring.explanation.reasons import reasons, reference_values
from credit_scoring.explanation.shapley import Contributions, contributions
from credit_scoring.model import store
from credit_scoring.model.calibration import CALIBRATORS
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import MODEL_NAME, PROJECT_FOLDER

SHAP = Environment("shap", Path(__file__).parent / "peers.txt", SCORING + VALIDATING)
WARM_UP = 20
ONE_THREAD = {"PYTHONPATH": str(PROJECT_FOLDER), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}

Record = dict[str, Any]


def main(
    model: Annotated[str, typer.Option(help="The demo model in the store.")] = f"{MODEL_NAME}:latest",
    explained: Annotated[int, typer.Option(min=50, help="Denied clients explained by each model.")] = 300,
    applications: Annotated[int, typer.Option(min=1, help="Random applications for each candidate.")] = 10_000,
) -> None:
    """Print the tables, and write them to benchmarks/results/reasons.md."""
    SHAP.make()
    demo = Scorer.load(Path(store.find(model).path))
    scorers = {f"demo ({demo.card.chosen})": demo, **{kind: scorer_of_kind(kind) for kind in ("lightgbm", "ensemble")}}
    lines = [f"`python -m benchmarks.explanation.reasons`, {described()}.", ""]
    lines += _peers_table(scorers, explained)
    lines += ["", *_identity_table(applications)]
    report = "\n".join(lines) + "\n"
    (RESULTS_FOLDER / "reasons.md").write_text(report, encoding="utf-8")
    typer.echo(report)


def _peers_table(scorers: Mapping[str, Scorer], count: int) -> Iterator[str]:
    yield "Milliseconds of processor time for one denied client; how far the parts are from what they should add up to."
    yield ""
    yield "| model | explained by | ms, median | p99 | parts | off the log-odds | off the calibrated risk's |"
    yield "|---|---|--:|--:|---|--:|--:|"
    for name, scorer in scorers.items():
        records = _denied(scorer, count)
        taken = _milliseconds(scorer, records)
        groups = len(reason_groups(scorer.catalogue, scorer.card.features))
        off = max(_off(_explained(scorer, record)) for record in records)
        speed = f"{median(taken):.2f} | {quantiles(taken, n=100)[-1]:.2f}"
        yield f"| {name} | reasons | {speed} | {groups} groups | {off} | – |"
        for row in _peers(scorer, records):
            yield _peer_row(name, row)


def _peer_row(name: str, row: Mapping[str, Any]) -> str:
    if "refused" in row:
        return f"| {name} | {row['name']} | {row['refused']} | | | | |"
    gaps = f"{row['off']:.1g} | {row['off_calibrated']:.2g}"
    return f"| {name} | {row['name']} | {row['ms']:.2f} | | {row['columns']} columns | {gaps} |"


def _denied(scorer: Scorer, count: int) -> list[Record]:
    frame = load_embedded(PROJECT_FOLDER / "data").frame[list(scorer.card.features)]
    risk = scorer.score(frame)
    rows = frame[risk >= scorer.policy.threshold].head(count).to_json(orient="records", double_precision=15)
    found: list[Record] = json.loads(rows)
    return found


def _milliseconds(scorer: Scorer, records: Sequence[Record]) -> list[float]:
    """From the record to the reasons, one at a time."""
    for record in records[:WARM_UP]:
        reasons(scorer, record)
    taken = []
    for record in records:
        began = time.process_time()
        reasons(scorer, record)
        taken.append((time.process_time() - began) * 1000)
    return taken


def _off(found: Contributions) -> int:
    """How far the parts are from n! times the difference in log-odds, in millionths; 0 where they add up."""
    return abs(sum(found.numerators) - factorial(len(found.numerators)) * (found.client - found.reference))


def _explained(scorer: Scorer, record: Record) -> Contributions:
    groups = [group.fields for group in reason_groups(scorer.catalogue, scorer.card.features)]
    (found,) = contributions(scorer.log_odds, groups, [record], reference_values(scorer))
    return found


def _peers(scorer: Scorer, records: Sequence[Record]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="credit-scoring-reasons-") as folder:
        scorer.save(Path(folder))
        path = Path(folder) / "records.json"
        path.write_text(json.dumps(list(records)), encoding="utf-8")
        command = [str(SHAP.bin / "python"), "-m", "benchmarks.explanation.peers", folder, str(path)]
        done = subprocess.run(  # noqa: S603 - our own
            command, check=True, stdout=subprocess.PIPE, cwd=PROJECT_FOLDER, env={**os.environ, **ONE_THREAD}
        )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def _identity_table(count: int) -> Iterator[str]:
    yield f"| {count:,} random applications, each calibration in turn | add up | denied | of them, a group against |"
    yield "|---|--:|--:|--:|"
    for kind in KINDS:
        exact = denied = told = 0
        scorers = [calibrated_otherwise(kind, name) for name in CALIBRATORS]
        for number, record in enumerate(track(_random(count), kind)):
            scorer = scorers[number % len(scorers)]
            found = _explained(scorer, record)
            exact += _off(found) == 0
            if scorer.score_records([record])[0] >= scorer.policy.threshold:
                denied += 1
                told += max(found.numerators) > 0
        yield f"| {kind} | {exact:,} | {denied:,} | {told:,} |"


def _random(count: int) -> list[Record]:
    generator = random.Random(count)  # noqa: S311 - nothing secret
    columns = {name: clients().frame[name].dropna().tolist() for name in clients().features}
    return [{name: _value(generator, name, column) for name, column in columns.items()} for _ in range(count)]


def _value(generator: random.Random, name: str, column: Sequence[Any]) -> Any:
    """A value that a client has, or a missing one, or a number up to ten times as large."""
    if generator.random() < 0.1:
        return None
    value = generator.choice(column)
    return value * generator.uniform(0, 10) if FIELDS[name].is_number and generator.random() < 0.3 else value


if __name__ == "__main__":
    typer.run(main)
