# mypy: disable-error-code="valid-type, import-not-found, untyped-decorator"
"""(a) The textbook: FastAPI, the pipeline from joblib, one predict per request."""

from fastapi import FastAPI

from benchmarks.serving.variants.model import PipelineModel, Verdict
from benchmarks.support.consorcio import ConsorcioApplication as Application

app = FastAPI()
model = PipelineModel.load()


@app.post("/predict")
def predict(application: Application) -> Verdict:
    """One application in, one verdict out."""
    return model.decide([application])[0]
