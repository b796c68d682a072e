"""One decision erased, on both kinds of database: what goes, what stays, and that any tampering still shows."""

import csv
import json
import re
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, text

from benchmarks.support.decision_records import ORIGIN, TIMEOUT_S, ask, entry, purge, put, rows_in
from benchmarks.support.postgres import Postgres
from credit_scoring.decisions import (
    dossiers,
    events,
    explanations,
    group_ends,
    lookup,
    outcomes,
    queries,
    reviews,
    tables,
)
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.dossiers import Dossier
from credit_scoring.decisions.erased import band
from credit_scoring.decisions.erasure import Candidate, Order, candidates, erase
from credit_scoring.decisions.explained import on_record
from credit_scoring.decisions.group_ends import Report
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.lookup import Lookup
from credit_scoring.decisions.outcomes import Outcome, OutcomeReport
from credit_scoring.decisions.queries import Wanted
from credit_scoring.decisions.replay import Finding, replay
from credit_scoring.decisions.reviews import ReviewStep, Step
from credit_scoring.decisions.verification import verify
from credit_scoring.errors import DecisionLogError, ModelNotFoundError, RequestError
from credit_scoring.monitoring import track_record
from tests.conftest import make_sqlite_log
from tests.decisions.test_effective import again, take
from tests.decisions.test_verification import MARK, blank, forge, tamper
from tests.support.command_line import error_here, run_here

TODAY = datetime.now(UTC).date()
LONG_OVER = date(TODAY.year - 6, 1, 31)  # an end of a group after which nothing has to be kept any more
ORDER = Order("The client asked for it.", "dpo", "Never joined a group.")
INCOME, WORDS = 987_654_321, "Palavras do cliente."
applied = partial(entry, application_id="P-ERASE", asked_by="loja/caixa", monthly_income=INCOME)


@pytest.fixture
def block(address: str) -> list[str]:
    """Three decisions of one block, the middle one with much that followed, and a block after it."""
    ids = put(address, [entry(application_id="P-1"), applied(0.47), entry(application_id="P-3")])
    put(address, [entry(), entry()])
    _follow(address, ids[1])
    return ids


def _follow(address: str, decision: str) -> None:
    report = OutcomeReport(decision_id=decision, outcome=Outcome.PAID, observed_on=TODAY)
    ask(address, partial(outcomes.record, [report], "collections"))
    for step in (Step.REQUESTED, Step.REVERSED):
        taken = ReviewStep(step=step, reason=WORDS, reviewer="" if step is Step.REQUESTED else "Ana")
        ask(address, partial(reviews.record, decision, taken, "desk"))
    content = json.dumps({"decision_id": decision, "decision": "NEGADO", "rules": [], "score": None})
    ask(address, partial(explanations.keep, {decision: content}, {decision: "loja"}))


def found(address: str, name: str, owner: str | None = None) -> list[Candidate]:
    return ask(address, partial(candidates, name, owner), reading=True)


def erased(address: str, name: str, order: Order = ORDER) -> str:
    wanted = found(address, name)
    ask(address, partial(erase, wanted, order, TODAY))
    return wanted[0].decision_id


def problems(address: str) -> list[str]:
    return ask(address, verify, reading=True).problems


def dossier(address: str, decision: str) -> Dossier:
    return ask(address, partial(dossiers.find, decision), reading=True)


def every_text(address: str) -> str:
    """All that is stored, as text."""

    def work(connection: Connection) -> str:
        names = (
            "decisions",
            "claims",
            "namesakes",
            "outcomes",
            "reviews",
            "explanations",
            "looks",
            "events",
            "erasures",
        )
        return "\n".join(str(row) for name in names for row in connection.execute(text(f"SELECT * FROM {name}")))

    return ask(address, work, reading=True)


# What goes and what stays


