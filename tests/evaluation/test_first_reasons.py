"""Which reason comes first, in all and by group."""

from dataclasses import replace

import numpy as np

from credit_scoring.data.datasets import Dataset
from credit_scoring.evaluation.first_reasons import ALL, first_reasons, reason_warnings
from credit_scoring.evaluation.months import by_month
from credit_scoring.evaluation.performance import share
from credit_scoring.evaluation.results import FirstReason
from credit_scoring.model.scorer import Scorer


def test_every_denied_client_has_one_first_reason(scorer: Scorer, dataset: Dataset) -> None:
    part = dataset.rows(np.arange(400))
    found = list(first_reasons(scorer, part, scorer.score(part.frame), seed=1))
    of_all = [each for each in found if each.field == ALL]
    assert abs(sum(each.share.value for each in of_all) - 1) < 1e-9
    assert {each.field for each in found} <= {ALL, *dataset.catalogue.audit_fields}
    assert {each.reason for each in of_all} <= {*dataset.catalogue.groups}


def test_a_model_without_a_reference_applicant_has_none(scorer: Scorer, dataset: Dataset) -> None:
    older = replace(scorer, reference=scorer.reference.model_copy(update={"applicants": ()}))
    part = dataset.rows(np.arange(400))
    assert list(first_reasons(older, part, scorer.score(part.frame), seed=1)) == []


def test_a_reason_that_falls_on_one_group_far_more_often_is_a_warning() -> None:
    def reason(field: str, group: str, count: int) -> FirstReason:
        return FirstReason(reason="income", title="Renda", field=field, group=group, share=share(count, 100))

    usual, alike, more = reason(ALL, ALL, 20), reason("age", "18–24", 22), reason("age", "65–120", 60)
    (warning,) = reason_warnings([usual, alike, more])
    assert "age 65–120: 'Renda' is the first reason of" in warning


def test_months_are_told_where_the_days_of_decisions_are_known(scorer: Scorer, dataset: Dataset) -> None:
    part = dataset.rows(np.arange(400))
    risk = scorer.score(part.frame)
    assert list(by_month(part, risk, 0.3)) == []
    days = np.where(np.arange(400) < 150, np.datetime64("2026-01-15"), np.datetime64("2026-03-01"))
    january, march = by_month(replace(part, days=days), risk, 0.3)
    assert [(january.month, january.rows), (march.month, march.rows)] == [("2026-01", 150), ("2026-03", 250)]
