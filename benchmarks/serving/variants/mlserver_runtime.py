# mypy: disable-error-code="import-not-found, misc"
"""(e) MLServer: a custom runtime that takes JSON as its docs' custom-json example does, adaptive batching on."""

from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.serving.variants.model import PipelineModel
from benchmarks.support.consorcio import ConsorcioApplication


class CreditRuntime(MLModel):
    """Takes a BYTES tensor of applications, one JSON text each; MLServer has merged the requests of a batch."""

    async def load(self) -> bool:
        """Called once per worker."""
        self._pipeline = PipelineModel.load()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """A BYTES tensor of verdicts, in order."""
        texts = StringCodec.decode_input(payload.inputs[0])
        verdicts = self._pipeline.decide([ConsorcioApplication.model_validate_json(text) for text in texts])
        output = StringCodec.encode_output("verdict", [verdict.model_dump_json() for verdict in verdicts])
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=[output])
