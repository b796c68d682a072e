"""`python -m benchmarks.explanation.references`: whom to compare a denied client with.

The yardstick is what Regulation B's Official Interpretation names first: the average over applicants at or just above
the passing score. Here: a client's Shapley values, averaged over real applicants who were approved just under the
threshold. A single reference applicant is good where it names the same reasons, at a small part of the cost.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from sklearn.model_selection import cross_val_predict

from benchmarks.serving.machine import described
from credit_scoring.application.arrays import Floats
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.data.datasets import load_embedded
from credit_scoring.explanation.groups import reason_groups
from credit_scoring.explanation.reasons import LEAST_SHARE, MOST
from credit_scoring.explanation.shapley import contributions
from credit_scoring.model import store
from credit_scoring.model.reference_applicant import NEAREST, centre
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import MODEL_NAME, PROJECT_FOLDER

TEST_SHARE, FOLDS = 0.2, 5

Record = Mapping[str, Any]


def main(
    model: Annotated[str, typer.Option(help="A model of the demo data in the store.")] = f"{MODEL_NAME}:latest",
    clients: Annotated[int, typer.Option(min=10, help="Denied clients of the test part.")] = 150,
    applicants: Annotated[int, typer.Option(min=10, help="Real applicants that the yardstick averages over.")] = 60,
) -> None:
    """Print a row for each way to choose the reference."""
    scorer = Scorer.load(Path(store.find(model).path))
    part, test = load_embedded(PROJECT_FOLDER / "data").split(TEST_SHARE, scorer.card.seed)
    features = list(scorer.card.features)
    frame, threshold = part.frame[features], scorer.policy.threshold
    risk = cross_val_predict(scorer.pipeline, frame, part.defaulted, cv=FOLDS, method="predict_proba")[:, 1]
    band = _just_approved(frame, risk, threshold)
    denied = _records(test.frame.loc[scorer.score(test.frame) >= threshold, features].head(clients))
    real = _records(band.sample(applicants, random_state=scorer.card.seed))
    each = np.array([_parts(scorer, denied, reference) for reference in real])
    yardstick = each.mean(axis=0)
    typer.echo(f"{scorer.card.chosen}, {len(denied)} denied clients, {applicants} applicants, {described()}.\n")
    typer.echo("| reference | its risk | the same first reason | the same reasons (Jaccard) |")
    typer.echo("|---|--:|--:|--:|")
    ways = {
        "centre of those just approved": centre(band, scorer.catalogue),
        "the same, worse in every direction up to the threshold": _moved(scorer, band),
        "centre of a slice of all, up to the threshold": _sliced(scorer, frame, risk),
    }
    for name, values in ways.items():
        found = _parts(scorer, denied, values)
        typer.echo(f"| {name} | {scorer.score_records([values])[0]:.2f} | {_agreement(found, yardstick)} |")
    alone = np.mean([_agreements(parts, yardstick) for parts in each], axis=0)
    typer.echo(f"| one real applicant, the mean over {applicants} | | {alone[0]:.2f} | {alone[1]:.2f} |")


def _just_approved(frame: pd.DataFrame, risk: Floats, threshold: float) -> pd.DataFrame:
    order = np.argsort(-risk, kind="stable")
    approved = order[risk[order] < threshold]
    return frame.iloc[approved[: round(NEAREST * len(approved))]]


def _records(frame: pd.DataFrame) -> list[Record]:
    found: list[Record] = json.loads(frame.to_json(orient="records", double_precision=15))
    return found


def _parts(scorer: Scorer, clients: Sequence[Record], reference: Record) -> Floats:
    """Shape (clients, groups)."""
    groups = [group.fields for group in reason_groups(scorer.catalogue, scorer.card.features)]
    found = contributions(scorer.log_odds, groups, clients, reference)
    return np.array([each.numerators for each in found], dtype=np.float64)


def _moved(scorer: Scorer, band: pd.DataFrame) -> Record:
    """The centre with every directed number at a worse and worse quantile, the last one that is still approved."""
    approved = centre(band, scorer.catalogue)
    for step in np.arange(0.51, 0.99, 0.01):
        worse = {**approved, **_quantiles(band, scorer.catalogue, float(step))}
        if scorer.score_records([worse])[0] >= scorer.policy.threshold:
            break
        approved = worse
    return approved


def _quantiles(band: pd.DataFrame, catalogue: Catalogue, step: float) -> dict[str, float]:
    directed = [field for name, field in catalogue.fields.items() if name in band and field.is_number]
    return {
        field.name: float(band[field.name].quantile(step if field.risk_moves == "up" else 1 - step))
        for field in directed
        if field.risk_moves
    }


def _sliced(scorer: Scorer, frame: pd.DataFrame, risk: Floats) -> Record:
    """The centre of so many applicants of neighbouring risk, however high, that is approved last."""
    order, size = np.argsort(risk, kind="stable"), round(NEAREST * (risk < scorer.policy.threshold).sum())
    found = centre(frame.iloc[order[:size]], scorer.catalogue)
    for start in count(10, 10):
        values = centre(frame.iloc[order[start : start + size]], scorer.catalogue)
        if start + size > len(order) or scorer.score_records([values])[0] >= scorer.policy.threshold:
            return found
        found = values
    return found


def _agreement(found: Floats, yardstick: Floats) -> str:
    return "{:.2f} | {:.2f}".format(*_agreements(found, yardstick))


def _agreements(found: Floats, yardstick: Floats) -> tuple[float, float]:
    """Share of clients with the same first reason, and the mean overlap of the reasons that are named."""
    first = (found.argmax(axis=1) == yardstick.argmax(axis=1)).mean()
    pairs = [(_named(one), _named(other)) for one, other in zip(found, yardstick, strict=True)]
    return float(first), float(np.mean([len(one & other) / max(len(one | other), 1) for one, other in pairs]))


def _named(parts: Floats) -> set[int]:
    against = np.maximum(parts, 0)
    order = np.argsort(-against, kind="stable")[:MOST]
    return {int(place) for place in order if against[place] > LEAST_SHARE * against.sum()}


if __name__ == "__main__":
    typer.run(main)
