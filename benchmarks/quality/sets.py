"""The public credit sets, each as a data set that training takes: columns, derived columns, directions of risk.

They are read from a folder that CREDIT_SCORING_PUBLIC_SETS names, else from shared/data beside the checkout; only the
embedded one comes with the project. What a set's columns mean is in its own documentation; the names are theirs.
Protected attributes (sex, age, marital or personal status, foreign worker) are left out wherever they stand.
"""

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from credit_scoring.application.arrays import Floats
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.expressions import Expression
from credit_scoring.application.fields import RiskMoves
from credit_scoring.data.datasets import Dataset, load_embedded, load_kaggle
from credit_scoring.settings import PROJECT_FOLDER, TrainingSettings

FOLDER = Path(os.environ.get("CREDIT_SCORING_PUBLIC_SETS", PROJECT_FOLDER.parent / "shared" / "data"))
FEW = 0.01

Directions = Mapping[str, RiskMoves]
Values = Floats | pd.Series


@dataclass(frozen=True)
class PublicSet:
    """A set, the AUC to reach on it, and what others have reached: `published` in a few words with its source.

    `trials` is how many the search gets for a booster, `folds` how many inner folds every choice is made on.
    """

    name: str
    file: str
    read: Callable[[Path], Dataset]
    goal: float
    published: str
    trials: int
    folds: int

    @property
    def path(self) -> Path:
        """Where its file lies, if it is there at all."""
        return FOLDER / self.file


def _dataset(path: Path, frame: pd.DataFrame, defaulted: "pd.Series[bool]", moves: Directions) -> Dataset:
    """A set whose catalogue is made from the columns of its frame; `moves` names those that have a direction."""
    directions = {_identifier(name): way for name, way in moves.items()}
    renamed = frame.rename(columns={str(name): _identifier(str(name)) for name in frame})
    fields = {str(name): _field(str(name), renamed[name], directions) for name in renamed}
    catalogue = Catalogue.model_validate({"name": path.stem.lower(), "fields": fields})
    numbers = [name for name, field in catalogue.fields.items() if field.is_number]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    flags = defaulted.to_numpy(dtype=np.bool_)
    typed = renamed.astype(dict.fromkeys(numbers, np.float64))
    return Dataset(f"public:{path.name}", digest, "", catalogue, typed, flags, (), ())


def _identifier(column: str) -> str:
    return re.sub(r"\W", "_", column)


def _field(name: str, column: "pd.Series[Any]", moves: Directions) -> dict[str, Any]:
    if column.dtype != object:
        return {"title": name, "kind": "number", "risk_moves": moves.get(name)}
    return {"title": name, "kind": "category", "values": {each: each for each in sorted(column.dropna().unique())}}


def _ratio(numerator: Values, denominator: Values) -> Floats:
    """As in an expression of a catalogue: 0/0 is 0."""
    return Expression("a / b").evaluate({"a": np.asarray(numerator), "b": np.asarray(denominator)})


def _embedded(path: Path) -> Dataset:
    return load_embedded(TrainingSettings().data_folder)


def _kaggle(path: Path) -> Dataset:
    """By the product's own catalogue and mapping, as `train --source kaggle` reads it.

    Without the file's loan_percent_income: in 429 rows it is not the loan over the income, and all of those defaulted.
    It knows the outcome, and is worth .0045 of AUC for that alone.
    """
    return load_kaggle(path)


LATE = (
    "NumberOfTime30-59DaysPastDueNotWorse",
    "NumberOfTime60-89DaysPastDueNotWorse",
    "NumberOfTimes90DaysLate",
)


def _give_me_some_credit(path: Path) -> Dataset:
    frame = pd.read_csv(path, index_col=0)
    defaulted = frame.pop("SeriousDlqin2yrs") == 1
    frame["special_code"] = (frame[LATE[2]] > 90).astype(float)
    for name in LATE:
        frame[name] = frame[name].mask(frame[name] > 90)
    share, income = frame["DebtRatio"], frame["MonthlyIncome"]
    frame = frame.drop(columns="age").assign(
        late_weighted=frame[LATE[0]] + 2 * frame[LATE[1]] + 3 * frame[LATE[2]],
        debt=np.where(income.isna(), share, share * income),  # without an income, the column holds the debt itself
        utilization_times_lines=frame["RevolvingUtilizationOfUnsecuredLines"]
        * frame["NumberOfOpenCreditLinesAndLoans"],
    )
    return _dataset(path, frame, defaulted, {**dict.fromkeys(LATE, "up"), "late_weighted": "up"})


STATUS = ("PAY_0", "PAY_2", "PAY_3", "PAY_4", "PAY_5", "PAY_6")
BILLS = tuple(f"BILL_AMT{month}" for month in range(1, 7))
PAYMENTS = tuple(f"PAY_AMT{month}" for month in range(1, 7))


