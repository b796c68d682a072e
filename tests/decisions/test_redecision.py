"""History decided again by real scorers from real logs: nothing differs, until somebody has changed something."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sqlalchemy import Connection

from benchmarks.support.consorcio import CATALOGUE, EXAMPLE_APPLICATION, FIELDS, ConsorcioApplication
from benchmarks.support.decision_records import ask, decided_by, origin_of, put, tamper
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.schemas import Answer, Application
from credit_scoring.data.datasets import Dataset
from credit_scoring.decisions import dossiers, outcomes, policy_of_the_day, queries
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.outcomes import Outcome, OutcomeReport
from credit_scoring.decisions.policy_of_the_day import DIFFERENCES_KEPT
from credit_scoring.decisions.queries import Wanted
from credit_scoring.decisions.redecision import WHAT_DECIDES, Redecided, Redecision
from credit_scoring.decisions.writer import Origin
from credit_scoring.errors import DecisionLogError, ModelNotFoundError
from credit_scoring.model.scorer import Scorer
from credit_scoring.model.stored_policy import StoredPolicy
from credit_scoring.policy.evaluator import ANSWERS
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.rules import Rule
from tests.decisions.test_erasure import erased

TAG, ANOTHER = "credit_scoring:one", "credit_scoring:another"
APPLICATIONS = 40
INCOME = 987_654.32  # a value to look for where no value may be
RULES = (
    Rule.model_validate(
        {
            "id": "RESTRICAO",
            "when": {"field": "has_negative_record", "in": [True]},
            "if_missing": "review",
            "then": "review",
            "reason": "Restrição cadastral",
        }
    ),
    Rule.model_validate(
        {
            "id": "PARCELA",
            "when": {"field": "instalment_over_income", "above": 0.2},
            "if_missing": "pass",
            "then": "deny",
            "reason": "Parcela acima da renda",
        }
    ),
)


@pytest.fixture(scope="module")
def ruled(scorer: Scorer) -> Scorer:
    """The scorer under rules and a band of its own."""
    policy = Policy(threshold=0.4, review_from=0.3, costs=scorer.policy.costs, rules=RULES)
    return replace(scorer, policy=policy)


@pytest.fixture(scope="module")
def another(ruled: Scorer, dataset: Dataset) -> Scorer:
    """A scorer that has learned the opposite."""
    pipeline = clone(ruled.pipeline).fit(dataset.frame[list(ruled.card.features)], ~dataset.defaulted)
    return replace(ruled, pipeline=pipeline, compiled=None)


@pytest.fixture(scope="module")
def applications(dataset: Dataset) -> list[Application]:
    """Different clients."""
    rows = json.loads(dataset.frame.drop_duplicates().sample(APPLICATIONS, random_state=3).to_json(orient="records"))
    return [ConsorcioApplication.model_validate(_as_sent(row)) for row in rows]


def _as_sent(row: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: value for name, value in row.items() if value is not None}
    return {name: bool(value) if FIELDS[name].kind == "flag" else value for name, value in known.items()}


def _today() -> date:
    return datetime.now(UTC).date()


class Store:
    """What is kept of models, by their version."""

    def __init__(self, **scorers: Scorer) -> None:
        self._held = {f"credit_scoring:{version}": scorer for version, scorer in scorers.items()}

    def __call__(self, tag: str) -> StoredPolicy:
        if tag not in self._held:
            raise ModelNotFoundError(tag)
        return stored(self._held[tag])


def stored(scorer: Scorer) -> StoredPolicy:
    """As it lies in the store; the pipeline's object stands for its file."""
    return StoredPolicy(scorer.policy, scorer.catalogue, str(id(scorer.pipeline)))


def redecide(address: str, scorer: Scorer, store: Store) -> tuple[Redecision, list[Redecided]]:
    """All of the log again, the new policy being that of the scorer."""
    origins = partial(ask, address, policy_of_the_day.origins, reading=True)
    redecision = Redecision(scorer, stored(scorer).pipeline, origins, store)
    database = open_database(address, timeout=60)
    parts = [part for chunk in queries.chunks(database, Wanted(), WHAT_DECIDES) for part in redecision(chunk)]
    return redecision, parts


