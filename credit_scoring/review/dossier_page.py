"""The dossier of a decision: everything on record of it, and what may be done with it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, select
from starlette.responses import Response

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.decisions import dossiers, looks, reviews
from credit_scoring.decisions.dossiers import Dossier
from credit_scoring.decisions.reviews import Standing
from credit_scoring.decisions.tables import writers
from credit_scoring.errors import DecisionLogError, RequestError, UnavailableError
from credit_scoring.explanation.explanation import Explanation
from credit_scoring.explanation.simulation import WhatIf
from credit_scoring.model.catalogues import catalogue_of
from credit_scoring.policy.policy import Policy
from credit_scoring.review.fields import sections
from credit_scoring.review.formats import title_of
from credit_scoring.review.pages import told
from credit_scoring.review.risk_picture import RiskPicture
from credit_scoring.review.visit import Visit

MOST_LOOKS = 20


@dataclass(frozen=True)
class OnRecord:
    """What is known of one decision; policy and catalogue are those of the day, None where nobody has them any more."""

    dossier: Dossier
    policy: Policy | None
    catalogue: Catalogue | None
    looks: Sequence[RowMapping]

    @property
    def standing(self) -> Standing:
        """What counts now."""
        return reviews.standing(self.dossier.decision, self.dossier.reviews)


@dataclass(frozen=True)
class Draft:
    """A form that was not taken, with what was written in it, so that nothing is lost."""

    form: str = ""
    problem: str = ""
    reason: str = ""
    verdict: str = ""


def look_up(decision_id: str, page: str, by: str, connection: Connection) -> OnRecord:
    """Everything on record of a decision, and that it was looked at; raises RequestError (404)."""
    dossier = dossiers.find(decision_id, connection)
    writer = select(writers.c.policy, writers.c.catalogue).where(writers.c.id == dossier.writer)
    policy, digest = connection.execute(writer).one()
    catalogue = catalogue_of(dossier.model, digest)
    before = looks.latest(decision_id, MOST_LOOKS, connection)
    looks.record(decision_id, page, by, connection)
    return OnRecord(dossier, Policy.on_record(policy), catalogue, before)


async def show(visit: Visit) -> Response:
    """The page; `?simular` adds what would have to change."""
    return await shown(visit, Draft())


async def shown(visit: Visit, draft: Draft, status: int = 200) -> Response:
    """The page, with a form that was not taken."""
    decision_id = visit.request.path_params["decision_id"]
    found = await visit.do(look_up, decision_id, "dossier", visit.by)
    dossier, standing = found.dossier, found.standing
    if dossier.erased:
        return visit.page("erased.html", status, dossier=dossier, standing=standing, looks=found.looks, draft=draft)
    explanation, no_reasons = await _explained_or_why_not(visit, found)
    simulated, no_simulation = await _simulated(visit, dossier)
    catalogue = found.catalogue or visit.office.catalogue
    return visit.page(
        "dossier.html",
        status,
        dossier=dossier,
        standing=standing,
        looks=found.looks,
        policy=found.policy,
        sections=sections(dossier, found.catalogue, visit.office.catalogue),
        missing=[title_of(name, catalogue) for name in dossier.missing],
        outside=[title_of(name, catalogue) for name in dossier.outside_training],
        picture=_picture(found),
        explanation=explanation,
        no_reasons=no_reasons,
        simulated=simulated,
        no_simulation=no_simulation,
        draft=draft,
        four_eyes=visit.office.four_eyes,
        own_proposal=_is_own(visit, standing),
        after=standing.last.review_id if standing.last else "",
    )


def _picture(found: OnRecord) -> RiskPicture:
    review_from = found.policy.review_from if found.policy else None
    return RiskPicture(found.dossier.risk_probability, found.dossier.threshold, review_from)


async def explained(visit: Visit, found: OnRecord) -> Explanation:
    """The reasons on record, or given now; raises what the API would turn into an error."""
    if found.dossier.reasons:
        return found.dossier.reasons
    return Explanation.model_validate_json(await visit.ask("reasons", decision_id=found.dossier.decision_id))


async def _explained_or_why_not(visit: Visit, found: OnRecord) -> tuple[Explanation | None, str]:
    try:
        return await explained(visit, found), ""
    except (RequestError, UnavailableError, DecisionLogError) as error:
        return None, told(error)


async def _simulated(visit: Visit, dossier: Dossier) -> tuple[WhatIf | None, str]:
    if "simular" not in visit.request.query_params:
        return None, ""
    try:
        content = await visit.ask("what_if", {"application": dossier.received})
    except (RequestError, UnavailableError) as error:
        return None, told(error)
    return WhatIf.model_validate_json(content), ""


def _is_own(visit: Visit, standing: Standing) -> bool:
    """Whether four eyes keep this reviewer, who has proposed the verdict, from confirming it."""
    if not (visit.office.four_eyes and standing.proposed and standing.last):
        return False
    return reviews.is_same_person(standing.last.recorded_by, visit.by)
