"""`python -m benchmarks.durability.model`: train by the shortest plan into BENTOML_HOME; prints the tag."""

from credit_scoring.data.datasets import load_embedded
from credit_scoring.model import store
from credit_scoring.settings import PROJECT_FOLDER
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.train import train

SHORTEST = TrainingPlan(trials=1, jobs=1, repeats=1, folds=3)

if __name__ == "__main__":
    print(store.save(train(load_embedded(PROJECT_FOLDER / "data"), SHORTEST)))
