"""What people add to a decision: a verdict, the client's request for a review, an outcome."""

from datetime import date
from functools import partial

from starlette.responses import Response

from credit_scoring.application.schemas import InvalidBodyError
from credit_scoring.decisions import reviews
from credit_scoring.decisions.outcomes import Outcome
from credit_scoring.decisions.reviews import VERDICTS, ReviewStep, Step
from credit_scoring.errors import RequestError
from credit_scoring.review.dossier_page import Draft, shown
from credit_scoring.review.pages import redirect, told
from credit_scoring.review.sessions import PATH
from credit_scoring.review.visit import Visit

SHORTEST_REASON, LONGEST_REASON = 10, 2000
VERDICT, REQUEST, OUTCOME = "parecer", "revisao", "desfecho"

_TOO_SHORT = f"Escreva a justificativa, com {SHORTEST_REASON} a {LONGEST_REASON} caracteres."
_CHOOSE = "Escolha um dos pareceres."


async def judge(visit: Visit) -> Response:
    """A verdict with its justification; what is not taken comes back as it was written."""
    form, decision_id = visit.form, visit.request.path_params["decision_id"]
    draft = partial(Draft, VERDICT, reason=form.get("motivo", ""), verdict=form.get("parecer", ""))
    if draft().verdict not in (*VERDICTS, Step.RETURNED):
        return await shown(visit, draft(problem=_CHOOSE), 400)
    if not _is_reason(draft().reason):
        return await shown(visit, draft(problem=_TOO_SHORT), 400)
    values = (Step(draft().verdict), draft().reason, visit.name, visit.by)
    try:
        await visit.do(
            reviews.judge, decision_id, *values, after=form.get("visto", ""), four_eyes=visit.office.four_eyes
        )
    except RequestError as error:
        return await _not_taken(visit, draft, error)
    return redirect(f"{PATH}/decisoes/{decision_id}#historico")


async def request(visit: Visit) -> Response:
    """The client asks for a review, by way of whoever has signed in."""
    decision_id = visit.request.path_params["decision_id"]
    draft = partial(Draft, REQUEST, reason=visit.form.get("motivo", ""))
    if not _is_reason(draft().reason):
        return await shown(visit, draft(problem=_TOO_SHORT), 400)
    try:
        await visit.do(reviews.record, decision_id, ReviewStep(step=Step.REQUESTED, reason=draft().reason), visit.by)
    except RequestError as error:
        return await _not_taken(visit, draft, error)
    return redirect(f"{PATH}/decisoes/{decision_id}#historico")


async def outcome(visit: Visit) -> Response:
    """What became of the contract."""
    form, decision_id = visit.form, visit.request.path_params["decision_id"]
    draft = partial(Draft, OUTCOME, verdict=form.get("desfecho", ""))
    if draft().verdict not in [*Outcome]:
        return await shown(visit, draft(problem="Escolha o desfecho."), 400)
    try:
        observed_on = date.fromisoformat(form.get("data", ""))
    except ValueError:
        return await shown(visit, draft(problem="Informe o dia em que o desfecho foi conhecido."), 400)
    report = {"decision_id": decision_id, "outcome": draft().verdict, "observed_on": observed_on.isoformat()}
    try:
        await visit.ask("outcomes", report)
    except InvalidBodyError:
        return await shown(visit, draft(problem="Informe o dia em que o desfecho foi conhecido."), 400)
    except RequestError as error:
        return await _not_taken(visit, draft, error)
    return redirect(f"{PATH}/decisoes/{decision_id}#historico")


def _is_reason(text: str) -> bool:
    return SHORTEST_REASON <= len(text) <= LONGEST_REASON and "\x00" not in text


async def _not_taken(visit: Visit, draft: "partial[Draft]", error: RequestError) -> Response:
    if error.status == 404:
        raise error
    return await shown(visit, draft(problem=told(error)), error.status)
