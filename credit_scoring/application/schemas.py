"""What travels: the application a client sends, the decision it gets, and the one shape of every error."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from credit_scoring.application.fields import APPLICATION_ID, MAX_TEXT, TEXT_PATTERN
from credit_scoring.application.forbidden import forbidden_reason
from credit_scoring.application.suggestions import names_at, or_known, or_nearest
from credit_scoring.errors import RequestError

MAX_FAULTS = 50
MOST_NAMED = 60
MOST_GUESSED = 3  # unknown fields whose likely name is looked for; each takes 50 µs
MOST_SAID = 1000  # characters of a message: it may list the names of a large catalogue


def _iso(moment: str) -> str:
    try:
        datetime.fromisoformat(moment)
    except ValueError:  # its message has the value
        raise ValueError("expected a day or a moment as ISO 8601 writes it, like 2026-11-26") from None
    return moment


class FieldSource(BaseModel):
    """Where a field's value comes from, and when it was looked up there."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    source: str = Field(min_length=1, max_length=80, pattern=TEXT_PATTERN, examples=["Serasa"])
    consulted_at: Annotated[str, AfterValidator(_iso)] | None = Field(
        None,
        max_length=40,
        description="Day, or moment, as ISO 8601 writes it.",
        examples=["2026-11-26"],
        json_schema_extra={"format": "date"},
    )


SOURCES, REPLACES = "sources", "replaces"
SOURCES_TITLE = "Fontes dos dados"
SOURCES_DESCRIPTION = "By field: where its value comes from. On record and in the dossier, never scored."


class Application(BaseModel):
    """One client's data (uma proposta). Optional fields may be absent or null."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    sources: dict[str, FieldSource] | None = Field(None, title=SOURCES_TITLE, description=SOURCES_DESCRIPTION)
    application_id: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_TEXT,
        pattern=TEXT_PATTERN,
        title=APPLICATION_ID.title,
        description=APPLICATION_ID.description,
        json_schema_extra={"x-role": APPLICATION_ID.role.value},
    )
    replaces: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_TEXT,
        pattern=TEXT_PATTERN,
        title="Substitui",
        description="`application_id` of the earlier application that this one corrects; the same owner must have had "
        "it decided. Both are linked on record; never scored.",
    )


class Answer(StrEnum):
    """The answers a client can get; EM_ANALISE, that people will decide, only where the policy says so."""

    APPROVED = "APROVADO"
    REVIEW = "EM_ANALISE"
    DENIED = "NEGADO"


class Decision(BaseModel):
    """The answer to one application, with the risk behind it and what produced it."""

    decision: Answer = Field(title="Decisão", description="NEGADO when the risk probability reaches the threshold.")
    risk_probability: float = Field(
        ge=0, le=1, title="Probabilidade de risco", description="Calibrated probability that the client defaults."
    )
    threshold: float = Field(ge=0, le=1, title="Limite de risco", description="At or above it, NEGADO.")
    decision_id: str = Field(title="Id da decisão", description="UUIDv7 of this decision.")
    model: str = Field(title="Modelo", description="Tag of the model in the BentoML model store.")
    policy_version: str = Field(title="Versão da política", description="Version of the policy that was applied.")
    rules: list[str] = Field([], title="Regras", description="Ids of the policy's rules that did not pass.")
    missing: list[str] = Field(
        [], title="Não informados", description="Fields that the model uses and the application did not have."
    )
    outside_training: list[str] = Field(
        [], title="Fora do histórico", description="Fields whose value lies beyond all that the model was trained on."
    )


class RepeatedDecision(Decision):
    """A decision that was given before and that people have decided otherwise since."""

    effective_decision: Literal[Answer.APPROVED, Answer.DENIED] | None = Field(
        None,
        title="Decisão que vale",
        description="What counts now; only where an application is repeated that people have decided otherwise since.",
    )


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    field: str = Field(description="Dotted path of the field; empty when the whole body is meant.")
    message: str = Field(description="What was expected. Never the value that was sent.")
    code: str = Field(description="Stable name of the kind of fault.")


_CODE = Field(description="Stable name of the kind of error; new ones may come.")
_DETAIL = Field(description="The error in one sentence.")
_FAULTS = Field(description="What is wrong with which field, all at once; empty where it is not about fields.")


class ErrorAnswer(BaseModel):
    """The one shape of every error: a problem as RFC 9457 has it, with a stable code and every fault."""

    type: str = Field(description="URI of the kind of error; ends in its code.")
    title: str = Field(description="The kind of error, in words that are always the same.")
    status: int = Field(description="The HTTP status.")
    code: str = _CODE
    detail: str = _DETAIL
    instance: str = Field(
        description="Id of the request, as in the header X-Request-ID: the service's log has it, too."
    )
    faults: list[Fault] = _FAULTS


class ItemError(BaseModel):
    """What stands in the place of an item that is refused, in an answer to several."""

    code: str = _CODE
    detail: str = _DETAIL
    faults: list[Fault] = _FAULTS


class InvalidBodyError(RequestError):
    """A body is not what was asked for; every fault is named."""

    def __init__(self, found: list[Fault], message: str = "The body is not valid.", kind: str = "invalid_body") -> None:
        super().__init__(400, message, kind)
        self.faults = found


class InvalidApplicationError(InvalidBodyError):
    """An application is not what its catalogue asks for."""

    def __init__(self, found: list[Fault]) -> None:
        super().__init__(found, "The application is not valid.", "invalid_application")


def faults(error: ValidationError, known: Iterable[str] = ()) -> list[Fault]:
    """Every fault in a failed validation, without the values that were sent; of very many, the first.

    Where a field is unknown, the one of the `known` that was probably meant is named, or all of them; not so of fields
    within fields.
    """
    details = error.errors(include_url=False, include_input=False, include_context=False)
    found = [_fault(".".join(map(str, d["loc"])), d["msg"], d["type"]) for d in details[:MAX_FAULTS]]
    outermost = [fault for fault, each in zip(found, details, strict=False) if len(each["loc"]) == 1]
    _advise([fault for fault in outermost if fault.code == "unknown_field"], [*known])
    if len(details) > MAX_FAULTS:
        found.append(Fault(field="", message=f"{len(details) - MAX_FAULTS} more faults", code="more_faults"))
    return found


def faults_of_file(error: ValidationError, model: type[BaseModel]) -> list[Fault]:
    """The same for a `model` that people wrote as a file, with advice on unknown keys wherever they stand."""
    found = faults(error)
    for fault, each in zip(found, error.errors(include_url=False, include_input=False), strict=False):
        if fault.code == "unknown_field":
            *place, key = each["loc"]
            fault.message += or_known(str(key), names_at(model, place))
    return found


def _advise(unknown: list[Fault], known: list[str]) -> None:
    """Say what these faults may have been meant to be; all known names only once: answers must not outgrow requests."""
    strange = unknown[MOST_GUESSED:]
    for fault in reversed(unknown[:MOST_GUESSED]):
        if advice := or_nearest(fault.field, known):
            fault.message += advice
        else:
            strange = [fault, *strange]
    if strange and known:
        more = ["…"] if len(known) > MOST_NAMED else []
        strange[0].message += f"; the known ones are {', '.join([*known[:MOST_NAMED], *more])}"


def _fault(field: str, message: str, kind: str) -> Fault:
    field = field[:64]
    if kind != "extra_forbidden":
        return Fault(field=field, message=message[:MOST_SAID], code=kind)
    if reason := forbidden_reason(field):
        return Fault(field=field, message=reason, code="forbidden_field")
    return Fault(field=field, message="Unknown field", code="unknown_field")