def test_what_tells_of_the_applicant_is_gone_and_the_log_verifies(address: str, block: list[str]) -> None:
    before = every_text(address)
    assert all(value in before for value in (str(INCOME), WORDS, "P-ERASE", "PAID", "0.47"))
    assert erased(address, "P-ERASE") == block[1]
    after = every_text(address)
    assert not any(value in after for value in (str(INCOME), WORDS, "P-ERASE", "PAID", "0.47"))
    verdict = ask(address, verify, reading=True)
    assert (verdict.decisions, verdict.erased, verdict.problems) == (5, 1, [])


def test_a_dossier_says_when_why_and_by_whom_and_what_is_left(address: str, block: list[str]) -> None:
    before = dossier(address, block[1])
    left = dossier(address, erased(address, "P-ERASE"))
    assert left.erased
    assert (left.erased.reason, left.erased.erased_by) == (ORDER.reason, "dpo")
    assert left.erased.legal_basis_ended == ORDER.legal_basis_ended
    assert (left.received, left.seen, left.missing, left.rules, left.outcomes) == ({}, {}, [], [], [])
    assert (left.application_id, left.reasons, left.risk_probability) == (None, None, 0.4)
    for name in ("decision", "effective_decision", "decided_at", "model", "threshold", "asked_by", "batch_hash"):
        assert getattr(left, name) == getattr(before, name)
    steps = [(each.step, each.reason, each.recorded_by) for each in left.reviews]
    assert steps == [(Step.REQUESTED, "", "desk"), (Step.REVERSED, "", "desk")]
    assert before.reviews[0].review_id == left.reviews[0].review_id


@pytest.mark.parametrize(("risk", "left"), [(0.0, 0.0), (0.3, 0.3), (0.47, 0.4), (0.999, 0.9), (1.0, 0.9)])
def test_of_a_risk_its_tenth_is_left(risk: float, left: float) -> None:
    assert band(risk) == left


def test_the_application_id_is_free_for_a_new_decision(address: str, block: list[str]) -> None:
    erased(address, "P-ERASE")
    new = applied(0.1)
    assert again(address, new) == [new.decision]
    assert problems(address) == []


def test_an_id_that_other_owners_share_goes_on_answering_to_them(address: str) -> None:
    mine, theirs = put(address, [entry(application_id="S", asked_by=owner) for owner in ("loja", "banco")])
    assert [each.decision_id for each in found(address, "S", "loja")] == [mine]
    with pytest.raises(RequestError, match="2 owners"):
        found(address, "S")
    ask(address, partial(erase, found(address, mine), ORDER, TODAY))
    (answer,) = again(address, entry(0.9, application_id="S", asked_by="banco"))
    assert getattr(answer, "decision_id", None) == theirs
    assert problems(address) == []


def test_of_an_application_that_was_decided_twice_both_decisions_go_or_the_other_one_answers(address: str) -> None:
    """Under best_effort two workers may have answered while the log was away."""
    one, other = entry(application_id="T"), entry(application_id="T")
    long_ago = datetime(2025, 1, 1, tzinfo=UTC)
    ids = [*put(address, [one], at=long_ago), *put(address, [other], at=long_ago)]
    erased(address, ids[0])
    assert problems(address) == []
    (answer,) = again(address, entry(0.9, application_id="T"))
    assert getattr(answer, "decision_id", None) == ids[1]
    erased(address, "T")
    assert problems(address) == []


@pytest.mark.parametrize("owner", ["loja", "banco"])
def test_of_an_application_that_was_decided_twice_the_later_decision_goes_alone(address: str, owner: str) -> None:
    """`loja` has the first claim for the id, `banco` a namesake; the second decision of each answers for nothing."""
    at = datetime(2025, 1, 1, tzinfo=UTC)
    first = {each: put(address, [entry(application_id="T", asked_by=each)], at=at)[0] for each in ("loja", "banco")}
    (later,) = put(address, [entry(application_id="T", asked_by=owner)], at=at)
    erased(address, later)
    assert (rows_in(address, "claims"), rows_in(address, "namesakes"), problems(address)) == (1, 1, [])
    (answer,) = again(address, entry(0.9, application_id="T", asked_by=owner))
    assert getattr(answer, "decision_id", None) == first[owner]


