"""The vocabulary: the application a client sends and the decision it gets, each field declared once."""

from dataclasses import dataclass
from enum import StrEnum
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, JsonValue, ValidationError
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from credit_scoring.application.forbidden import forbidden_reason

Kind = Literal["number", "flag", "category", "text"]
RiskMoves = Literal["up", "down"]


class Role(StrEnum):
    """What a field is for: an input of the model, kept for audits only, or the envelope of the request."""

    FEATURE = "feature"
    AUDIT = "audit"
    ENVELOPE = "envelope"


@dataclass(frozen=True)
class Column:
    """What a field means beyond its type; the OpenAPI page shows it as `x-role`, `x-unit` and `x-risk-moves`."""

    role: Role
    unit: str | None = None
    risk_moves: RiskMoves | None = None

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        extras = {"x-role": self.role.value, "x-unit": self.unit, "x-risk-moves": self.risk_moves}
        return handler(schema) | {key: value for key, value in extras.items() if value}


REAIS = "BRL"
MAX_FAULTS = 50
FEATURE = Role.FEATURE

EXAMPLE_APPLICATION: dict[str, JsonValue] = {
    "good_type": "CAR",
    "credit_letter_value": 24000.0,
    "good_value": 33600.0,
    "term_months": 48,
    "monthly_income": 3600.0,
    "monthly_expenses": 1200.0,
    "assets_value": 72000.0,
    "outstanding_debt": 0.0,
    "job_type": "PERMANENT",
    "job_tenure_years": 6.0,
    "housing": "OWNER",
    "has_negative_record": False,
    "credit_history_years": 8.0,
    "age": 37,
    "marital_status": "MARRIED",
}


def _whole(number: Any) -> Any:
    """JSON has one kind of number: 48.0 is as whole as 48."""
    return int(number) if type(number) is float and number.is_integer() else number


