"""Reasons for a risk: at most four, none hidden, the same each time."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from benchmarks.support.kinds import KINDS, calibrated_otherwise, clients, scorer_of_kind
from benchmarks.support.made_up import made_up, quickly_trained
from credit_scoring.application.arrays import Floats
from credit_scoring.errors import ExplanationError
from credit_scoring.explanation.reasons import (
    AT_ONCE,
    LEAST_SHARE,
    MOST,
    Reasons,
    reasons,
    reasons_of_many,
    reference_values,
)
from credit_scoring.model.calibration import CALIBRATORS
from credit_scoring.model.compiled import CompiledPipeline
from credit_scoring.model.scorer import Scorer
from tests.support.applications import APPLICATIONS

Record = Mapping[str, Any]
COUNTED = 300
USUAL = "sigmoid"


@pytest.fixture(scope="module", params=KINDS)
def scorer(request: pytest.FixtureRequest) -> Scorer:
    return scorer_of_kind(request.param)


@pytest.fixture(scope="module")
def booster() -> Scorer:
    return scorer_of_kind("lightgbm")


def typical(scorer: Scorer, **changes: Any) -> dict[str, Any]:
    """The reference applicant, with these values instead of its own."""
    return {**reference_values(scorer), **changes}


def applications(scorer: Scorer, count: int = COUNTED) -> list[dict[str, Any]]:
    frame = clients().frame[list(scorer.card.features)].head(count)
    rows = frame.to_dict("records")
    return [{str(name): None if pd.isna(value) else value for name, value in row.items()} for row in rows]


def denied(scorer: Scorer) -> list[dict[str, Any]]:
    records = applications(scorer)
    risks = scorer.score_records(records)
    return [record for record, risk in zip(records, risks, strict=True) if risk >= scorer.policy.threshold]


def texts(found: Reasons) -> list[str]:
    return [reason.text for reason in found.against]


@pytest.mark.parametrize(
    "calibration", [USUAL, *(pytest.param(each, marks=pytest.mark.slow) for each in CALIBRATORS if each != USUAL)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_whoever_is_denied_has_a_reason_by_whatever_model_and_calibration(kind: str, calibration: str) -> None:
    scorer = calibrated_otherwise(kind, calibration)
    refused = denied(scorer)
    assert len(refused) > 20
    assert all(reasons(scorer, record).against for record in refused)


@settings(max_examples=30)
@given(record=APPLICATIONS)
def test_shares_fall_and_with_what_is_not_named_make_the_whole(scorer: Scorer, record: dict[str, Any]) -> None:
    found = reasons(scorer, record)
    shares = [reason.share for reason in found.against]
    assert shares == sorted(shares, reverse=True)
    assert len(shares) <= MOST
    assert all(LEAST_SHARE <= share <= 1 for share in shares)
    assert sum(shares) + found.further_share == pytest.approx(1 if shares else 0)
    assert sum(factor.share for factor in found.in_favour) == pytest.approx(1 if found.in_favour else 0)
    assert (found.further == 0) == (found.further_share == 0)


def test_a_group_that_is_not_named_has_no_larger_share_than_any_that_is(scorer: Scorer) -> None:
    hidden = [found for record in denied(scorer) if (found := reasons(scorer, record)).further]
    assert hidden
    for found in hidden:
        smallest = found.against[-1].share
        assert found.further_share <= found.further * (smallest if len(found.against) == MOST else LEAST_SHARE)


@settings(max_examples=20)
@given(record=APPLICATIONS)
def test_the_same_application_has_the_same_reasons_to_the_last_byte(scorer: Scorer, record: dict[str, Any]) -> None:
    found = reasons(scorer, record).model_dump_json()
    assert reasons(scorer, dict(reversed(record.items()))).model_dump_json() == found
    assert reasons(replace(scorer, compiled=None), record).model_dump_json() == found


def test_among_others_an_application_has_the_log_odds_that_it_has_alone(scorer: Scorer) -> None:
    records = applications(scorer)
    alone = [scorer.log_odds([record])[0] for record in records]
    assert scorer.log_odds(records).tolist() == alone


def test_among_others_an_application_has_the_reasons_that_it_has_alone(scorer: Scorer) -> None:
    records = applications(scorer, 2 * AT_ONCE + 1)
    records[3] = typical(scorer)
    assert [*reasons_of_many(scorer, records)] == [reasons(scorer, record) for record in records]
    assert [*reasons_of_many(scorer, [])] == []


def test_a_stored_model_gives_the_reasons_that_it_gave_before(booster: Scorer, tmp_path: Path) -> None:
    booster.save(tmp_path)
    loaded = Scorer.load(tmp_path)
    for record in denied(booster):
        assert reasons(loaded, record) == reasons(booster, record)


def test_a_number_that_is_missing_in_a_frame_is_missing_as_in_a_request(booster: Scorer) -> None:
    record = typical(booster, monthly_income=None)
    assert reasons(booster, {**record, "monthly_income": np.nan}) == reasons(booster, record)


def test_whoever_differs_in_one_group_is_told_of_that_group_alone(booster: Scorer) -> None:
    found = reasons(booster, typical(booster, has_negative_record=True))
    (reason,) = found.against
    assert (reason.group, reason.share, reason.field) == ("history", 1.0, "has_negative_record")
    assert (reason.title, reason.field_title) == ("Histórico e restrição", "Restrição cadastral")
    assert reason.text == "Histórico de crédito curto ou restrição cadastral"
    assert (found.further, found.in_favour) == (0, ())


def test_a_missing_value_that_matters_has_a_text_of_its_own(booster: Scorer) -> None:
    assert texts(reasons(booster, typical(booster, monthly_income=None))) == ["Renda ou despesas não informadas"]
    assert texts(reasons(booster, typical(booster, monthly_income=300))) == ["Renda baixa em relação ao compromisso"]


def test_the_field_named_is_the_one_that_alone_takes_most_of_the_risk_back(scorer: Scorer) -> None:
    reference, seen = reference_values(scorer), set()
    for record in denied(scorer)[:40]:
        for reason in reasons(scorer, record).against:
            fields = [name for name in scorer.card.features if scorer.catalogue.fields[name].group == reason.group]
            switched = scorer.log_odds([{**record, name: reference[name]} for name in fields])
            left = dict(zip(fields, switched.tolist(), strict=True))
            assert left[reason.field] <= min(left.values()) + 1e-6
            seen.add(reason.field)
    assert len(seen) > 5


def test_of_groups_that_count_the_same_the_first_of_the_catalogue_comes_first(booster: Scorer) -> None:
    """Where a model adds up two fields that are alike, both groups count the same."""

    class Sum:
        def log_odds(self, records: Sequence[Record]) -> Floats:
            return np.array([record["assets_value"] + record["outstanding_debt"] for record in records], dtype=float)

    adding = replace(booster, compiled=cast(CompiledPipeline, Sum()))
    reference: dict[str, Any] = reference_values(booster)
    changes = {name: reference[name] + 5 for name in ("assets_value", "outstanding_debt")}
    found = reasons(adding, {**reference, **changes})
    assert [(reason.group, reason.share) for reason in found.against] == [("debts", 0.5), ("assets", 0.5)]


def test_what_speaks_for_an_approved_client_is_there_beside_what_speaks_against(booster: Scorer) -> None:
    found = reasons(booster, typical(booster, monthly_income=9000.0, has_negative_record=True))
    assert [factor.group for factor in found.in_favour] == ["income"]
    assert [reason.group for reason in found.against] == ["history"]


def test_fields_without_a_group_are_named_too() -> None:
    few, many = quickly_trained(made_up(6, rows=800)), quickly_trained(made_up(60, rows=800))
    found = reasons(few, dict.fromkeys(few.card.features, 3.0))
    assert found.against[0].text.startswith("number_")
    assert len(found.against) + found.further == 6
    (reason,) = reasons(many, dict.fromkeys(many.card.features, 3.0)).against
    assert reason.text == "Outros dados da proposta"
    assert reason.field.startswith("number_")


def test_a_model_from_before_there_were_reference_applicants_loads_and_says_why_it_gives_no_reasons(
    booster: Scorer, tmp_path: Path
) -> None:
    older = replace(booster, reference=booster.reference.model_copy(update={"applicants": ()}))
    older.save(tmp_path)
    with pytest.raises(ExplanationError, match=r"threshold 0\.3 \(it was trained before .*`credit-scoring train`"):
        reasons(Scorer.load(tmp_path), typical(booster))


def test_a_policy_with_another_threshold_compares_with_whom_it_approves(booster: Scorer) -> None:
    lowest = booster.reference.applicants[0]
    for threshold in (lowest.threshold, 0.1, 0.105, 0.5):
        other = replace(booster, policy=booster.policy.model_copy(update={"threshold": threshold}))
        assert other.score_records([reference_values(other)])[0] < threshold
    stricter = replace(booster, policy=booster.policy.model_copy(update={"threshold": lowest.threshold / 2}))
    with pytest.raises(ExplanationError, match=f"the lowest is for {lowest.threshold:g}"):
        reasons(stricter, lowest.values)


def test_reasons_can_be_described_without_scikit_learn_and_pandas() -> None:
    """What starts the workers describes the API and scores nothing."""
    code = "import sys, credit_scoring.explanation.reasons; print({'sklearn', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("set()\n", 0), done.stderr
