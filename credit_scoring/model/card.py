"""The model card: what a model was made of and how well it did."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

MATTERS = 0.003  # of AUC; a smaller gain justifies neither a costlier model nor giving up a declared direction


class Interval(BaseModel):
    """A measured value with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class CandidateResult(BaseModel):
    """How one candidate did in cross-validation on the training part, at its best parameters."""

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


class Teaching(BaseModel):
    """A teacher whose probabilities boosters were also fitted on, and what that gained on folds that neither knows."""

    sha256: str = Field(description="Of the file that it was read from.")
    auc: float = Field(description="The teacher's own on the training part, out of fold.")
    share: float = Field(description="Of each label; the rest is the outcome.")
    over: str = Field(description="The candidate that was chosen without a teacher.")
    gains: dict[str, Interval] = Field(description="How much more AUC each taught candidate has than that one.")


class ModelCard(BaseModel):
    """Everything a reader needs to judge a model, kept beside it in the store."""

    model_config = ConfigDict(frozen=True)

    trained_at: datetime
    data: DataSummary
    features: tuple[str, ...] = Field(description="Fields that the model uses; those absent from the data are not.")
    seed: int
    chosen: str = Field(description="Name of the winning candidate.")
    candidates: tuple[CandidateResult, ...]
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
    test: dict[str, Interval] = Field(description="Metrics on the untouched test part, with 95 % intervals.")
    test_approved: dict[str, Interval] = Field(
        {}, description="Those of its approved clients alone, as the monitor measures them; empty in older models."
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
        return "the cheapest to serve of the candidates that no other beats by more than noise"

    @property
    def contradicted(self) -> tuple[str, ...]:
        """The fields whose declared direction the data contradict: beyond noise, and by an AUC that matters."""
        prices = self.direction_prices.items()
        return tuple(name for name, price in prices if price.low > 0 and price.value > MATTERS)
