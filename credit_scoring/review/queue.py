"""What waits for people, oldest first; and the search for a decision."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from urllib.parse import quote

from starlette.responses import Response

from credit_scoring.decisions import waiting
from credit_scoring.decisions.ids import is_id
from credit_scoring.decisions.waiting import Case, Short
from credit_scoring.review.formats import days_left
from credit_scoring.review.pages import redirect
from credit_scoring.review.sessions import PATH
from credit_scoring.review.visit import Visit

ROWS = 25
LONGEST_ID = 64

_Choice = Callable[[Case, datetime], bool]
CHOICES: Mapping[str, tuple[str, _Choice]] = {
    "todos": ("Todos", lambda case, now: True),
    "analise": ("Em análise", lambda case, now: case.kind == "analysis"),
    "revisao": ("Revisões pedidas", lambda case, now: case.kind == "review"),
    "segunda": ("Esperam a segunda pessoa", lambda case, now: case.proposed_by is not None),
    "vencidos": ("Prazo vencido", lambda case, now: days_left(case.since, now) < 0),
}


@dataclass(frozen=True)
class Line:
    """A case in the list."""

    case: Case
    days: int
    decision: Short


async def show(visit: Visit) -> Response:
    """One page of the list."""
    now = datetime.now(UTC)
    chosen = visit.request.query_params.get("tipo", "todos")
    chosen = chosen if chosen in CHOICES else "todos"
    everything = await visit.office.run(waiting.cases)
    wanted = [case for case in everything if CHOICES[chosen][1](case, now)]
    pages = max(1, -(-len(wanted) // ROWS))
    number = min(max(1, _number(visit.request.query_params.get("pagina", "1"))), pages)
    part = wanted[(number - 1) * ROWS : number * ROWS]
    known = await visit.office.run(partial(waiting.in_short, [case.decision_id for case in part]))
    lines = [
        Line(case, days_left(case.since, now), known[case.decision_id]) for case in part if case.decision_id in known
    ]
    return visit.page(
        "queue.html",
        lines=lines,
        waiting=len(wanted),
        is_cut=len(everything) >= waiting.MOST,
        chosen=chosen,
        choices={name: title for name, (title, _) in CHOICES.items()},
        number=number,
        pages=pages,
    )


async def search(visit: Visit) -> Response:
    """The decision with this id, else the one on an application with it; a list where several owners have used it."""
    wanted = visit.request.query_params.get("id", "").strip()
    found: list[str] = []
    if is_id(wanted.lower()):
        found = [*await visit.office.run(partial(waiting.in_short, [wanted.lower()]))]
    if not found and wanted and len(wanted) <= LONGEST_ID and "\x00" not in wanted:
        found = await visit.office.run(partial(waiting.named, wanted))
    if len(found) == 1:
        return redirect(f"{PATH}/decisoes/{quote(found[0])}")
    known = await visit.office.run(partial(waiting.in_short, found))
    status = 200 if found or not wanted else 404
    return visit.page("search.html", status, wanted=wanted, decisions=list(known.values()))


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 1
