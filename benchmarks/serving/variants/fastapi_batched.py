# mypy: disable-error-code="valid-type, import-not-found, untyped-decorator"
"""(b) FastAPI around this project's own compiled scorer, desk and micro-batcher: what BentoML itself costs."""

import asyncio
import gc
import os

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from benchmarks.serving.variants.model import MODEL_TAG, model_folder
from benchmarks.support.consorcio import ConsorcioApplication as Application
from credit_scoring.application.schemas import Decision
from credit_scoring.errors import OverloadedError
from credit_scoring.model.scorer import Scorer
from credit_scoring.serving.batching import MicroBatcher
from credit_scoring.serving.decision_engine import DecisionDesk
from credit_scoring.settings import ServiceSettings

GC_GENERATION_0 = 10_000

app = FastAPI()
settings = ServiceSettings()
desk = DecisionDesk(Scorer.load(model_folder()), os.environ[MODEL_TAG])
batcher: MicroBatcher[Application, Decision] = MicroBatcher(
    desk.decide, max_batch_size=settings.max_batch_size, budget=settings.latency_budget_ms / 1000
)
gc.collect()
gc.freeze()  # as this service does
gc.set_threshold(GC_GENERATION_0, 20, 100)


@app.post("/predict")
async def predict(application: Application) -> Decision:
    """One application in, one decision out."""
    batcher.check_admission()
    decision: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
    batcher.put(application, decision)
    return await decision


@app.exception_handler(OverloadedError)
async def refuse(request: Request, error: OverloadedError) -> JSONResponse:
    """503, as this service answers when it is overloaded."""
    return JSONResponse({"detail": str(error)}, 503, {"Retry-After": str(error.retry_after)})
