"""The public credit sets, each as a data set that training takes: columns, derived columns, directions of risk.

They are read from a folder that CREDIT_SCORING_PUBLIC_SETS names, else from shared/data beside the checkout; only the
embedded one comes with the project. What a set's columns mean is in its own documentation; the names are theirs.
Protected attributes (sex, age, marital or personal status, foreign worker) are left out wherever they stand.
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from credit_scoring.application.arrays import Floats
from credit_scoring.application.schemas import RiskMoves
from credit_scoring.data.datasets import Dataset, load_embedded
from credit_scoring.model.features import Columns, DerivedField, ratio
from credit_scoring.settings import PROJECT_FOLDER, TrainingSettings

FOLDER = Path(os.environ.get("CREDIT_SCORING_PUBLIC_SETS", PROJECT_FOLDER.parent / "shared" / "data"))
FEW = 0.01

Directions = Mapping[str, RiskMoves]


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


def _dataset(
    path: Path,
    frame: pd.DataFrame,
    defaulted: "pd.Series[bool]",
    moves: Directions,
    derived: Sequence[DerivedField] = (),
) -> Dataset:
    categories = {str(name): tuple(sorted(frame[name].dropna().unique())) for name in frame.select_dtypes("object")}
    numbers = tuple(str(name) for name in frame if name not in categories)
    columns = Columns(numbers, categories, tuple(derived), moves)
    typed = frame.astype(dict.fromkeys(numbers, np.float64))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    flags = defaulted.to_numpy(dtype=np.bool_)
    return Dataset(f"public:{path.name}", digest, "", typed[list(columns.raw)], flags, (), (), columns)


def _difference(minuend: Floats, subtrahend: Floats) -> Floats:
    return minuend - subtrahend


def _product(one: Floats, other: Floats) -> Floats:
    return one * other


def _embedded(path: Path) -> Dataset:
    return load_embedded(TrainingSettings().data_folder)


def _kaggle(path: Path) -> Dataset:
    frame = pd.read_csv(path)
    defaulted = frame["loan_status"] == 1
    frame = frame.drop(columns=["loan_status", "loan_grade", "loan_int_rate"])
    impossible = frame["person_emp_length"] > frame["person_age"] - 10
    frame["person_emp_length"] = frame["person_emp_length"].mask(impossible)
    frame["cb_person_default_on_file"] = (frame["cb_person_default_on_file"] == "Y").astype(float)
    loan, income = "loan_amnt", "person_income"
    derived = (
        DerivedField("loan_over_income", (loan, income), ratio, "up"),
        DerivedField("income_after_loan", (income, loan), _difference),
    )
    return _dataset(path, frame.drop(columns="person_age"), defaulted, {"cb_person_default_on_file": "up"}, derived)


LATE = (
    "NumberOfTime30-59DaysPastDueNotWorse",
    "NumberOfTime60-89DaysPastDueNotWorse",
    "NumberOfTimes90DaysLate",
)


def _late_weighted(first: Floats, second: Floats, third: Floats) -> Floats:
    return first + 2 * second + 3 * third


def _debt(share: Floats, income: Floats) -> Floats:
    """Where the income is missing, the column holds the debt itself."""
    return np.where(np.isnan(income), share, share * income)


def _give_me_some_credit(path: Path) -> Dataset:
    frame = pd.read_csv(path, index_col=0)
    defaulted = frame.pop("SeriousDlqin2yrs") == 1
    frame["special_code"] = (frame[LATE[2]] > 90).astype(float)
    for name in LATE:
        frame[name] = frame[name].mask(frame[name] > 90)
    derived = (
        DerivedField("late_weighted", LATE, _late_weighted, "up"),
        DerivedField("debt", ("DebtRatio", "MonthlyIncome"), _debt),
        DerivedField(
            "utilization_times_lines",
            ("RevolvingUtilizationOfUnsecuredLines", "NumberOfOpenCreditLinesAndLoans"),
            _product,
        ),
    )
    return _dataset(path, frame.drop(columns="age"), defaulted, dict.fromkeys(LATE, "up"), derived)


STATUS = ("PAY_0", "PAY_2", "PAY_3", "PAY_4", "PAY_5", "PAY_6")
BILLS = tuple(f"BILL_AMT{month}" for month in range(1, 7))
PAYMENTS = tuple(f"PAY_AMT{month}" for month in range(1, 7))


def _months_late(status: Floats) -> Floats:
    """PAY_0 counts months from 1 on; -2, -1 and 0 are kinds of being on time, in no order of risk."""
    return np.maximum(status, 0)


def _largest(*columns: Floats) -> Floats:
    largest: Floats = np.maximum.reduce(columns)
    return largest


def _count_positive(*columns: Floats) -> Floats:
    return np.asarray(np.sum([column > 0 for column in columns], axis=0), dtype=np.float64)


def _sum_over_first(first: Floats, *others: Floats) -> Floats:
    return ratio(np.sum(others, axis=0), first)


def _total(*columns: Floats) -> Floats:
    total: Floats = np.sum(columns, axis=0)
    return total


def _paid_share(payment: Floats, bill: Floats) -> Floats:
    return np.clip(ratio(payment, np.maximum(bill, 0)), 0, 10)


def _taiwan(path: Path) -> Dataset:
    frame = pd.read_csv(path).drop(columns=["ID", "SEX", "AGE", "MARRIAGE"])
    defaulted = frame.pop("default.payment.next.month") == 1
    frame["EDUCATION"] = frame["EDUCATION"].clip(upper=4).replace(0, 4)
    derived = (
        *(DerivedField(f"used_{bill}", (bill, "LIMIT_BAL"), ratio) for bill in BILLS),
        *(
            DerivedField(f"paid_{month}", (PAYMENTS[month], BILLS[month + 1]), _paid_share)
            for month in range(len(BILLS) - 1)
        ),
        DerivedField("late_now", (STATUS[0],), _months_late, "up"),
        DerivedField("latest_delay", STATUS, _largest),
        DerivedField("months_late", STATUS, _count_positive, "up"),
        DerivedField("paid_in_all", PAYMENTS, _total, "down"),
        DerivedField("bills_over_limit", ("LIMIT_BAL", *BILLS), _sum_over_first),
        DerivedField("paid_over_limit", ("LIMIT_BAL", *PAYMENTS), _sum_over_first),
        DerivedField("unused_limit", ("LIMIT_BAL", "BILL_AMT1"), _difference, "down"),
    )
    return _dataset(path, frame, defaulted, {"LIMIT_BAL": "down"}, derived)


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
    total = "NumTotalTrades"
    derived = (
        DerivedField("satisfactory_share", ("NumSatisfactoryTrades", total), ratio),
        DerivedField("mean_over_oldest", ("AverageMInFile", "MSinceOldestTradeOpen"), ratio),
        DerivedField("new_share", ("NumTradesOpeninLast12M", total), ratio),
        DerivedField("inquiries_per_trade", ("NumInqLast6M", total), ratio),
        DerivedField("burden_over_score", ("NetFractionRevolvingBurden", "ExternalRiskEstimate"), ratio, "up"),
        DerivedField("months_per_trade", ("AverageMInFile", total), ratio),
    )
    return _dataset(path, frame, defaulted, moves, derived)


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
    derived = (DerivedField("instalment", ("amount", "duration"), ratio),)
    return _dataset(path, frame.drop(columns=["personal", "age", "foreign"]), defaulted, moves, derived)


SETS = {
    each.name: each
    for each in (
        PublicSet(
            "credit_data", "credit_data.csv", _embedded, 0.854, "AutoGluon, best in 120 s, with age: .849", 10, 5
        ),
        PublicSet("german", "german.data", _german, 0.798, "average of a forest and boosters: .7945", 10, 5),
        PublicSet("heloc", "heloc.csv", _heloc, 0.802, "TabICLv2 on its own splits: .802", 6, 3),
        PublicSet("taiwan", "taiwan.csv", _taiwan, 0.788, "TabICLv2 on its own splits: .791", 6, 3),
        PublicSet("credit_risk", "credit_risk_dataset.csv", _kaggle, 0.915, "average of three boosters: .911", 6, 3),
        PublicSet("gmsc", "cs-training.csv.zip", _give_me_some_credit, 0.867, "TabICLv2, own splits: .8669", 3, 3),
    )
}
