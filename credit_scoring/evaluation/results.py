"""The measurements of a model, as types that reports are written from and read into."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from credit_scoring.application.fields import Kind
from credit_scoring.model.card import Interval


class Label(BaseModel):
    """How people call a field."""

    title: str
    unit: str | None = None
    kind: Kind = "number"


class Curve(BaseModel):
    """Points of a curve; `x` and `y` have the same length."""

    x: tuple[float, ...]
    y: tuple[float, ...]


class ReliabilityBin(BaseModel):
    """Applications of similar risk: the mean risk predicted, and the share that defaulted with its 95 % interval."""

    predicted: float
    observed: Interval
    rows: int


class ThresholdResult(BaseModel):
    """Results of a threshold; profit in R$ per application, compared with denying all."""

    threshold: float
    approval_rate: float
    recall: float
    precision: float
    profit: float
    chosen: bool
    note: str = Field("", description="Why it is in the table, such as `least cost`.")


class GroupResult(BaseModel):
    """Results of a group of an audit field; None where the group has too few clients."""

    field: str
    group: str
    rows: int
    defaulters: int
    approval_rate: Interval
    recall: Interval | None
    calibration: Interval | None = Field(description="Defaults observed over defaults predicted.")


class FirstReason(BaseModel):
    """How often a group of fields is the first reason of denied clients; of a group of an audit field, or of all."""

    reason: str
    title: str
    field: str = Field(description="The audit field; empty for all clients.")
    group: str
    share: Interval


class MonthResult(BaseModel):
    """Results of the decisions of a month; AUC is None where it has too few of either outcome."""

    month: str
    rows: int
    default_rate: Interval
    approval_rate: float
    auc: float | None


class Importance(BaseModel):
    """Importance of a field: loss of AUC when it is shuffled, and its mean absolute share of the log-odds (SHAP).

    The interval of `auc_loss` is the range over the shuffles.
    """

    field: str
    auc_loss: Interval
    log_odds_share: float


class PartialDependence(BaseModel):
    """Mean risk when a field is set to each value for all clients; `holds` is None if no direction is declared."""

    field: str
    values: tuple[float | str, ...]
    risk: tuple[float, ...]
    risk_moves: Literal["up", "down"] | None
    holds: bool | None = Field(description="Whether risk moved that way only, for every single client tried.")


class Assessment(BaseModel):
    """Everything measured of a model on clients with known outcomes."""

    model_config = ConfigDict(frozen=True)

    data: str = Field(description="Which data, in a few words.")
    unseen: bool = Field(True, description="Whether the model was surely trained on none of these clients.")
    rows: int
    default_rate: float
    threshold: float
    metrics: dict[str, Interval] = Field(description="With 95 % bootstrap intervals.")
    approved: dict[str, Interval] = Field(
        {}, description="Of approved clients only, whose outcomes alone the monitor can see."
    )
    roc: Curve = Field(description="False alarms (share of payers denied) to recall.")
    precision_recall: Curve = Field(description="Recall to precision.")
    cumulative_payers: Curve = Field(description="Risk to the share of payers at or below it.")
    cumulative_defaulters: Curve = Field(description="Risk to the share of defaulters at or below it.")
    reliability: tuple[ReliabilityBin, ...]
    histogram_edges: tuple[float, ...]
    histogram_payers: tuple[int, ...]
    histogram_defaulters: tuple[int, ...]
    profit: Curve = Field(description="Threshold to profit in R$ per application.")
    thresholds: tuple[ThresholdResult, ...]
    groups: tuple[GroupResult, ...]
    importance: tuple[Importance, ...]
    partial_dependence: tuple[PartialDependence, ...]
    first_reasons: tuple[FirstReason, ...] = Field(
        (), description="Empty in reports from before reasons were measured."
    )
    months: tuple[MonthResult, ...] = Field((), description="Empty where the days of decisions are not known.")
    labels: dict[str, Label] = Field({}, description="Of each field above, by its name.")
    note: str = Field("", description="What the mapping of the data says of it.")
    warnings: tuple[str, ...] = Field(description="What a reader must not miss, in full sentences.")
