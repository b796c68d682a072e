"""The letter to the client: the decision, why, the data that it was made with, and what the client may ask for."""

from collections.abc import Iterator
from datetime import UTC, datetime

from starlette.responses import Response

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.schemas import Answer
from credit_scoring.decisions.erased import erased_error
from credit_scoring.decisions.reviews import VERDICTS
from credit_scoring.errors import RequestError
from credit_scoring.review.dossier_page import OnRecord, explained, look_up
from credit_scoring.review.fields import Section, sections
from credit_scoring.review.formats import ZONE, day
from credit_scoring.review.letter_template import Letter
from credit_scoring.review.pages import html, lenders_html
from credit_scoring.review.visit import Visit


async def show(visit: Visit) -> Response:
    """The page, made to be printed; where a reason cannot be given there is no letter, but the page of that error."""
    found = await visit.do(look_up, visit.request.path_params["decision_id"], "letter", visit.by)
    if found.dossier.erased:
        raise erased_error()
    dossier, denied = found.dossier, found.standing.answer is Answer.DENIED
    if denied and not all(rule.then for rule in dossier.rules):
        raise RequestError(409, "Only the model that decided can tell what the rules did.", "no_model")
    reasons = await _reasons(visit, found) if denied and _score_counts(found) else ()
    template = visit.office.letter
    content = template.render(_letter(visit, found, reasons))
    return lenders_html(content) if template.is_lenders else html(content)


async def _reasons(visit: Visit, found: OnRecord) -> tuple[str, ...]:
    """What the score counts against the client."""
    score = (await explained(visit, found)).score
    if score is None or not score.against:
        raise RequestError(409, "The model gives no reason for a refusal that its risk had a part in.", "no_reasons")
    return tuple(reason.text for reason in score.against)


def _letter(visit: Visit, found: OnRecord, reasons: tuple[str, ...]) -> Letter:
    dossier, denied = found.dossier, found.standing.answer is Answer.DENIED
    return Letter(
        lender=visit.office.lender,
        contact=visit.office.contact,
        today=day(datetime.now(UTC).astimezone(ZONE)),
        decided_on=day(dossier.decided_at.astimezone(ZONE)),
        protocol=dossier.application_id or dossier.decision_id,
        answer=found.standing.answer.value,
        rules=tuple(dict.fromkeys(rule.reason for rule in dossier.rules)) if denied else (),
        reasons=reasons,
        sections=_used(found, visit.office.catalogue),
        reviewed_by_people=any(each.step in VERDICTS for each in dossier.reviews),
    )


def _score_counts(found: OnRecord) -> bool:
    """Whether the system, and not people alone, refused for the risk: it reached the threshold, or the review band."""
    dossier, policy = found.dossier, found.policy
    if dossier.decision is Answer.APPROVED:
        return False
    if not dossier.rules:
        return True
    by_rule = any(rule.then == "deny" for rule in dossier.rules)
    passes_below = policy.passes_below if policy and not by_rule else dossier.threshold
    return dossier.risk_probability >= passes_below


def _used(found: OnRecord, in_use: Catalogue) -> tuple[Section, ...]:
    """What was given and may have counted: what the model saw, and what rules of the day ask for."""
    names = {*found.dossier.seen, *_asked_by_rules(found)}
    kept = (
        Section(each.title, tuple(line for line in each.lines if line.given and line.name in names))
        for each in sections(found.dossier, found.catalogue, in_use)
    )
    return tuple(each for each in kept if each.lines)


def _asked_by_rules(found: OnRecord) -> Iterator[str]:
    derived = found.catalogue.derived_from(found.catalogue.fields) if found.catalogue else ()
    inputs = {each.name: each.inputs for each in derived}
    for rule in found.policy.rules if found.policy else ():
        for predicate in rule.when.predicates:
            yield from inputs.get(predicate.field, (predicate.field,))
