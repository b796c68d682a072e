"""Quality on the embedded data by a fixed protocol: `python -m benchmarks.quality`.

StratifiedKFold(5, shuffle=True, random_state=42). In each fold everything (search, choice of the candidate,
calibration) is done on the training part, with the default plan; the AUC is that of the part held out. Age and marital
status are not used.
"""

import argparse
from collections.abc import Iterator

import numpy as np
from rich.console import Console
from rich.progress import Progress
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold

from credit_scoring.datasets import Dataset, load_embedded
from credit_scoring.models import CANDIDATE_BY_NAME, CANDIDATES
from credit_scoring.settings import TrainingSettings
from credit_scoring.training import TrainingPlan, calibrated, search

console = Console()


def main() -> None:
    """Print one line per fold and the mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=TrainingPlan.trials, help="search trials per booster")
    arguments = parser.parse_args()
    plan = TrainingPlan(trials=arguments.trials)
    dataset = load_embedded(TrainingSettings().data_folder)
    folds = list(evaluate(dataset, plan))
    aucs, briers = np.array(folds).T
    console.print(f"mean AUC {aucs.mean():.4f} (std {aucs.std():.4f}), Brier {briers.mean():.4f}, {plan.trials} trials")


def evaluate(dataset: Dataset, plan: TrainingPlan) -> Iterator[tuple[float, float]]:
    """AUC and Brier score of each outer fold."""
    outer = StratifiedKFold(5, shuffle=True, random_state=42)
    trials = sum(plan.trials_of(candidate) for candidate in CANDIDATES)
    with Progress(console=console) as progress:
        task = progress.add_task("search", total=5 * trials)
        for number, (fit_rows, held_out) in enumerate(outer.split(dataset.frame, dataset.defaulted), start=1):
            train_part, test_part = dataset.rows(fit_rows), dataset.rows(held_out)
            best = search(train_part, plan, lambda _: progress.advance(task))[0]
            pipeline = calibrated(CANDIDATE_BY_NAME[best.name], train_part, best.parameters, plan)
            features = list(train_part.features)
            pipeline.fit(train_part.frame[features], train_part.defaulted)
            risk = pipeline.predict_proba(test_part.frame[features])[:, 1]
            auc, brier = roc_auc_score(test_part.defaulted, risk), brier_score_loss(test_part.defaulted, risk)
            progress.console.print(f"fold {number}: {best.name}, AUC {auc:.4f}, Brier {brier:.4f}")
            yield auc, brier


if __name__ == "__main__":
    main()