def test_several_of_one_block_can_be_erased_one_after_the_other(address: str, block: list[str]) -> None:
    for decision in (block[2], block[0], block[1]):
        erased(address, decision)
        assert problems(address) == []
    assert ask(address, verify, reading=True).erased == 3


def test_an_erased_decision_can_be_purged(address: str, block: list[str]) -> None:
    erased(address, "P-ERASE")
    assert purge(address, datetime.now(UTC) + timedelta(seconds=1)) == 5
    assert (problems(address), rows_in(address, "erasures")) == ([], 0)


def test_sqlite_keeps_no_copy_of_it_in_its_files(tmp_path: Path) -> None:
    address = make_sqlite_log(tmp_path)
    put(address, [entry(), applied(0.47), entry()])
    _follow(address, found(address, "P-ERASE")[0].decision_id)
    assert _stored_bytes(tmp_path, str(INCOME))
    assert run_erase(address, "P-ERASE", "--yes").exit_code == 0
    for value in (str(INCOME), "P-ERASE", WORDS):
        assert not _stored_bytes(tmp_path, value)


def _stored_bytes(folder: Path, value: str) -> list[Path]:
    return [path for path in folder.glob("decisions.db*") if value.encode() in path.read_bytes()]


# Who may be erased


def refusal(address: str, name: str, order: Order = ORDER) -> RequestError:
    with pytest.raises(RequestError) as caught:
        erased(address, name, order)
    return caught.value


WITHOUT_BASIS = Order("The client asked for it.", "dpo")


def report_end(address: str, decision: str, ends_on: date) -> None:
    ask(
        address,
        partial(group_ends.record, [Report(1, decision, ends_on)], by_application=False, owner=None, by="backoffice"),
    )


def test_what_may_have_to_be_kept_is_refused_unless_it_is_said_why_not(address: str, block: list[str]) -> None:
    refused = refusal(address, "P-ERASE", WITHOUT_BASIS)
    assert (refused.kind, "no end of its group is on record" in str(refused)) == ("kept", True)
    report_end(address, block[1], date(TODAY.year + 1, 1, 31))
    assert f"(Resolução BCB 285/2023): until {TODAY.year + 6}-01-31" in str(refusal(address, "P-ERASE", WITHOUT_BASIS))
    assert str(INCOME) in every_text(address)
    report_end(address, block[1], LONG_OVER)
    erased(address, "P-ERASE", WITHOUT_BASIS)
    assert problems(address) == []


def test_what_has_to_be_kept_by_an_end_on_record_is_refused_whatever_is_said(address: str, block: list[str]) -> None:
    report_end(address, block[1], date(TODAY.year + 14, 1, 31))
    refused = str(refusal(address, "P-ERASE"))
    assert f"until {TODAY.year + 19}-01-31. If that end is wrong, report the right one" in refused
    assert "--legal-basis-ended" not in refused
    assert (rows_in(address, "erasures"), str(INCOME) in every_text(address)) == (0, True)
    report_end(address, block[1], LONG_OVER)
    erased(address, "P-ERASE")
    assert problems(address) == []


def test_the_end_of_its_group_goes_as_well(address: str, block: list[str]) -> None:
    report_end(address, block[1], LONG_OVER)
    erased(address, "P-ERASE")
    assert (rows_in(address, "group_ends"), problems(address)) == (0, [])
    assert purge(address, datetime.now(UTC) + timedelta(seconds=1)) == 5
    assert problems(address) == []


