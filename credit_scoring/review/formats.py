"""How pages write times, numbers and values of fields: as Brazilians do, in Brasília's time."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.fields import ApplicationField
from credit_scoring.decisions.reviews import Step
from credit_scoring.explanation.simulation import amount, exact

ZONE = ZoneInfo("America/Sao_Paulo")
DAYS_TO_ANSWER = 10  # Lei 12.414/2011, art. 5, § 3º
ABSENT = "não informado"
ANONYMOUS = "sem chave"

ANSWERS = {"APROVADO": "Aprovado", "NEGADO": "Negado", "EM_ANALISE": "Em análise"}
OUTCOMES = {"PAID": "Pagou", "DEFAULTED": "Ficou inadimplente"}
SOURCE_NAMES = {  # as catalogues and lenders' systems write them
    "declared": "declarado pelo cliente",
    "bureau": "birô de crédito",
    "internal": "dados da administradora",
}
STEPS = {
    Step.REQUESTED: "Revisão pedida",
    Step.UPHELD: "Decisão mantida",
    Step.REVERSED: "Decisão revertida",
    Step.APPROVED: "Aprovado na análise",
    Step.DENIED: "Negado na análise",
    Step.PROPOSED_UPHELD: "Proposta de manter a decisão (falta a segunda pessoa)",
    Step.PROPOSED_REVERSED: "Proposta de reverter a decisão (falta a segunda pessoa)",
    Step.PROPOSED_APPROVED: "Proposta de aprovar (falta a segunda pessoa)",
    Step.PROPOSED_DENIED: "Proposta de negar (falta a segunda pessoa)",
    Step.RETURNED: "Devolvido pela segunda pessoa",
}


def local(moment: datetime) -> str:
    """Day and time, such as 26/11/2026 10:05."""
    return f"{moment.astimezone(ZONE):%d/%m/%Y %H:%M}"


def day(moment: date) -> str:
    """The day alone."""
    return f"{moment:%d/%m/%Y}"


def consulted(moment: str) -> str:
    """The day, or day and time, that an application gives in ISO 8601; as it came where it is neither.

    So is a moment that no calendar has in Brasília, such as the year 1 of a date that was never set.
    """
    try:
        found = datetime.fromisoformat(moment)
        if len(moment) <= len("2026-11-20"):
            return day(found)
        return local(found if found.tzinfo else found.replace(tzinfo=ZONE))
    except (ValueError, OverflowError):
        return moment


def universal(moment: datetime) -> str:
    """The same in UTC, for `datetime` of an element."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def days_left(since: datetime, now: datetime) -> int:
    """Of the days that the law gives for an answer; negative once they are over."""
    deadline = since.astimezone(ZONE).date() + timedelta(days=DAYS_TO_ANSWER)
    return (deadline - now.astimezone(ZONE).date()).days


def percent(share: float) -> str:
    """A share, such as 12,3 %."""
    return f"{share * 100:.1f}".replace(".", ",") + "\N{NO-BREAK SPACE}%"


def whole(number: int) -> str:
    """A count, such as 1.000."""
    return f"{number:,}".replace(",", ".")


def value_of(field: ApplicationField | None, value: JsonValue) -> str:
    """A value in the words of its field; a text as it came where the field is not known or it does not fit."""
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return "Sim" if value else "Não"
    if field and isinstance(value, str):
        return field.values.get(value, value)
    if isinstance(value, int | float):
        return amount(field, value) if field else exact(value)
    return str(value)


def title_of(name: str, catalogue: Catalogue) -> str:
    """The title of a field or of a derived field, its name where the catalogue has neither."""
    found = catalogue.all_fields.get(name) or catalogue.derived.get(name)
    return found.title if found else name


FILTERS: Mapping[str, object] = {
    "local": local,
    "day": day,
    "universal": universal,
    "percent": percent,
    "whole": whole,
    "answer": lambda answer: ANSWERS.get(answer, answer),
    "step": lambda step: STEPS.get(step, step),
    "outcome": lambda outcome: OUTCOMES.get(outcome, outcome),
    "who": lambda signature: signature or ANONYMOUS,
}
