"""`python -m benchmarks.durability.model`: train by the shortest plan into BENTOML_HOME; prints the tag."""

from credit_scoring import store
from credit_scoring.datasets import load_embedded
from credit_scoring.plan import TrainingPlan
from credit_scoring.settings import PROJECT_FOLDER
from credit_scoring.training import train

SHORTEST = TrainingPlan(trials=1, jobs=1, repeats=1, folds=3)

if __name__ == "__main__":
    print(store.save(train(load_embedded(PROJECT_FOLDER / "data"), SHORTEST)))