def test_what_waits_for_people_was_erased_or_is_not_on_record_is_refused(address: str, block: list[str]) -> None:
    take(address, block[0], "REQUESTED")
    assert "waits for people" in str(refusal(address, "P-1"))
    erased(address, "P-ERASE")
    assert refusal(address, block[1]).kind == "erased"
    assert refusal(address, "P-ERASE").status == refusal(address, new_id()).status == 404


def test_nothing_more_is_added_to_what_was_erased(address: str, block: list[str]) -> None:
    decision = erased(address, "P-ERASE")
    step = ReviewStep(step=Step.REQUESTED, reason="Why?")
    for work in (partial(reviews.record, decision, step, ""), partial(on_record, decision)):
        with pytest.raises(RequestError) as caught:
            ask(address, work)
        assert caught.value.kind == "erased"
    report = OutcomeReport(decision_id=decision, outcome=Outcome.PAID, observed_on=TODAY)
    (answer,) = ask(address, partial(outcomes.record, [report], ""))
    assert isinstance(answer, RequestError)
    ask(address, partial(explanations.keep, {decision: '{"late":true}'}, {decision: ""}))
    assert rows_in(address, "explanations") == 0


# Tampering


BLOCK_OF = "(writer, batch) IN (SELECT writer, batch FROM erasures)"
HELD = f"{BLOCK_OF} AND received <> '{MARK}'"
LEFT = f"received = '{MARK}'"
COPIED = (
    "INSERT INTO erasures SELECT '00000000-0000-7000-8000-000000000000', '00000000-0000-7000-8000-000000000001', "
    "writer, batch + 1, hash, rows_before, rows_after, followed, reason, legal_basis_ended, erased_at, erased_by "
    "FROM erasures"
)
NO_CLAIM = f"DELETE FROM claims WHERE decision IN (SELECT id FROM decisions WHERE {HELD})"

TAMPERINGS: dict[str, tuple[list[str], str]] = {
    "a second row of the block removed": (
        [NO_CLAIM, f"DELETE FROM decisions WHERE {HELD} AND application_id = 'P-1'"],
        "block 1: 2 decisions, 3 were stored",
    ),
    "what is left of the row removed": (
        [f"DELETE FROM decisions WHERE {LEFT}"],
        "block 1: 2 decisions, 3 were stored",
    ),
    "another row of the block altered": (
        [f"UPDATE decisions SET risk_probability = 0.01 WHERE {HELD} AND application_id = 'P-1'"],
        "block 1: a decision was altered",
    ),
    "another row of the block blanked as well": (
        [
            NO_CLAIM,
            f"UPDATE decisions SET received = '{MARK}', application_id = NULL "
            f"WHERE {HELD} AND application_id = 'P-1'",
        ],
        "block 1: a decision was altered",
    ),
    "the answer that is left altered": (
        [f"UPDATE decisions SET decision = 'APROVADO' WHERE {LEFT}"],
        "block 1: a decision was altered",
    ),
    "the tenth of the risk altered": (
        [f"UPDATE decisions SET risk_probability = 0.1 WHERE {LEFT}"],
        "block 1: a decision was altered",
    ),
    "something written into what is left": (
        [f"UPDATE decisions SET received = '{{}}' WHERE {LEFT}"],
        "block 1: a decision was altered",
    ),
    "the erasure removed": (["DELETE FROM erasures"], "its erasure .* was removed"),
    "the erasure and its event removed": (
        ["DELETE FROM events WHERE kind = 'erasure'", "DELETE FROM erasures"],
        "block 1: a decision was altered",
    ),
    "an erasure without an event": (
        ["DELETE FROM events WHERE kind = 'erasure'"],
        "Erasure .*: inserted, it has no event",
    ),
    "an erasure copied to another block": ([COPIED], "Erasure 0.*: inserted, it has no event"),
    "the erasure moved to another block": (["UPDATE erasures SET batch = 9"], "its erasure .* was altered"),
    "its hash of what is left altered": (["UPDATE erasures SET rows_after = hash"], "its erasure .* was altered"),
    "its reason altered": (["UPDATE erasures SET reason = 'None.'"], "its erasure .* was altered"),
    "the step of a review that is left altered": (
        ["UPDATE reviews SET step = 'UPHELD' WHERE step = 'REVERSED'"],
        "its review .* was altered",
    ),
    "words put back into a review": (["UPDATE reviews SET reason = 'Others.'"], "its review .* was altered"),
    "its list of what followed made unreadable": (["UPDATE erasures SET followed = 'x'"], "its erasure .* was altered"),
    "the steps of a review removed": (["DELETE FROM reviews"], "its review .* was removed"),
}


