"""`python -m benchmarks.quality.teacher`: what boosters gain from a teacher's probabilities on public sets.

StratifiedKFold(5, shuffle=True, random_state=42), as in `benchmarks.quality`. In each outer fold the teacher's
probabilities are made within the training part, out of fold; LightGBM and XGBoost, at the parameters that their search
begins with and with the directions of risk, are fitted on outcomes and on mixed labels, and ranked by the outcomes of
the part held out. Beside it, what the gain would seem to be with one set of out-of-fold probabilities of the whole
file: there, teachers of the rows that are fitted on have seen the outcomes of the rows held out.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from sklearn.model_selection import StratifiedKFold

from benchmarks.quality.sets import SETS, PublicSet
from benchmarks.serving.environments import SCORING, VALIDATING, Environment
from benchmarks.serving.machine import described
from credit_scoring.application.arrays import Floats
from credit_scoring.data.datasets import Dataset
from credit_scoring.evaluation.performance import auc
from credit_scoring.model.card import Interval
from credit_scoring.settings import PROJECT_FOLDER
from credit_scoring.training.candidates import CANDIDATE_BY_NAME
from credit_scoring.training.comparison import corrected_interval
from credit_scoring.training.held_out import Split
from credit_scoring.training.students import STUDENT_BY_TWIN

RESULTS_FOLDER = PROJECT_FOLDER / "benchmarks" / "results"
LABELS_FOLDER = RESULTS_FOLDER / "quality" / "teacher"
READING = ("sqlalchemy",)
PEERS = Environment("teacher", Path(__file__).parent / "teacher.txt", SCORING + VALIDATING + READING)
PEERS_WITHIN_S = 4 * 3600.0
OUTER_FOLDS = 5
TWINS = ("lightgbm", "xgboost")
SHARES = (0.3, 0.5, 1.0)
PAIRS = "realmlp:german,extra-trees:german,realmlp-s:credit_data,extra-trees:credit_data,extra-trees:heloc"
SEED = 42

console = Console(stderr=True)


@dataclass(frozen=True)
class Said:
    """What a teacher says in one outer fold: of the training part out of fold, and of the part held out."""

    out_of_fold: Floats
    held_out: Floats
    seconds: float

    @classmethod
    def read(cls, path: Path) -> "Said":
        """As `teacher_labels` has written it."""
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(np.array(found["out_of_fold"]), np.array(found["held_out"]), found["seconds"])


def main(
    pairs: Annotated[str, typer.Option(help="TEACHER:SET, with commas between.")] = PAIRS,
    output: Annotated[Path, typer.Option(help="Folder for teacher.md.")] = RESULTS_FOLDER,
) -> None:
    """Print and write a table; teachers' probabilities that are there already are not made again."""
    PEERS.make()
    LABELS_FOLDER.mkdir(parents=True, exist_ok=True)
    lines = [_TITLE, "|---|---|--:|---|--:" + "|---" * (len(SHARES) + 1) + "|"]
    notes = []
    for teacher, public in [(pair.split(":")[0], SETS[pair.split(":")[1]]) for pair in pairs.split(",")]:
        if not public.path.is_file() and public.name != "credit_data":
            notes.append(f"{public.name}: NOT MEASURED, {public.path} is not there.")
            continue
        said = _said(teacher, public)
        lines += _rows(teacher, public, said)
        notes.append(f"{teacher} on {public.name}: {sum(each.seconds for each in said) / 60:.0f} minutes.")
    text = "\n".join([*lines, "", _NOTE, "", *(f"- {note}" for note in notes), f"- {described()}."]) + "\n"
    (output / "teacher.md").write_text(text, encoding="utf-8")
    typer.echo(text)


_TITLE = (
    "| set | teacher | its AUC | student | AUC on outcomes | "
    + " | ".join(f"gain, {share:.0%} teacher" for share in SHARES)
    + " | would seem, 50% teacher, whole file |"
)
_NOTE = (
    "Gains in AUC on the parts held out, with 95 % intervals corrected for overlapping folds (Nadeau & Bengio 2003); "
    "bold where beyond noise. The last column has labels of one set of out-of-fold probabilities made over the whole "
    "file: their teachers have seen the outcomes that students are then ranked by, so that it is no gain."
)


def _said(teacher: str, public: PublicSet) -> list[Said]:
    command = [str(PEERS.bin / "python"), "-m", "benchmarks.quality.teacher_labels", teacher, public.name]
    console.print(f"{teacher} on {public.name} …")
    subprocess.run(  # noqa: S603 - a command of this benchmark
        [*command, str(LABELS_FOLDER)],
        cwd=PROJECT_FOLDER,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        timeout=PEERS_WITHIN_S,
    )
    names = [f"{public.name}-{teacher}-{number}.json" for number in range(1, OUTER_FOLDS + 1)]
    return [Said.read(LABELS_FOLDER / name) for name in names]


def _rows(teacher: str, public: PublicSet, said: Sequence[Said]) -> Iterator[str]:
    data = public.read(public.path)
    splits = list(StratifiedKFold(OUTER_FOLDS, shuffle=True, random_state=42).split(data.frame, data.defaulted))
    own = np.mean([auc(data.defaulted[rows], each.held_out, 0.0) for each, (_, rows) in zip(said, splits, strict=True)])
    whole = np.empty(len(data.frame))
    for each, (_, held_out) in zip(said, splits, strict=True):
        whole[held_out] = each.held_out
    for twin in TWINS:
        base = np.array([_auc(twin, data, split) for split in splits])
        gains = [
            np.array(
                [_auc(twin, data, split, each.out_of_fold, share) for each, split in zip(said, splits, strict=True)]
            )
            for share in SHARES
        ]
        seeming = np.array([_auc(twin, data, split, whole[split[0]], 0.5) for split in splits])
        cells = [_told(corrected_interval(found - base, OUTER_FOLDS)) for found in (*gains, seeming)]
        yield f"| {public.name} | {teacher} | {own:.4f} | {twin} | {base.mean():.4f} | {' | '.join(cells)} |"


def _auc(twin: str, data: Dataset, split: Split, risk: Floats | None = None, share: float = 0.0) -> float:
    """Of a student on the part held out; of its untaught twin where there is no `risk` of the rows to fit on."""
    fit_rows, held_out = split
    candidate = CANDIDATE_BY_NAME[twin] if risk is None else STUDENT_BY_TWIN[twin]
    pipeline = candidate.pipeline(data.columns, candidate.start, SEED)
    frame, defaulted = data.frame[list(data.features)], data.defaulted
    labels = {} if risk is None else {"classifier__labels": (1 - share) * defaulted[fit_rows] + share * risk}
    fitted = pipeline.fit(frame.iloc[fit_rows], defaulted[fit_rows], **labels)
    return auc(defaulted[held_out], fitted.decision_function(frame.iloc[held_out]), 0.0)


def _told(gain: Interval) -> str:
    text = f"{gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
    return f"**{text}**" if gain.low > 0 or gain.high < 0 else text


if __name__ == "__main__":
    typer.run(main)
