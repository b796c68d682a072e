"""`python -m benchmarks.serving`: this service and its peers under the same load, side by side in one run."""

import signal
import tempfile
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from benchmarks.serving import plot
from benchmarks.serving.applications import sample
from benchmarks.serving.catalogue import VARIANTS
from benchmarks.serving.machine import Machine
from benchmarks.serving.processes import Cores, allow_many_connections, check_tools
from benchmarks.serving.report import Report, markdown
from benchmarks.serving.runner import Plan, Runner
from benchmarks.serving.servers import Stage
from credit_scoring.errors import CreditScoringError, ModelNotFoundError
from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import MODEL_NAME, PROJECT_FOLDER

RESULTS_FOLDER = PROJECT_FOLDER / "benchmarks" / "results"

HELP = f"""Load this service and its peers side by side and say what each can do.

The variants, each served from one core while the client has another:

{"".join(f"({letter}) {variant.name}{chr(10)}{chr(10)}" for letter, variant in VARIANTS.items())}
Every variant serves the newest model of the BentoML store, gets the applications of the embedded data as requests, and
is measured only after its decisions have been found equal to the pipeline's. Closed loop: so many clients, each waiting
for its answer. Open loop: requests on schedule, at 50, 80, 100 and 200 % of what the variant answers in a closed loop
with as many clients as the open loop has connections.

Loads shorter than 5 s say little about the slow variants.

In each repetition every variant has its turn, so that a slow minute of the machine hits all alike. Ctrl-C stops
everything and keeps what was measured. The peers' environments are made on first use in benchmarks/.venv-peers.

Examples:

python -m benchmarks.serving (everything, about half an hour)

python -m benchmarks.serving --only a,g --seconds 3 --repetitions 1 (a first look, half a minute)

python -m benchmarks.serving --only g --open-loop g --clients 32,128
"""


def _letters(text: str) -> list[str]:
    letters = [letter.strip() for letter in text.split(",") if letter.strip()]
    unknown = [letter for letter in letters if letter not in VARIANTS]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)} is none of {', '.join(VARIANTS)}.")
    return letters


def numbers_in(text: str) -> list[int]:
    """Numbers with commas between; raises BadParameter where they are not."""
    try:
        numbers = [int(number) for number in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise typer.BadParameter(f"'{text}': expected numbers from 1, with commas between, as in 1,8,32,128.")
    return numbers


def main(
    seconds: Annotated[float, typer.Option(min=0.5, help="Length of each load.")] = 10.0,
    repetitions: Annotated[int, typer.Option(min=1, help="How often each load is repeated.")] = 3,
    only: Annotated[str, typer.Option(help="Variants to measure, by letter.")] = ",".join(VARIANTS),
    open_loop: Annotated[str, typer.Option(help="Of these, variants that get the open loop too; '' for none.")] = "b,g",
    clients: Annotated[str, typer.Option(help="Numbers of clients in the closed loop.")] = "1,8,32,128",
    connections: Annotated[int, typer.Option(min=1, help="Most connections at once in the open loop.")] = 1000,
    output: Annotated[Path, typer.Option(help="Folder for serving.json, serving.md, serving.png.")] = RESULTS_FOLDER,
) -> None:
    """Measure and report; the help text is HELP."""
    plan = Plan(_letters(only), _letters(open_loop), numbers_in(clients), seconds, repetitions, connections)
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, interrupt)
    output.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="credit-scoring-benchmark-") as folder:
            report = _measured(plan, make_stage(Path(folder)), output)
    except (RuntimeError, CreditScoringError) as error:
        advice = " Run `make train` first." if isinstance(error, ModelNotFoundError) else ""
        typer.secho(f"{error}{advice}", fg="red", err=True)
        raise typer.Exit(1) from error
    _finish(report, output)


def make_stage(folder: Path) -> Stage:
    """What the servers share: newest model, requests, cores; raises an error that says what is missing."""
    check_tools()
    allow_many_connections()
    model = store.find(f"{MODEL_NAME}:latest")
    scorer = Scorer.load(Path(model.path))
    return Stage(Path(model.path), str(model.tag), sample(scorer), Cores.of_this_machine(), folder)


def _measured(plan: Plan, stage: Stage, output: Path) -> Report:
    machine = Machine.this(stage.cores)
    report = Report(machine=machine, model=stage.model_tag, seconds=plan.seconds, repetitions=plan.repetitions)
    stage.cores.leave()
    try:
        Runner(plan, stage, report, lambda found: _keep(found, output)).run()
    except KeyboardInterrupt:
        typer.secho("\nStopped; what was measured so far is kept.", fg="yellow", err=True)
    return report


def _keep(report: Report, output: Path) -> None:
    (output / "serving.json").write_text(report.model_dump_json(indent=1), encoding="utf-8")


def _finish(report: Report, output: Path) -> None:
    text = markdown(report)
    _keep(report, output)
    (output / "serving.md").write_text(text, encoding="utf-8")
    if report.runs:
        plot.draw(report, output / "serving.png")
    typer.echo(text)
    typer.secho(f"Written to {output}: serving.json, serving.md, serving.png", fg="green", err=True)
    if not report.complete:
        raise typer.Exit(130)


def interrupt(signum: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does, so that everything started is stopped."""
    raise KeyboardInterrupt


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command(help=HELP)(main)

if __name__ == "__main__":
    app()
