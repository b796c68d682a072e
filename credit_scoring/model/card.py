"""The model card: what a model was made of and how well it did."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

MATTERS = 0.003  # of AUC; a smaller gain justifies neither a costlier model nor giving up a declared direction


class Interval(BaseModel):
    """A measured value with its 95 % interval, which is infinite where a single measurement tells none."""

    value: FiniteFloat
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class CandidateResult(BaseModel):
    """How one candidate did in cross-validation on the training part, at its best parameters."""

    model_config = ConfigDict(allow_inf_nan=False)

    name: str
    trials: int
    auc_mean: float
    auc_std: float = Field(description="Standard deviation over the folds.")
    recall_mean: float = Field(description="Recall of the bad class at the break-even probability.")
    recall_std: float
    parameters: dict[str, Any]
    repeated_auc: Interval | None = Field(
        None, description="AUC over repeated cross-validation at these parameters, corrected for overlapping folds."
    )
    behind_best: Interval | None = Field(None, description="How far its AUC is behind the best candidate's.")


class DataSummary(BaseModel):
    """Where the training data came from."""

    source: str
    sha256: str
    note: str
    rows_train: int
    rows_test: int
    bad_rows: int = Field(description="Rows left out because they broke the schema.")
    default_rate: float
    split: str = Field("at random", description="How the test part was chosen.")
    test_since: date | None = Field(None, description="The day it begins, where it is the newest part.")


class Comparison(BaseModel):
    """How a stored model ranks the test part of another model, and how far the other's AUC is above its own."""

    tag: str
    auc: float
    difference: Interval


class ScoreBand(BaseModel):
    """Applications that the new model ranks alike, by what is known of them."""

    low: float = Field(description="Log-odds before calibration, from which a calibration may make equal risks.")
    high: float
    risk: float = Field(description="Mean risk probability.")
    known: int = Field(description="With an outcome.")
    open: int = Field(description="Approved; the outcome is not known yet.")
    refused: int = Field(description="Refused, without an outcome.")

    @property
    def applications(self) -> int:
        """All of them."""
        return self.known + self.open + self.refused


class FieldGap(BaseModel):
    """How far refused applications without an outcome differ from those with one in a field."""

    field: str
    psi: float
    limit: float = Field(description="The PSI above which they differ: notable, and more than chance.")
    bin: str = Field(description="Where the refused are over-represented most.")
    known_share: float = Field(description="Share of the applications with an outcome in that bin.")
    refused_share: float


class Effect(BaseModel):
    """A metric of clients whose outcome is known, by a model that has learned from such clients and by one without."""

    full: Interval = Field(description="Trained with such clients among the others.")
    hidden: Interval = Field(description="Trained without any of them.")
    difference: Interval = Field(description="`hidden` less `full`.")


class CutOffStudy(BaseModel):
    """What a stricter cut-off of the past would have cost: its refused are known clients, whose outcomes are hidden."""

    seen_rows: int
    hidden_rows: int
    seen_default_rate: Interval
    hidden_default_rate: Interval
    effects: dict[str, Effect] = Field(
        description="On the hidden clients, held out: `auc`, and `predicted_default_rate`, to be compared with theirs."
    )


class SelectionBias(BaseModel):
    """What a model that learns from decisions cannot know: those who were refused have no outcome."""

    known: int = Field(description="Applications with an outcome.")
    open: int = Field(description="Approved applications whose outcome is not known yet.")
    refused: int = Field(description="Refused applications without an outcome.")
    unusable: int = Field(
        0, description="Others without an outcome: erased, or rejected by this catalogue; in no figure."
    )
    fewest: int = Field(description="A band with fewer outcomes than this counts as one without.")
    bands: tuple[ScoreBand, ...] = Field(description="With about equal numbers of applications, lowest risk first.")
    fields: tuple[FieldGap, ...] = Field((), description="By PSI, greatest first; empty if too few were refused.")
    study: CutOffStudy | None = None
    no_study: str = Field("", description="Why there is no study.")

    @property
    def blind(self) -> tuple[ScoreBand, ...]:
        """The bands with fewer than `fewest` outcomes."""
        return tuple(band for band in self.bands if band.known < self.fewest)

    @property
    def blind_applications(self) -> float:
        """Share of all applications that are in them."""
        return sum(each.applications for each in self.blind) / max(sum(each.applications for each in self.bands), 1)

    @property
    def blind_range(self) -> float:
        """Share of the range of scores, which are log-odds, that they cover."""
        width = self.bands[-1].high - self.bands[0].low if self.bands else 0.0
        return sum(each.high - each.low for each in self.blind) / width if width else 0.0


class Teaching(BaseModel):
    """A teacher whose probabilities boosters were also fitted on, and what that gained on folds that neither knows."""

    sha256: str = Field(description="Of the file that it was read from.")
    auc: float = Field(description="The teacher's own on the training part, out of fold.")
    share: float = Field(description="Of each label; the rest is the outcome.")
    over: str = Field(description="The candidate that was chosen without a teacher.")
    gains: dict[str, Interval] = Field(description="How much more AUC each taught candidate has than that one.")


class ModelCard(BaseModel):
    """Everything a reader needs to judge a model, kept beside it in the store."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    trained_at: datetime
    data: DataSummary
    features: tuple[str, ...] = Field(description="Fields that the model uses; those absent from the data are not.")
    seed: int
    chosen: str = Field(description="Name of the winning candidate.")
    candidates: tuple[CandidateResult, ...]
    rows_compared: int | None = Field(
        None,
        description="Rows of the training part that the choice, the calibration and the threshold are from; fewer than "
        "all where there are many, or where the time was short. Absent in older models.",
    )
    calibration: str
    calibration_briers: dict[str, float] = Field({}, description="Held-out Brier score of each way to calibrate.")
    monotone_price: Interval | None = Field(
        None, description="AUC that the constraints on the direction of risk cost; below 0 where they gain some."
    )
    direction_prices: dict[str, Interval] = Field(
        {},
        description="AUC gained without the declared direction of one field, all others kept; empty in older models.",
    )
    unpriced: tuple[str, ...] = Field((), description="Fields whose direction there was no time to price.")
    missing_price: Interval | None = Field(
        None, description="AUC gained if a missing value of a field with a direction counted as the median or worse."
    )
    missing_unpriced: bool = Field(False, description="Whether values are missing, and there was no time to price it.")
    test: dict[str, Interval] = Field(description="Metrics on the untouched test part, with 95 % intervals.")
    test_approved: dict[str, Interval] = Field(
        {}, description="Those of its approved clients alone, as the monitor measures them; empty in older models."
    )
    selection_bias: SelectionBias | None = Field(
        None, description="Of a model trained on the decision log; absent in others and in older models."
    )
    against: Comparison | None = Field(None, description="The stored model that it had to be no worse than, if any.")
    teacher: Teaching | None = Field(
        None, description="What else than outcomes candidates were fitted on, if anything."
    )
    minimum_auc: float
    minimum_recall: float
    library_versions: dict[str, str]

    @property
    def why_chosen(self) -> str:
        """The rule by which the candidate was taken."""
        if self.teacher and self.chosen in self.teacher.gains:
            return f"which is better than {self.teacher.over} beyond noise"
        return "the cheapest to serve of the candidates that are not clearly behind the best"

    @property
    def contradicted(self) -> tuple[str, ...]:
        """The fields whose declared direction the data contradict: beyond noise, and by an AUC that matters."""
        prices = self.direction_prices.items()
        return tuple(name for name, price in prices if price.low > 0 and price.value > MATTERS)
