# mypy: disable-error-code="import-not-found, misc"
"""(d) LitServe as its docs say: `max_batch_size` and `batch_timeout` on the API.

Its `fast_queue` stays off: on one core it was slower (372 against 488 answers/s at 32 clients).
"""

import sys
from collections.abc import Sequence
from typing import Any

import litserve

from benchmarks.serving.variants.model import PipelineModel
from benchmarks.support.consorcio import ConsorcioApplication
from credit_scoring.application.schemas import Application

MAX_BATCH_SIZE = 64
BATCH_TIMEOUT_S = 0.01


class CreditAPI(litserve.LitAPI):
    """Decodes in the inference worker, predicts on the whole batch, encodes each answer."""

    def setup(self, device: str) -> None:
        """Called once in the worker."""
        self.model = PipelineModel.load()

    def decode_request(self, request: dict[str, Any]) -> Application:
        """One valid application."""
        return ConsorcioApplication.model_validate(request)

    def batch(self, inputs: Sequence[Application]) -> Sequence[Application]:
        """The batch stays a list."""
        return inputs

    def predict(self, x: Sequence[Application]) -> list[dict[str, Any]]:
        """Verdicts in the order of the applications."""
        return [verdict.model_dump(mode="json") for verdict in self.model.decide(x)]

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """It is JSON already."""
        return output


if __name__ == "__main__":
    api = CreditAPI(max_batch_size=MAX_BATCH_SIZE, batch_timeout=BATCH_TIMEOUT_S)
    server = litserve.LitServer(api, accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
