"""(f) The floor: a bare Starlette app that parses, validates and replies, and decides nothing."""

from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.support.consorcio import ConsorcioApplication
from credit_scoring.application.schemas import Answer, Decision

DECISION = Decision(
    decision=Answer.APPROVED,
    risk_probability=0.123456789,
    threshold=0.31,
    decision_id="00000000-0000-7000-8000-000000000000",
    model="credit_scoring:none",
    policy_version="policy-0000000000",
)


async def predict(request: Request) -> Response:
    """The same decision for every valid application, serialised each time."""
    ConsorcioApplication.model_validate_json(await request.body())
    return Response(to_json(DECISION), media_type="application/json")


app = Starlette(routes=[Route("/predict", predict, methods=["POST"])])