def answers(parts: Sequence[Redecided]) -> list[str]:
    """The answers of the new policy."""
    return [ANSWERS[code] for part in parts for code in part.severities.max(axis=1)]


def waits_for_people(decision: str, connection: Connection) -> bool:
    return dossiers.find(decision, connection).decision is Answer.REVIEW


class TestUnchanged:
    def test_history_differs_in_nothing_and_the_same_policy_answers_as_on_record(
        self, address: str, ruled: Scorer, applications: list[Application]
    ) -> None:
        entries = decided_by(ruled, TAG, applications)
        put(address, entries, origin=origin_of(ruled, TAG))
        redecision, parts = redecide(address, ruled, Store(one=ruled))
        assert redecision.history.differing == 0
        assert redecision.history.policies == {(ruled.policy.version, TAG): APPLICATIONS}
        recorded = [entry.decision for entry in entries]
        assert answers(parts) == [ANSWERS[code] for part in parts for code in part.was]
        assert answers(parts) == [each.decision for each in recorded]
        assert {*answers(parts)} == {*ANSWERS}, "the policy gives all three answers, or this proves little"
        assert np.concatenate([part.risk for part in parts]).tolist() == [each.risk_probability for each in recorded]
        assert (redecision.rescored, redecision.rejected) == (0, 0)

    def test_what_was_erased_is_passed_over(self, address: str, ruled: Scorer, applications: list[Application]) -> None:
        ids = put(address, decided_by(ruled, TAG, applications), origin=origin_of(ruled, TAG))
        decided = [id for id in ids if not ask(address, partial(waits_for_people, id), reading=True)]
        erased(address, decided[0])
        redecision, parts = redecide(address, ruled, Store(one=ruled))
        assert (redecision.erased, redecision.history.differing) == (1, 0)
        assert len(answers(parts)) == APPLICATIONS - 1

    def test_exposure_outcomes_and_audit_fields_come_along(
        self, address: str, ruled: Scorer, applications: list[Application]
    ) -> None:
        ids = put(address, decided_by(ruled, TAG, applications[:3]), origin=origin_of(ruled, TAG))
        for id, outcome in zip(ids[:2], (Outcome.PAID, Outcome.DEFAULTED), strict=True):
            report = OutcomeReport(decision_id=id, outcome=outcome, observed_on=_today())
            ask(address, partial(outcomes.record, [report], ""))
        _, (part,) = redecide(address, ruled, Store(one=ruled))
        assert part.exposure.tolist() == [each.__dict__["credit_letter_value"] for each in applications[:3]]
        assert part.defaulted[:2].tolist() == [0, 1]
        assert np.isnan(part.defaulted[2])
        assert part.audit["age"].tolist() == [each.__dict__["age"] for each in applications[:3]]
        assert part.audit["marital_status"].tolist() == [each.__dict__["marital_status"] for each in applications[:3]]

    def test_decisions_without_a_policy_on_record_are_decided_by_the_stored_models(
        self, address: str, ruled: Scorer, applications: list[Application]
    ) -> None:
        without = replace(origin_of(ruled, TAG), policy=None, catalogue=None)
        put(address, decided_by(ruled, TAG, applications), origin=without)
        assert redecide(address, ruled, Store(one=ruled))[0].history.differing == 0
        gone = redecide(address, ruled, Store())[0].history
        assert gone.differing > 0, "without the model only the threshold is on record"

    def test_decisions_of_a_version_before_rules_are_decided_by_the_threshold_on_record(
        self, address: str, scorer: Scorer, ruled: Scorer, applications: list[Application]
    ) -> None:
        without = replace(origin_of(scorer, TAG), policy=None, catalogue=None)
        put(address, decided_by(scorer, TAG, applications), origin=without)
        redecision, parts = redecide(address, ruled, Store())
        assert redecision.history.differing == 0
        assert len(answers(parts)) == APPLICATIONS

    def test_rules_of_a_model_that_is_gone_are_read_by_an_equal_catalogue_and_by_no_other(
        self, address: str, ruled: Scorer, applications: list[Application]
    ) -> None:
        put(address, decided_by(ruled, TAG, applications), origin=origin_of(ruled, TAG))
        assert redecide(address, ruled, Store())[0].history.differing == 0
        content = {**CATALOGUE.model_dump(), "name": "other"}
        other = replace(ruled, catalogue=Catalogue.model_validate(content))
        history = redecide(address, other, Store())[0].history
        assert history.differing == APPLICATIONS
        assert f"fields of {TAG}, which is not in the store" in history.differences[0].found

    def test_workers_that_decide_alike_share_one_origin(
        self, address: str, ruled: Scorer, applications: list[Application]
    ) -> None:
        for each in applications[:3]:
            put(address, decided_by(ruled, TAG, [each]), origin=origin_of(ruled, TAG))
        found = ask(address, policy_of_the_day.origins, reading=True)
        assert len(found) == 3
        assert len({id(each) for each in found.values()}) == 1

    def test_a_worker_that_starts_meanwhile_is_asked_for(
        self, address: str, ruled: Scorer, applications: list[Application]
    ) -> None:
        seen: list[int] = []

        def origins() -> Mapping[str, Origin]:
            found = ask(address, policy_of_the_day.origins, reading=True)
            seen.append(len(found))
            return found

        redecision = Redecision(ruled, stored(ruled).pipeline, origins, Store(one=ruled))
        for each in applications[:2]:
            put(address, decided_by(ruled, TAG, [each]), origin=origin_of(ruled, TAG))
            (chunk,) = queries.chunks(open_database(address, timeout=60), Wanted(), WHAT_DECIDES)
            assert sum(len(part.was) for part in redecision(chunk)) == len(chunk)
        assert seen == [1, 2]