@pytest.mark.parametrize(("statements", "problem"), TAMPERINGS.values(), ids=TAMPERINGS)
def test_what_is_done_to_a_block_beyond_its_erasure_is_named(
    address: str, block: list[str], statements: list[str], problem: str
) -> None:
    erased(address, "P-ERASE")
    tamper(*statements)(address)
    named = problems(address)
    assert any(re.search(problem, each) for each in named), named


@pytest.mark.parametrize(
    ("table", "kind"), [("outcomes", "outcome"), ("reviews", "review"), ("group_ends", "groupend")]
)
def test_what_was_erased_and_is_back_is_named(address: str, block: list[str], table: str, kind: str) -> None:
    """As when a backup of one table is restored that is older than the erasure."""
    report_end(address, block[1], LONG_OVER)
    of = tables.metadata.tables[table]
    backup = ask(address, lambda connection: connection.execute(select(of)).mappings().all(), reading=True)
    erased(address, "P-ERASE")

    def restore(connection: Connection) -> None:
        connection.execute(delete(of))
        connection.execute(insert(of), [dict(row) for row in backup])

    ask(address, restore)
    named = problems(address)
    assert len(named) == len(backup)
    assert all(re.search(f"its {kind} .* was erased, and is back", each) for each in named)


def test_an_erasure_on_record_covers_nothing_that_is_done_to_another_decision(address: str, block: list[str]) -> None:
    forge(
        address, block[0], f"UPDATE decisions SET decision = 'APROVADO', risk_probability = 0.9 WHERE id = '{block[2]}'"
    )
    assert f"the data of decision {block[0]} are not erased" in "".join(problems(address))


@pytest.mark.parametrize(
    "kept",
    {
        "an id of the application": "application_id = 'P-ERASE'",
        "a rule": "rules = '[]'",
        "what was outside the training data": "outside_training = '[]'",
        "what it replaces": "replaces = 'P-0'",
        "a value that the model saw": "seen = '[1,null]'",
        "no list of values": "seen = 'x'",
        "an exact risk": "risk_probability = 0.47",
        "an application": "received = '{}'",
        "nothing": "received = received",
    }.values(),
)
def test_an_erasure_on_record_that_left_more_than_a_remainder_is_named(
    address: str, block: list[str], kept: str
) -> None:
    forge(address, block[1], *blank(block[1]), f"UPDATE decisions SET {kept} WHERE id = '{block[1]}'")
    named = [each for each in problems(address) if "are not erased" in each]
    assert bool(named) is (kept != "received = received")


def test_one_erasure_covers_one_decision(address: str, block: list[str]) -> None:
    forge(address, block[1], *blank(block[0]), *blank(block[1]))
    assert problems(address) == [f"Decision {block[0]}: its data were erased, and no erasure names it."]


def test_a_decision_that_is_named_by_several_erasures_is_named(address: str, block: list[str]) -> None:
    erased(address, "P-ERASE")
    again = f"UPDATE decisions SET risk_probability = 0.9 WHERE id = '{block[0]}'"
    tamper("DROP INDEX erasures_by_decision")(address)
    forge(address, block[1], again)
    assert problems(address) == [f"Decision {block[1]}: several erasures name it."]