class Application(BaseModel):
    """One client's data (uma proposta). Optional fields may be absent or null."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        json_schema_extra={"example": EXAMPLE_APPLICATION},
    )

    application_id: Annotated[str | None, Column(Role.ENVELOPE)] = Field(
        None,
        min_length=1,
        max_length=64,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        title="Id da proposta",
        description="Your own id of the application; no control characters.",
    )
    good_type: Annotated[
        Literal["CAR", "MOTORCYCLE", "REAL_ESTATE", "HEAVY", "SERVICES", "OTHER"] | None, Column(FEATURE)
    ] = Field(None, title="Tipo de bem", description="Kind of good that the credit letter is for.")
    credit_letter_value: Annotated[float, Column(FEATURE, REAIS)] = Field(
        gt=0, title="Valor da carta de crédito", description="Value of the credit letter, in R$."
    )
    good_value: Annotated[float | None, Column(FEATURE, REAIS)] = Field(
        None, gt=0, title="Valor do bem", description="Price of the good, in R$."
    )
    term_months: Annotated[int | None, Field(ge=1, le=420), BeforeValidator(_whole), Column(FEATURE, "months")] = Field(
        None, title="Prazo", description="Term of the plan, in months."
    )
    monthly_income: Annotated[float | None, Column(FEATURE, REAIS, "down")] = Field(
        None, ge=0, title="Renda mensal", description="Income per month, in R$."
    )
    monthly_expenses: Annotated[float | None, Column(FEATURE, REAIS)] = Field(
        None, ge=0, title="Despesas mensais", description="Living expenses per month, in R$."
    )
    assets_value: Annotated[float | None, Column(FEATURE, REAIS, "down")] = Field(
        None, ge=0, title="Patrimônio", description="Value of what the client owns, in R$."
    )
    outstanding_debt: Annotated[float | None, Column(FEATURE, REAIS, "up")] = Field(
        None, ge=0, title="Dívidas em aberto", description="Debt still to be paid, in R$."
    )
    job_type: Annotated[Literal["PERMANENT", "SELF_EMPLOYED", "PART_TIME", "OTHER"] | None, Column(FEATURE)] = Field(
        None, title="Vínculo de trabalho", description="Kind of employment."
    )
    job_tenure_years: Annotated[float | None, Column(FEATURE, "years", "down")] = Field(
        None, ge=0, le=60, title="Tempo no emprego", description="Time in the present job, in years."
    )
    housing: Annotated[Literal["OWNER", "RENT", "PARENTS", "PRIVATE", "MORTGAGE", "OTHER"] | None, Column(FEATURE)] = (
        Field(None, title="Moradia", description="How the client lives.")
    )
    has_negative_record: Annotated[bool | None, Column(FEATURE, None, "up")] = Field(
        None, title="Restrição cadastral", description="Whether a credit bureau holds a negative record."
    )
    credit_history_years: Annotated[float | None, Column(FEATURE, "years", "down")] = Field(
        None, ge=0, le=60, title="Histórico de crédito", description="Length of the credit history, in years."
    )
    age: Annotated[int, Field(ge=18, le=120), BeforeValidator(_whole), Column(Role.AUDIT, "years")] = Field(
        title="Idade", description="Age in years; for legal capacity and audits, never scored."
    )
    marital_status: Annotated[
        Literal["SINGLE", "MARRIED", "WIDOWED", "SEPARATED", "DIVORCED"] | None, Column(Role.AUDIT)
    ] = Field(None, title="Estado civil", description="Marital status; for audits, never scored.")


class Answer(StrEnum):
    """The two answers a client can get."""

    APPROVED = "APROVADO"
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


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    field: str = Field(description="Dotted path of the field; empty when the whole body is meant.")
    message: str = Field(description="What was expected. Never the value that was sent.")
    type: str = Field(description="Stable name of the kind of fault.")


class ErrorAnswer(BaseModel):
    """The one shape of every error."""

    error: str = Field(description="The error in one sentence.")
    detail: list[Fault] = Field(description="Every fault found, all at once.")


@dataclass(frozen=True)
class ApplicationField:
    """One field of `Application` as data: what training, readers and docs derive their columns from."""

    name: str
    title: str
    description: str
    kind: Kind
    column: Column
    required: bool
    categories: tuple[str, ...] = ()


def _application_field(name: str, info: FieldInfo) -> ApplicationField:
    (column,) = [extra for extra in info.metadata if isinstance(extra, Column)]
    kind, categories = _kind_of(info.annotation)
    return ApplicationField(
        name, info.title or name, info.description or "", kind, column, info.is_required(), categories
    )


def _kind_of(annotation: Any) -> tuple[Kind, tuple[str, ...]]:
    members = [annotation] if get_origin(annotation) is Literal else list(get_args(annotation)) or [annotation]
    (inner,) = [member for member in members if member is not NoneType]
    if get_origin(inner) is Literal:
        return "category", get_args(inner)
    kinds: dict[type, Kind] = {bool: "flag", str: "text", int: "number", float: "number"}
    return kinds[inner], ()


FIELDS = {name: _application_field(name, info) for name, info in Application.model_fields.items()}
FEATURES = tuple(name for name, field in FIELDS.items() if field.column.role is Role.FEATURE)
AUDIT_FIELDS = tuple(name for name, field in FIELDS.items() if field.column.role is Role.AUDIT)


def faults(error: ValidationError) -> list[Fault]:
    """Every fault in a failed validation, without the values that were sent; of very many, the first."""
    details = error.errors(include_url=False, include_input=False, include_context=False)
    known = f"; the known ones are {', '.join(FIELDS)}" if error.title == Application.__name__ else ""
    found = [_fault(".".join(map(str, d["loc"])), d["msg"], d["type"]) for d in details[:MAX_FAULTS]]
    for first in [fault for fault in found if fault.type == "unknown_field"][:1]:
        first.message += known  # said once: an answer must not be many times as long as its request
    if len(details) > MAX_FAULTS:
        found.append(Fault(field="", message=f"{len(details) - MAX_FAULTS} more faults", type="more_faults"))
    return found


def _fault(field: str, message: str, kind: str) -> Fault:
    field = field[:64]
    if kind != "extra_forbidden":
        return Fault(field=field, message=message, type=kind)
    if reason := forbidden_reason(field):
        return Fault(field=field, message=reason, type="forbidden_field")
    return Fault(field=field, message="Unknown field", type="unknown_field")
