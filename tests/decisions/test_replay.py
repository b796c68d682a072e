"""Stored decisions scored again by real scorers: what is found when nothing has changed, and when something has."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sklearn.base import clone

from benchmarks.support.consorcio import FIELDS, ConsorcioApplication
from benchmarks.support.decision_records import ask, decided_by, origin_of, put
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.schemas import Answer, Application
from credit_scoring.data.datasets import Dataset
from credit_scoring.decisions import queries
from credit_scoring.decisions.queries import Record, Wanted
from credit_scoring.decisions.replay import Finding, Replayed, Summary, replay
from credit_scoring.errors import ModelNotFoundError
from credit_scoring.model.scorer import SCORE_TOLERANCE, Scorer
from credit_scoring.policy.policy import Policy

TAG, ANOTHER = "credit_scoring:one", "credit_scoring:another"
APPLICATIONS = 40


@pytest.fixture(scope="module")
def applications(dataset: Dataset) -> list[Application]:
    """Different clients."""
    rows = json.loads(dataset.frame.drop_duplicates().sample(APPLICATIONS, random_state=7).to_json(orient="records"))
    return [
        ConsorcioApplication.model_validate(
            {
                name: bool(value) if FIELDS[name].kind == "flag" else value
                for name, value in row.items()
                if value is not None
            }
        )
        for row in rows
    ]


@pytest.fixture(scope="module")
def records(scorer: Scorer, applications: list[Application], tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """Decisions of this scorer, as they come out of the log again, oldest first."""
    address = f"sqlite:///{tmp_path_factory.mktemp('replay')}/decisions.db"
    put(address, decided_by(scorer, TAG, applications), origin=origin_of(scorer, TAG))
    return ask(address, partial(queries.latest, Wanted(), APPLICATIONS), reading=True)[::-1]


@pytest.fixture(scope="module")
def changed(scorer: Scorer, dataset: Dataset) -> Scorer:
    """A scorer of the same form that has learned the opposite."""
    pipeline = clone(scorer.pipeline).fit(dataset.frame[list(scorer.card.features)], ~dataset.defaulted)
    return replace(scorer, pipeline=pipeline)


def stricter(scorer: Scorer) -> Scorer:
    """The same scorer with a policy under which everybody is denied."""
    return replace(scorer, policy=Policy(threshold=0.001, costs=scorer.policy.costs))


class Shelf:
    """Models by their tag; remembers which were asked for."""

    def __init__(self, **scorers: Scorer) -> None:
        self.scorers = {f"credit_scoring:{version}": scorer for version, scorer in scorers.items()}
        self.asked: list[str] = []

    def __call__(self, tag: str) -> Scorer:
        self.asked.append(tag)
        if tag not in self.scorers:
            raise ModelNotFoundError(tag)
        return self.scorers[tag]


def findings(replayed: Sequence[Replayed]) -> set[Finding]:
    assert replayed
    return {each.finding for each in replayed}


def test_nothing_has_changed_where_the_same_model_scores_on_the_same_machine(
    scorer: Scorer, records: list[Record]
) -> None:
    found = list(replay(records, Shelf(one=scorer)))
    assert findings(found) == {Finding.SAME}
    assert [each.decision_id for each in found] == [record["id"] for record in records]
    assert {each.decision for each in found} == {"APROVADO", "NEGADO"}
    for each, record in zip(found, records, strict=True):
        assert (each.decision, each.risk_probability) == (record["decision"], record["risk_probability"])
        assert (each.new_decision, each.new_risk_probability) == (record["decision"], record["risk_probability"])


def test_another_risk_by_the_same_model_means_that_the_environment_has_changed(
    changed: Scorer, records: list[Record]
) -> None:
    for tag in (None, TAG):
        assert findings(list(replay(records, Shelf(one=changed), tag))) == {Finding.ENVIRONMENT}


def test_another_risk_by_another_model_means_that_the_model_has_changed(
    scorer: Scorer, changed: Scorer, records: list[Record]
) -> None:
    shelf = Shelf(one=scorer, another=changed)
    found = list(replay(records, shelf, ANOTHER))
    assert findings(found) == {Finding.MODEL}
    assert shelf.asked == [ANOTHER]
    for each in found:
        assert each.new_risk_probability is not None
        is_denied = each.new_risk_probability >= changed.policy.threshold
        assert each.new_decision == ("NEGADO" if is_denied else "APROVADO")


def test_another_model_that_scores_and_decides_the_same_has_changed_nothing(
    scorer: Scorer, records: list[Record]
) -> None:
    assert findings(list(replay(records, Shelf(another=scorer), ANOTHER))) == {Finding.SAME}


def test_the_same_risk_under_another_policy_means_that_the_policy_has_changed(
    scorer: Scorer, records: list[Record]
) -> None:
    found = list(replay(records, Shelf(another=stricter(scorer)), ANOTHER))
    assert findings(found) == {Finding.POLICY}
    assert {each.new_decision for each in found} == {Answer.DENIED}
    assert [each.new_risk_probability for each in found] == [each.risk_probability for each in found]


def test_where_risk_and_policy_both_differ_the_risk_is_what_is_told(changed: Scorer, records: list[Record]) -> None:
    assert findings(list(replay(records, Shelf(another=stricter(changed)), ANOTHER))) == {Finding.MODEL}


def test_of_a_model_that_is_not_in_the_store_only_the_decision_of_then_is_told(records: list[Record]) -> None:
    found = list(replay(records, Shelf()))
    assert findings(found) == {Finding.NO_MODEL}
    assert {(each.new_decision, each.new_risk_probability) for each in found} == {(None, None)}
    assert [each.risk_probability for each in found] == [record["risk_probability"] for record in records]


def test_each_decision_is_replayed_by_the_model_that_gave_it(
    scorer: Scorer, changed: Scorer, records: list[Record]
) -> None:
    models = [TAG, ANOTHER, "credit_scoring:lost"]
    page = [{**record, "model": models[place % 3]} for place, record in enumerate(records)]
    shelf = Shelf(one=scorer, another=changed)
    by_id = {each.decision_id: each.finding for each in replay(page, shelf)}
    expected = {TAG: Finding.SAME, ANOTHER: Finding.ENVIRONMENT, "credit_scoring:lost": Finding.NO_MODEL}
    assert by_id == {record["id"]: expected[record["model"]] for record in page}
    assert sorted(shelf.asked) == sorted(models)


@pytest.mark.parametrize(
    ("off_by", "finding"), [(SCORE_TOLERANCE / 2, Finding.SAME), (SCORE_TOLERANCE * 2, Finding.ENVIRONMENT)]
)
def test_a_risk_counts_as_the_same_within_what_a_saved_model_is_allowed(
    scorer: Scorer, records: list[Record], off_by: float, finding: Finding
) -> None:
    page = [{**record, "risk_probability": record["risk_probability"] + off_by} for record in records]
    assert findings(list(replay(page, Shelf(one=scorer)))) == {finding}


def test_what_the_model_saw_counts_and_not_what_was_received(scorer: Scorer, records: list[Record]) -> None:
    page = [{**record, "received": '{"credit_letter_value": 1.0, "age": 18}'} for record in records]
    assert findings(list(replay(page, Shelf(one=scorer)))) == {Finding.SAME}


def test_a_field_that_the_old_model_did_not_look_at_is_taken_as_it_was_received(
    scorer: Scorer, records: list[Record]
) -> None:
    def without_the_last_field(record: Record) -> Record:
        shorter: dict[str, Any] = {name: json.dumps(json.loads(record[name])[:-1]) for name in ("features", "seen")}
        return {**record, **shorter}

    page = [without_the_last_field(record) for record in records]
    assert findings(list(replay(page, Shelf(one=scorer)))) == {Finding.SAME}


def test_an_application_that_the_other_models_catalogue_does_not_allow_is_counted_and_not_scored(
    scorer: Scorer, records: list[Record]
) -> None:
    content = scorer.catalogue.model_dump()
    content["fields"]["housing"] |= {"kind": "number", "values": {}, "meanings": {}, "example": None}
    other = replace(scorer, catalogue=Catalogue.model_validate(content))
    housed = [record for record in records if json.loads(record["received"]).get("housing")]
    found = list(replay(housed, Shelf(another=other), ANOTHER))
    assert findings(found) == {Finding.REJECTED}
    assert [each.decision_id for each in found] == [record["id"] for record in housed]
    assert {(each.new_decision, each.new_risk_probability) for each in found} == {(None, None)}


def test_an_application_that_the_other_models_catalogue_allows_is_scored_beside_one_that_it_does_not(
    scorer: Scorer, records: list[Record]
) -> None:
    content = scorer.catalogue.model_dump()
    ages = [json.loads(record["received"])["age"] for record in records]
    content["fields"]["age"]["at_least"] = min(ages) + 1
    content["fields"]["age"]["example"] = max(ages)
    other = replace(scorer, catalogue=Catalogue.model_validate(content))
    counted = Counter(each.finding for each in replay(records, Shelf(another=other), ANOTHER))
    assert counted == {Finding.REJECTED: ages.count(min(ages)), Finding.SAME: APPLICATIONS - ages.count(min(ages))}


def test_a_replay_of_nothing_finds_nothing() -> None:
    assert list(replay([], Shelf())) == []


def test_a_summary_counts_findings_and_how_many_would_be_decided_otherwise(
    scorer: Scorer, records: list[Record]
) -> None:
    summary = Summary()
    summary.add(replay(records, Shelf(another=stricter(scorer)), ANOTHER))
    summary.add(replay(records[:3], Shelf(one=scorer)))
    summary.add(replay(records[:2], Shelf()))
    approved = sum(record["decision"] == Answer.APPROVED for record in records)
    assert summary.findings == {Finding.POLICY: APPLICATIONS, Finding.SAME: 3, Finding.NO_MODEL: 2}
    assert summary.reversed == Counter({Finding.POLICY: approved})