def test_an_erasure_covers_no_review_of_another_decision(address: str, block: list[str]) -> None:
    take(address, block[0], "REQUESTED")
    take(address, block[0], "UPHELD")
    last = select(tables.reviews).order_by(tables.reviews.c.id.desc()).limit(1)
    step = ask(address, lambda connection: connection.execute(last).mappings().one(), reading=True)
    flipped = {**step, "step": "REVERSED", "reason": ""}
    left = {step["id"]: events.hash_of(events.REVIEW, flipped)}
    flip = f"UPDATE reviews SET step = 'REVERSED', reason = '' WHERE id = '{step['id']}'"
    forge(address, block[2], flip, followed=left)
    assert any(re.search(f"its review {step['id']} was altered", each) for each in problems(address))


def test_a_block_that_was_altered_is_not_erased(address: str, block: list[str]) -> None:
    tamper("UPDATE decisions SET risk_probability = 0.01 WHERE application_id = 'P-1'")(address)
    with pytest.raises(DecisionLogError, match="block 1 is not as it was stored, so nothing was erased"):
        erased(address, "P-ERASE")
    assert (rows_in(address, "erasures"), str(INCOME) in every_text(address)) == (0, True)


def test_of_several_all_or_none_are_erased(address: str, block: list[str]) -> None:
    wanted = [*found(address, block[0]), *found(address, "P-ERASE")]
    take(address, block[1], "REQUESTED")
    with pytest.raises(RequestError):
        ask(address, partial(erase, wanted, ORDER, TODAY))
    assert (rows_in(address, "erasures"), problems(address)) == (0, [])


# Where decisions are read


def test_lists_and_look_ups_tell_of_it_and_count_it(address: str, block: list[str]) -> None:
    decision = erased(address, "P-ERASE")
    page = ask(address, partial(lookup.page, Lookup()), reading=True)
    assert [each.decision_id for each in page.decisions if each.erased] == [decision]
    assert ask(address, partial(queries.count, Wanted()), reading=True) == 5
    assert "(erased)" in run_here("decisions", "list", "--database", address).stdout
    shown = run_here("decisions", "show", decision, "--database", address)
    assert json.loads(shown.stdout)["erased"]["reason"] == ORDER.reason


def test_an_export_has_its_answer_and_no_risk_and_no_column_of_its_own(
    address: str, block: list[str], tmp_path: Path
) -> None:
    decision = erased(address, "P-ERASE")
    for name in ("all.csv", "all.parquet"):
        told = run_here("decisions", "export", "--database", address, "-o", tmp_path / name)
        assert "The data of 1 of them were erased." in told.stderr
    with (tmp_path / "all.csv").open(encoding="utf-8") as file:
        rows = {row["decision_id"]: row for row in csv.DictReader(file)}
    row = rows.pop(decision)
    assert (row["decision"], row["risk_probability"], row["monthly_income"], row["erased"]) == (
        "NEGADO",
        "",
        "",
        "true",
    )
    assert {each["erased"] for each in rows.values()} == {""}


def test_a_replay_leaves_it_out(address: str, block: list[str]) -> None:
    def no_model(tag: str) -> Any:
        raise ModelNotFoundError(tag)

    decision = erased(address, "P-ERASE")
    records = ask(address, partial(queries.latest, Wanted(), 10), reading=True)
    findings = {each.decision_id: each.finding for each in replay(records, no_model)}
    assert (findings.pop(decision), set(findings.values())) == (Finding.ERASED, {Finding.NO_MODEL})


def test_cohorts_leave_it_out(address: str, block: list[str]) -> None:
    erased(address, "P-ERASE")
    since = datetime.now(UTC) - timedelta(days=1)
    assert len(track_record.read(open_database(address, timeout=TIMEOUT_S), since)[ORIGIN.model].risk) == 4


# The command


