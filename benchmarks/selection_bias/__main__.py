"""`python -m benchmarks.selection_bias`: the study of the card, and what it cannot see.

Public sets know the outcome of everybody. So half of a set trains a first model, which refuses the riskiest third of
the other half. Of that half, the study sees the approved alone, as `train --source decisions` does, and hides the
riskiest third of them. Beside it stands the same on the refused themselves, whose outcomes a lender never has.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.quality.sets import SETS, PublicSet
from benchmarks.serving.machine import described
from credit_scoring.application.arrays import Floats
from credit_scoring.data.datasets import Dataset
from credit_scoring.data.past_decisions import PastDecisions
from credit_scoring.data.samples import sampled
from credit_scoring.model.card import CutOffStudy
from credit_scoring.settings import PROJECT_FOLDER
from credit_scoring.training.candidates import CANDIDATE_BY_NAME
from credit_scoring.training.clock import Clock
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.past_cut_off import above_cut_off, cut_off_study, too_few
from credit_scoring.training.selection import calibrated

RESULT = PROJECT_FOLDER / "benchmarks" / "results" / "selection_bias.md"
CANDIDATE = CANDIDATE_BY_NAME["lightgbm"]
HEADER = """
| set | rows | | hidden | defaulted | predicted with | predicted without | AUC with | AUC without, less that with |
|---|--:|---|--:|--:|--:|--:|--:|--:|
"""


def main(
    sets: Annotated[str, typer.Option(help="Sets to measure, with commas between.")] = ",".join(SETS),
    most: Annotated[int, typer.Option("--rows", min=1000, help="Rows of a set at most.")] = 20_000,
    jobs: Annotated[int, typer.Option(help="Processes; -1: one per core.")] = -1,
    output: Annotated[Path, typer.Option(help="File to write the table to.")] = RESULT,
) -> None:
    """Print two rows for each set, and write them to a file; a set whose file is missing is named and left out."""
    lines = [f"`python -m benchmarks.selection_bias --rows {most}`, {described()}.", HEADER.rstrip("\n")]
    for public in [SETS[name] for name in sets.split(",")]:
        if public.path.is_file() or public.name == "credit_data":
            typer.echo(f"{public.name} …", err=True)
            lines += _measured(public, TrainingPlan(jobs=jobs), most)
        else:
            typer.echo(f"{public.name}: NOT RUN, {public.path} is not there.", err=True)
    text = "\n".join(lines) + "\n"
    output.write_text(text, encoding="utf-8")
    typer.echo(text)


def _measured(public: PublicSet, plan: TrainingPlan, most: int) -> Iterator[str]:
    whole = sampled(public.read(public.path), most, plan.seed)
    rows = np.random.default_rng(plan.seed).permutation(len(whole.frame))
    early, late = (whole.rows(np.sort(half)) for half in np.array_split(rows, 2))
    nobody = late.frame[:0]
    first = np.full(len(late.frame), "first", dtype=object)
    past = PastDecisions(_risk(early, late, plan), model=first, refused=nobody, open=nobody, unusable=0)
    refused = above_cut_off(past)
    approved = late.rows(np.flatnonzero(~refused))
    above = above_cut_off(past.rows(np.flatnonzero(~refused)))
    for title, part, hidden in (("study", approved, above), ("the refused", late, refused)):
        if reason := too_few(part.defaulted, hidden):
            yield f"| {public.name} | {len(part.frame):,} | {title} | | {reason} | | | | |"
            continue
        pipeline = CANDIDATE.pipeline(part.columns, CANDIDATE.start, plan.seed)
        found = cut_off_study(pipeline, part, hidden, plan, Clock(), 0.0)
        figures = _figures(found.study) if found.study else found.reason
        yield f"| {public.name} | {len(part.frame):,} | {title} | {figures} |"


def _risk(early: Dataset, late: Dataset, plan: TrainingPlan) -> Floats:
    pipeline = calibrated(CANDIDATE, early, CANDIDATE.start, plan)
    names = list(early.features)
    risk: Floats = pipeline.fit(early.frame[names], early.defaulted).predict_proba(late.frame[names])[:, 1]
    return risk


def _figures(study: CutOffStudy) -> str:
    level, ranking = study.effects["predicted_default_rate"], study.effects["auc"]
    values = (study.hidden_default_rate, level.full, level.hidden, ranking.full, ranking.difference)
    return " | ".join([f"{study.hidden_rows:,}", *map(str, values)])


if __name__ == "__main__":
    typer.run(main)
