"""The Kaggle data: the real file where it is at hand, and a made one of its shape."""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from credit_scoring.settings import PROJECT_FOLDER

KAGGLE_CSV = Path(
    os.environ.get("CREDIT_SCORING_KAGGLE_CSV") or PROJECT_FOLDER.parent / "shared" / "data" / "credit_risk_dataset.csv"
)


def write_made_one(path: Path, rows: int = 600) -> Path:
    """A file with the columns and values of the real one, in which those with large loans on small incomes default."""
    generator = np.random.default_rng(7)
    income, loan = generator.integers(6_000, 120_000, rows), generator.integers(1_000, 35_000, rows)
    share = loan / income
    purposes = ("EDUCATION", "MEDICAL", "VENTURE", "PERSONAL", "HOMEIMPROVEMENT", "DEBTCONSOLIDATION")
    years = generator.integers(0, 20, rows).astype(object)
    years[::40] = ""
    columns = {
        "person_age": generator.integers(20, 70, rows),
        "person_income": income,
        "person_home_ownership": generator.choice(["RENT", "OWN", "MORTGAGE", "OTHER"], rows),
        "person_emp_length": years,
        "loan_intent": generator.choice(purposes, rows),
        "loan_grade": generator.choice([*"ABCDEFG"], rows),
        "loan_amnt": loan,
        "loan_int_rate": generator.uniform(5, 23, rows).round(2),
        "loan_status": (generator.uniform(size=rows) < np.clip(share, 0.05, 0.95)).astype(int),
        "loan_percent_income": share.round(2),
        "cb_person_default_on_file": generator.choice(["Y", "N"], rows),
        "cb_person_cred_hist_length": generator.integers(2, 30, rows),
    }
    pd.DataFrame(columns).to_csv(path, index=False)
    return path