def run_erase(address: str, *arguments: str) -> Any:
    basis = ("--reason", "Pedido do titular.", "--legal-basis-ended", "Não entrou em grupo.")
    return run_here("decisions", "erase", *arguments, *basis, "--by", "dpo", "--database", address)


def test_without_yes_the_command_says_what_would_go_and_changes_nothing(address: str, block: list[str]) -> None:
    before = every_text(address)
    told = run_erase(address, "P-ERASE")
    assert block[1] in told.stdout
    assert "outcomes: 1, given reasons: 1, texts of review steps: 2" in told.stdout
    assert "Nothing was erased" in told.stderr
    assert str(INCOME) not in told.output
    plain = run_here("decisions", "erase", "P-ERASE", "--reason", "x", "--database", address)
    assert "It would be refused: no end of its group is on record" in plain.stdout
    assert every_text(address) == before


def test_without_yes_the_command_names_the_duty_to_keep_whether_or_not_it_is_lifted(
    address: str, block: list[str]
) -> None:
    lifted = "It would be erased although no end of its group is on record, and the proof"
    assert lifted in run_erase(address, "P-ERASE").stdout
    report_end(address, block[1], date(TODAY.year + 14, 1, 31))
    told = run_erase(address, "P-ERASE").stdout
    assert re.search(rf"It would be refused: its group ends on .*: until {TODAY.year + 19}-01-31", told)
    report_end(address, block[1], LONG_OVER)
    assert "It would be" not in run_erase(address, "P-ERASE").stdout


def test_the_command_names_decisions_that_go_on_naming_the_application(address: str, block: list[str]) -> None:
    (later,) = put(address, [entry(asked_by="loja", application_id="P-4", replaces="P-ERASE")])
    assert f"Decision {later} goes on naming its application id" in run_erase(address, "P-ERASE").stdout
    run_erase(address, "P-ERASE", "--yes")
    replaced = dossier(address, later).replaces
    assert replaced
    assert (replaced.application_id, replaced.decision_id) == ("P-ERASE", None)


def test_the_help_says_that_a_spool_is_not_seen() -> None:
    assert "credit_scoring_decision_log_spooled" in run_here("decisions", "erase", "--help").output


def test_with_yes_the_command_erases_and_the_log_verifies(address: str, block: list[str]) -> None:
    told = run_erase(address, "P-ERASE", "--yes")
    assert (told.exit_code, told.stdout.strip()) == (0, block[1])
    verified = run_here("decisions", "verify", "--database", address)
    assert (verified.exit_code, "of 1 the data were erased, as recorded" in verified.stderr) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    {
        "no reason": (["P-ERASE", "--reason", " "], "--reason: 0 characters, expected 1 to 500 on one line"),
        "kept": (["P-ERASE", "--reason", "x", "--yes"], "Where that does not apply, say why: --legal-basis-ended"),
        "unknown": (["P-?", "--reason", "x"], "No decision on this application is on record"),
    }.values(),
)
def test_a_command_that_cannot_be_done_says_why(
    address: str, block: list[str], arguments: list[str], said: str
) -> None:
    assert said in error_here("decisions", "erase", *arguments, "--database", address)
    assert rows_in(address, "erasures") == 0


def test_the_purging_role_may_erase_and_the_services_may_not(postgres: Postgres) -> None:
    address = postgres.decision_log()
    (decision,) = put(address, [applied(0.47)])
    _follow(address, decision)
    place = address.partition("@")[2]
    for role in ("eraser", "server"):
        postgres.run(f"CREATE ROLE {role} LOGIN")
    run_here("decisions", "migrate", "--database", address, "--grant-to", "server", "--grant-purge-to", "eraser")
    with pytest.raises(DecisionLogError, match="InsufficientPrivilege"):
        erased(f"postgresql://server@{place}", "P-ERASE")
    assert str(INCOME) in every_text(address)
    erased(f"postgresql://eraser@{place}", "P-ERASE")
    assert problems(address) == []