class TestAnotherModel:
    def test_its_decisions_are_scored_again_as_received(
        self, address: str, ruled: Scorer, another: Scorer, applications: list[Application]
    ) -> None:
        put(address, decided_by(ruled, TAG, applications), origin=origin_of(ruled, TAG))
        redecision, parts = redecide(address, another, Store(one=ruled, another=another))
        assert redecision.history.differing == 0
        assert redecision.rescored == APPLICATIONS
        expected = another.score_records([each.__dict__ for each in applications])
        assert np.concatenate([part.risk for part in parts]).tolist() == expected.tolist()

    def test_applications_that_its_catalogue_does_not_allow_are_left_out_and_counted(
        self, address: str, ruled: Scorer, another: Scorer, applications: list[Application]
    ) -> None:
        put(address, decided_by(ruled, TAG, applications), origin=origin_of(ruled, TAG))
        middle = sorted(each.__dict__["age"] for each in applications)[APPLICATIONS // 2]
        content = CATALOGUE.model_dump()
        content["fields"]["age"] |= {"at_most": middle, "example": middle}
        narrow = replace(another, catalogue=Catalogue.model_validate(content))
        redecision, parts = redecide(address, narrow, Store(one=ruled))
        older = sum(each.__dict__["age"] > middle for each in applications)
        assert 0 < older == redecision.rejected
        assert len(answers(parts)) == redecision.rescored == APPLICATIONS - older


TAMPERED = {
    "the answer": "UPDATE decisions SET decision = 'APROVADO' WHERE id = '{denied}'",
    "the rules": """UPDATE decisions SET rules = '["PARCELA","X"]' WHERE id = '{denied}'""",
    "the rules, which are gone": "UPDATE decisions SET rules = NULL WHERE id = '{denied}'",
    "the risk": "UPDATE decisions SET risk_probability = 0.99 WHERE id = '{approved}'",
    "what the model saw": "UPDATE decisions SET seen = '[987654.32' WHERE id = '{denied}'",
    "what was received": """UPDATE decisions SET received = 'monthly_income: 987654.32' WHERE id = '{approved}'""",
    "a value": """UPDATE decisions SET seen = replace(seen, '987654.32', '"x987654.32"') WHERE id = '{denied}'""",
}


class TestTampered:
    @pytest.fixture
    def ids(self, address: str, ruled: Scorer) -> dict[str, str]:
        """A log of one client who is denied by a rule, and one who is approved."""
        common = {**EXAMPLE_APPLICATION, "has_negative_record": False, "monthly_income": INCOME}
        base = [
            {**common, "credit_letter_value": 0.5 * INCOME, "term_months": 1},
            {**common, "credit_letter_value": 20_000.0, "term_months": 100},
        ]
        low = replace(ruled, policy=Policy(threshold=0.98, costs=ruled.policy.costs, rules=RULES))
        entries = decided_by(low, TAG, [ConsorcioApplication.model_validate(each) for each in base])
        assert [each.decision.decision for each in entries] == ["NEGADO", "APROVADO"]
        self.scorer = low
        denied, approved = put(address, entries, origin=origin_of(low, TAG))
        return {"denied": denied, "approved": approved}

    @pytest.mark.parametrize("what", TAMPERED)
    def test_a_decision_that_was_altered_is_found_and_no_value_of_it_shown(
        self, address: str, ids: dict[str, str], what: str
    ) -> None:
        tamper(address, TAMPERED[what].format(**ids))
        redecision, parts = redecide(address, self.scorer, Store(one=self.scorer))
        history = redecision.history
        changed = ids["denied"] if "{denied}" in TAMPERED[what] else ids["approved"]
        assert [each.decision_id for each in history.differences] == [changed]
        assert history.differing == 1
        assert "987654" not in str(history)
        assert parts == [], "nothing is decided under the new policy"

    def test_a_policy_that_was_altered_differs_for_all_that_it_decided(self, address: str, ids: dict[str, str]) -> None:
        tamper(address, "UPDATE writers SET policy = replace(policy, '0.2', '0.7')")
        history = redecide(address, self.scorer, Store(one=self.scorer))[0].history
        assert history.differing == len(ids)
        assert f"but it names {self.scorer.policy.version}" in history.differences[0].found

    def test_a_policy_that_cannot_be_read_is_said_to_be_so(self, address: str, ids: dict[str, str]) -> None:
        tamper(address, "UPDATE writers SET policy = '{}'")
        history = redecide(address, self.scorer, Store(one=self.scorer))[0].history
        assert {each.found for each in history.differences} == {"its policy on record cannot be read"}

    def test_a_worker_that_is_gone_from_the_record_is_named_by_a_decision(
        self, address: str, ids: dict[str, str]
    ) -> None:
        tamper(address, "DELETE FROM writers")
        with pytest.raises(DecisionLogError, match=f"{ids['denied']}: the worker that gave it is not on record"):
            redecide(address, self.scorer, Store(one=self.scorer))

    def test_features_that_cannot_be_read_are_said_to_be_so(self, address: str, ids: dict[str, str]) -> None:
        tamper(address, "UPDATE writers SET features = '['")
        with pytest.raises(DecisionLogError, match="the names of its features cannot be read"):
            redecide(address, self.scorer, Store(one=self.scorer))

    def test_what_only_the_new_policy_reads_and_cannot_is_said_without_its_value(
        self, address: str, scorer: Scorer
    ) -> None:
        entries = decided_by(scorer, TAG, [ConsorcioApplication.model_validate(EXAMPLE_APPLICATION)])
        put(address, entries, origin=origin_of(scorer, TAG))
        tamper(address, """UPDATE decisions SET received = '{"age": "x987654"}'""")
        with pytest.raises(DecisionLogError, match="has an application that cannot be read") as found:
            redecide(address, scorer, Store(one=scorer))
        assert "987654" not in str(found.value)

    def test_of_many_differences_all_are_counted_and_the_first_ones_kept(
        self, address: str, ruled: Scorer, applications: list[Application]
    ) -> None:
        ids = put(address, decided_by(ruled, TAG, applications), origin=origin_of(ruled, TAG))
        tamper(address, """UPDATE decisions SET rules = '["X"]'""")
        history = redecide(address, ruled, Store(one=ruled))[0].history
        assert history.differing == APPLICATIONS
        assert [each.decision_id for each in history.differences] == ids[:DIFFERENCES_KEPT]