def _taiwan(path: Path) -> Dataset:
    frame = pd.read_csv(path).drop(columns=["ID", "SEX", "AGE", "MARRIAGE"])
    defaulted = frame.pop("default.payment.next.month") == 1
    frame["EDUCATION"] = frame["EDUCATION"].clip(upper=4).replace(0, 4)
    limit, bills, payments = frame["LIMIT_BAL"], frame[[*BILLS]], frame[[*PAYMENTS]]
    used = {f"used_{bill}": _ratio(frame[bill], limit) for bill in BILLS}
    paid = {f"paid_{month}": _paid_share(frame[PAYMENTS[month]], frame[BILLS[month + 1]]) for month in range(5)}
    frame = frame.assign(
        **used,
        **paid,
        late_now=frame[STATUS[0]].clip(lower=0),  # from 1 on months; -2, -1 and 0 are on time, in no order of risk
        latest_delay=frame[[*STATUS]].max(axis=1),
        months_late=(frame[[*STATUS]] > 0).sum(axis=1),
        paid_in_all=payments.sum(axis=1),
        bills_over_limit=_ratio(bills.sum(axis=1), limit),
        paid_over_limit=_ratio(payments.sum(axis=1), limit),
        unused_limit=limit - frame["BILL_AMT1"],
    )
    up = ("late_now", "months_late")
    down = ("LIMIT_BAL", "paid_in_all", "unused_limit")
    return _dataset(path, frame, defaulted, {**dict.fromkeys(up, "up"), **dict.fromkeys(down, "down")})


def _paid_share(payment: Values, bill: Values) -> Floats:
    return np.clip(_ratio(payment, np.maximum(bill, 0)), 0, 10)


HELOC_DOWN = (
    "ExternalRiskEstimate",
    "MSinceOldestTradeOpen",
    "MSinceMostRecentTradeOpen",
    "AverageMInFile",
    "NumSatisfactoryTrades",
    "PercentTradesNeverDelq",
    "MSinceMostRecentDelq",
    "MSinceMostRecentInqexcl7days",
)
HELOC_UP = (
    "NumTrades60Ever2DerogPubRec",
    "NumTrades90Ever2DerogPubRec",
    "NumTradesOpeninLast12M",
    "NumInqLast6M",
    "NumInqLast6Mexcl7days",
    "NetFractionRevolvingBurden",
    "NetFractionInstallBurden",
    "NumRevolvingTradesWBalance",
    "NumInstallTradesWBalance",
    "NumBank2NatlTradesWHighUtilization",
    "PercentTradesWBalance",
)


def _heloc(path: Path) -> Dataset:
    frame = pd.read_csv(path)
    defaulted = frame.pop("RiskPerformance") == "Bad"
    coded = {
        f"{name}_code{-code}": (frame[name] == code).astype(float)
        for name in frame
        for code in (-7, -8)
        if (frame[name] == code).mean() > FEW
    }
    nothing_on_file = (frame == -9).all(axis=1).astype(float)
    frame = frame.mask(frame.isin([-7, -8, -9])).assign(nothing_on_file=nothing_on_file, **coded)
    moves: dict[str, RiskMoves] = {**dict.fromkeys(HELOC_DOWN, "down"), **dict.fromkeys(HELOC_UP, "up")}
    moves["burden_over_score"] = "up"
    total = frame["NumTotalTrades"]
    frame = frame.assign(
        satisfactory_share=_ratio(frame["NumSatisfactoryTrades"], total),
        mean_over_oldest=_ratio(frame["AverageMInFile"], frame["MSinceOldestTradeOpen"]),
        new_share=_ratio(frame["NumTradesOpeninLast12M"], total),
        inquiries_per_trade=_ratio(frame["NumInqLast6M"], total),
        burden_over_score=_ratio(frame["NetFractionRevolvingBurden"], frame["ExternalRiskEstimate"]),
        months_per_trade=_ratio(frame["AverageMInFile"], total),
    )
    return _dataset(path, frame, defaulted, moves)


GERMAN = [
    *("status", "duration", "history", "purpose", "amount", "savings", "employment", "rate", "personal", "debtors"),
    *("residence", "property", "age", "plans", "housing", "credits", "job", "liable", "phone", "foreign", "label"),
]
GERMAN_ORDERED = {
    "status": ("A11", "A12", "A13", "A14"),
    "savings": ("A61", "A62", "A63", "A64", "A65"),
    "employment": ("A71", "A72", "A73", "A74", "A75"),
    "property": ("A121", "A122", "A123", "A124"),
    "history": ("A30", "A31", "A32", "A33", "A34"),
}


def _german(path: Path) -> Dataset:
    frame = pd.read_csv(path, sep=" ", header=None, names=GERMAN)
    defaulted = frame.pop("label") == 2
    for name, order in GERMAN_ORDERED.items():
        frame[f"{name}_rank"] = frame[name].map({value: rank for rank, value in enumerate(order)}).astype(float)
    moves: dict[str, RiskMoves] = {
        **dict.fromkeys(("duration", "rate", "property_rank"), "up"),
        **dict.fromkeys(("status_rank", "savings_rank", "employment_rank", "history_rank"), "down"),
    }
    frame = frame.drop(columns=["personal", "age", "foreign"])
    return _dataset(path, frame.assign(instalment=_ratio(frame["amount"], frame["duration"])), defaulted, moves)


SETS = {
    each.name: each
    for each in (
        PublicSet(
            "credit_data", "credit_data.csv", _embedded, 0.857, "AutoGluon, best in 120 s, with age: .849", 20, 5
        ),
        PublicSet("german", "german.data", _german, 0.800, "average of a forest and boosters: .7945", 20, 5),
        PublicSet("heloc", "heloc.csv", _heloc, 0.803, "TabICLv2 on its own splits: .802", 20, 3),
        PublicSet("taiwan", "taiwan.csv", _taiwan, 0.790, "TabICLv2 on its own splits: .791", 10, 3),
        PublicSet("credit_risk", "credit_risk_dataset.csv", _kaggle, 0.918, "average of three boosters: .911", 10, 3),
        PublicSet("gmsc", "cs-training.csv.zip", _give_me_some_credit, 0.866, "TabICLv2, own splits: .8669", 3, 3),
    )
}
