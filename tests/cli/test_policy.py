"""`credit-scoring policy …` as its users run it."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import bentoml
import pytest

from credit_scoring.cli.policy import EXAMPLES
from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer
from tests.support.command_line import error_here, run_here

OWN = """
[policy]
name = "own"

[[rule]]
id = "TERM"
when = { field = "term_months", above = 120 }
if_missing = "pass"
then = "deny"
reason = "Prazo acima do permitido"

[[rule]]
id = "INCOME"
when = { field = "monthly_income", below = 500 }
if_missing = "review"
then = "deny"
reason = "Renda abaixo do mínimo"

[[case]]
name = "prazo longo"
application = { credit_letter_value = 60000, term_months = 121, monthly_income = 3000, age = 30 }
expect = { decision = "NEGADO", rules = ["TERM"] }
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(OWN, encoding="utf-8")
    return path


def sha256(tag: str, name: str) -> str:
    return hashlib.sha256((Path(bentoml.models.get(tag).path) / name).read_bytes()).hexdigest()


def test_a_good_policy_passes_its_check_which_shows_what_no_case_touches(own: Path, model_tag: str) -> None:
    found = run_here("policy", "check", own, "--model", model_tag)
    assert found.exit_code == 0
    assert "own: 2 rules, 1 cases. Nothing is wrong with it." in found.stderr
    lines = {line.split()[0]: line for line in found.stderr.splitlines()}
    assert "none" in lines["INCOME"]
    assert "none" not in lines["TERM"]


def test_a_case_that_fails_is_refused(own: Path, model_tag: str) -> None:
    own.write_text(OWN.replace("term_months = 121", "term_months = 120"), encoding="utf-8")
    message = error_here("policy", "check", own, "--model", model_tag)
    assert "case 'prazo longo': came to" in message
    assert "expected NEGADO by TERM" in message


def test_a_policy_is_shown_in_words(own: Path, model_tag: str) -> None:
    found = run_here("policy", "show", own, "--model", model_tag)
    assert "TERM: Prazo is above 120 months: NEGADO; if that is missing: passes." in found.stdout
    assert "A risk of" in run_here("policy", "show", model_tag).stdout


def test_the_difference_of_two_policies_is_told_in_words(own: Path, model_tag: str, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(OWN.replace("above = 120", "above = 100").replace("INCOME", "RENDA"), encoding="utf-8")
    found = run_here("policy", "diff", own, other, "--model", model_tag).stdout.splitlines()
    assert found == [
        "Rule TERM: Prazo is above 120 months: NEGADO; if that is missing: passes → "
        "Prazo is above 100 months: NEGADO; if that is missing: passes.",
        "New rule RENDA: Renda mensal is below 500 BRL: NEGADO; if that is missing: EM_ANALISE.",
        "Rule INCOME is gone: Renda mensal is below 500 BRL: NEGADO; if that is missing: EM_ANALISE.",
    ]
    assert run_here("policy", "diff", own, own, "--model", model_tag).stdout == "Both decide alike.\n"


def test_a_published_policy_is_a_new_version_of_the_model_with_the_same_pipeline_to_the_byte(
    own: Path, model_tag: str, published: Callable[[], list[str]]
) -> None:
    found = run_here("policy", "publish", own, "--model", model_tag, "--reason", "Novo regulamento", "--by", "Ana")
    (tag,) = published()
    assert found.stdout == f"{tag}\n"
    for name in ("saved_model.pkl", "catalogue.json", "card.json", "reference.json"):
        assert sha256(tag, name) == sha256(model_tag, name)
    model = store.find(tag)
    under, before = Scorer.load(Path(model.path)), Scorer.load(Path(store.find(model_tag).path))
    assert [rule.id for rule in under.policy.rules] == ["TERM", "INCOME"]
    assert under.policy.threshold == before.policy.threshold
    assert model.info.metadata["published_by"] == "Ana"
    assert model.info.metadata["reason"] == "Novo regulamento"
    assert model.info.metadata["published_from"] == model_tag
    again = run_here("policy", "publish", own, "--model", tag, "--reason", "Novo regulamento")
    assert "has this very policy already" in again.stderr
    assert published() == [tag]


def test_a_policy_that_is_refused_leaves_the_store_as_it_was(
    own: Path, model_tag: str, published: Callable[[], list[str]]
) -> None:
    own.write_text(OWN.replace("monthly_income", "salary", 1), encoding="utf-8")
    message = error_here("policy", "publish", own, "--model", model_tag, "--reason", "x")
    assert "rule INCOME: salary is no field of the catalogue consorcio" in message
    assert published() == []


def test_a_policy_that_begins_long_after_the_one_before_ends_leaves_a_gap(
    own: Path, model_tag: str, published: Callable[[], list[str]]
) -> None:
    own.write_text(OWN.replace('name = "own"', 'name = "own"\nvalid_until = 2999-01-01', 1), encoding="utf-8")
    run_here("policy", "publish", own, "--model", model_tag, "--reason", "x")
    (tag,) = published()
    own.write_text(OWN.replace('name = "own"', 'name = "next"\nvalid_from = 2999-01-03', 1), encoding="utf-8")
    message = error_here("policy", "publish", own, "--model", tag, "--reason", "x")
    assert "valid_from 2999-01-03 leaves a gap: the policy before, own, is valid until 2999-01-01" in message
    own.write_text(OWN.replace('name = "own"', 'name = "next"\nvalid_from = 2999-01-02', 1), encoding="utf-8")
    assert run_here("policy", "publish", own, "--model", tag, "--reason", "x").exit_code == 0


def test_an_example_says_in_its_first_line_that_it_is_one() -> None:
    for name in EXAMPLES:
        assert run_here("policy", "example", name).stdout.startswith("# EXEMPLO")


def test_the_example_for_joining_a_group_passes_its_own_cases(model_tag: str, tmp_path: Path) -> None:
    path = tmp_path / "adesao.toml"
    path.write_text(run_here("policy", "example", "adesao").stdout, encoding="utf-8")
    assert run_here("policy", "check", path, "--model", model_tag).exit_code == 0


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["check", "nowhere.toml"], "Policy nowhere.toml: cannot be read"),
        (["check", "own.toml", "--model", "credit_scoring:nothing"], "No model credit_scoring:nothing"),
        (["show", "credit_scoring:nothing"], "No model credit_scoring:nothing"),
        (["example", "none"], "There is no example none; expected adesao or contemplacao"),
        (["publish", "own.toml", "--reason", " "], "--reason is empty"),
    ],
)
def test_wrong_input_gets_a_line_that_says_what_to_do(command: list[str], said: str, model_tag: str) -> None:
    with_model = (
        [] if "--model" in command or command[0] == "example" or "nothing" in command[-1] else ["--model", model_tag]
    )
    assert said in error_here("policy", *command, *with_model)
