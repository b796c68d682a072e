"""Files of applications for batches, and what the service answers to them."""

import csv
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet

from benchmarks.support.consorcio import EXAMPLE_APPLICATION, FIELDS, MAPPABLE, ConsorcioApplication
from credit_scoring.batch.output import MANIFEST_FILE, BatchManifest
from credit_scoring.batch.scoring import InputFiles, ScoringJob
from credit_scoring.data.datasets import Dataset
from credit_scoring.model import store
from credit_scoring.model.governed import scorer_in_use
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.policy import Policy
from credit_scoring.serving.decision_engine import DecisionDesk

Row = dict[str, Any]
Answers = dict[str, tuple[float, str]]

VALUE = "3210.99"
BY_TERM = """
[policy]
name = "by-term"

[[rule]]
id = "TERM"
when = {{ field = "term_months", above = 24 }}
if_missing = "pass"
then = "deny"
reason = "Prazo acima do permitido"

[[case]]
name = "prazo longo"
application = {{ credit_letter_value = 60000, term_months = 200, age = 30 }}
expect = {{ decision = "{expected}", rules = ["TERM"] }}
"""


def one_good_one_bad(tmp_path: Path) -> Path:
    """A file with one application, with a value that nothing may tell, and one that is refused."""
    good = {**EXAMPLE_APPLICATION, "application_id": "p-1", "monthly_income": VALUE}
    return write_csv(tmp_path / "propostas.csv", [good, {**good, "application_id": "p-2", "age": 17}])


def write_csv(path: Path, rows: list[Row], names: Mapping[str, str] | None = None, **options: Any) -> Path:
    """A CSV file; `names` are those of its columns, by field."""
    columns = names or {name: name for name in ("application_id", *MAPPABLE)}
    with path.open("w", newline="", encoding=options.pop("encoding", "utf-8")) as file:
        writer = csv.writer(file, **options)
        writer.writerow(columns.values())
        writer.writerows([row.get(name, "") for name in columns] for row in rows)
    return path


def applications(dataset: Dataset, count: int) -> list[Row]:
    """Real applications with ids, as a client would send them."""
    sent = []
    for number, row in enumerate(dataset.frame.head(count).to_dict("records")):
        values = {str(name): value for name, value in row.items() if not pd.isna(value)}
        flags = {name: bool(value) for name, value in values.items() if FIELDS[name].kind == "flag"}
        sent.append({"application_id": f"p-{number}", **values, **flags})
    return sent


def answers(rows: list[Row], tag: str, policy_file: Path | None = None) -> Answers:
    """Risk and decision of each application by its id, from the desk of the service."""
    desk = DecisionDesk(scorer_in_use(tag, Path(store.find(tag).path), policy_file), tag)
    decisions = desk.decide([ConsorcioApplication.model_validate(row) for row in rows])
    pairs = [(each.risk_probability, each.decision.value) for each in decisions]
    return dict(zip([row["application_id"] for row in rows], pairs, strict=True))


def write_parquet(path: Path, rows: list[Row]) -> Path:
    """A Parquet file of several row groups."""
    types = {"number": pyarrow.float64(), "integer": pyarrow.float64(), "flag": pyarrow.bool_()}
    names = ("application_id", *MAPPABLE)
    arrays = {
        name: pyarrow.array([row.get(name) for row in rows], types.get(FIELDS[name].kind, pyarrow.string()))
        for name in names
    }
    pyarrow.parquet.write_table(pyarrow.table(arrays), path, row_group_size=200)
    return path


def job_of(
    source: Path | str,
    output: Path,
    tag: str,
    *,
    with_reasons: bool = False,
    policy_file: Path | None = None,
    **options: Any,
) -> ScoringJob:
    """The job of deciding these files."""
    files = InputFiles(str(source), **options)
    return ScoringJob(files, str(output), tag, Path(store.find(tag).path), with_reasons, policy_file)


def write_policy(path: Path, expected: str = "NEGADO") -> Path:
    """A policy with a rule on a field that the model may not use, and a case that passes unless `expected` differs."""
    path.write_text(BY_TERM.format(expected=expected), encoding="utf-8")
    return path


def read(folder: Path) -> list[Row]:
    found: list[Row] = pyarrow.parquet.read_table(folder).to_pylist()
    return found


def decided(output: Path) -> dict[str, tuple[float, str]]:
    """Risk and decision by id; fails where an id stands twice."""
    found = read(output / "decisions")
    by_id = {row["application_id"]: (row["risk_probability"], row["decision"]) for row in found}
    assert len(by_id) == len(found)
    return by_id


def manifest_of(output: Path) -> BatchManifest:
    return BatchManifest.model_validate_json((output / MANIFEST_FILE).read_bytes())


def ended(scorer: Scorer) -> str:
    """The tag of this model with a policy that has ended, in the store."""
    content = {**scorer.policy.model_dump(exclude={"version"}), "valid_until": date(2020, 1, 31)}
    return store.save(replace(scorer, policy=Policy.model_validate(content)))


def brazilian(path: Path, amounts: list[str]) -> Path:
    """A file of applications with these letters, separated by `;`; each row has 90 bytes or more."""
    lines = [f"{number:064};37;{amount};{'9' * 15}" for number, amount in enumerate(amounts)]
    path.write_text("\n".join(["application_id;age;credit_letter_value;outstanding_debt", *lines]), encoding="utf-8")
    return path
