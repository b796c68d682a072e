# mypy: disable-error-code="valid-type, untyped-decorator"
"""(c) A stock BentoML service: `batchable=True` in front of the pipeline, defaults otherwise."""

import bentoml

from benchmarks.serving.variants.model import PipelineModel, Verdict
from benchmarks.support.consorcio import ConsorcioApplication as Application

# The default of 60 s is no limit at all, and 100 ms refuses nearly everything from 50 requests/s on.
MAX_LATENCY_MS = 1000


@bentoml.service(name="stock_credit_scoring")
class StockScoring:
    """Lists in and lists out, as BentoML's guide to adaptive batching has it; clients send a list of one."""

    def __init__(self) -> None:
        self.model = PipelineModel.load()

    @bentoml.api(batchable=True, max_latency_ms=MAX_LATENCY_MS)
    def predict(self, applications: list[Application]) -> list[Verdict]:
        """Verdicts in the order of the applications."""
        return self.model.decide(applications)
