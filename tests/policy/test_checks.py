"""Every kind of defect in a policy file is refused by one line that names the rule and a way out."""

from pathlib import Path

import pytest

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.errors import PolicyError
from credit_scoring.policy.checks import problems
from credit_scoring.policy.costs import CostMatrix
from credit_scoring.policy.file import PolicyFile
from credit_scoring.policy.policy import Policy

TRAINED = Policy(threshold=0.3, costs=CostMatrix())

GOOD = """
[policy]
name = "adesao-2026-12"
valid_from = 2026-12-01
valid_until = 2027-12-01

[threshold]
deny_at = 0.31
review_from = 0.27

[[rule]]
id = "INCOME"
when = { field = "instalment_over_income", above = 0.30 }
if_missing = "review"
then = "deny"
reason = "Parcela acima de 30% da renda"
basis = "Regulamento, cláusula 12"

[[rule]]
id = "LETTER"
when = { all = [{ field = "credit_letter_value", above = 300000, unit = "BRL" },
                { field = "good_type", not_in = ["REAL_ESTATE"] }] }
if_missing = "pass"
then = "review"
reason = "Carta elevada para o bem"

[[rule]]
id = "RECORD"
when = { field = "has_negative_record", in = [true] }
if_missing = "review"
then = "deny"
reason = "Restrição cadastral"

[[case]]
name = "restrição"
application = { credit_letter_value = 60000, monthly_income = 9000, has_negative_record = true, age = 30 }
expect = { decision = "NEGADO", rules = ["RECORD"] }
"""


def rule(when: str, id: str = "BAD", missing: str = "pass", then: str = "deny") -> str:
    return f'\n[[rule]]\nid = "{id}"\nwhen = {when}\nif_missing = "{missing}"\nthen = "{then}"\nreason = "Motivo"\n'


def found(folder: Path, text: str, catalogue: Catalogue = CATALOGUE) -> str:
    """All that is wrong with a policy file, or nothing."""
    (folder / "policy.toml").write_text(text, encoding="utf-8")
    try:
        policy = PolicyFile.read(folder / "policy.toml").applied_to(TRAINED)
    except PolicyError as error:
        return str(error)
    return "\n".join(problems(policy, catalogue))


def test_nothing_is_wrong_with_a_good_policy(tmp_path: Path) -> None:
    assert found(tmp_path, GOOD) == ""


def test_what_a_file_leaves_out_is_as_training_chose_it(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text('[policy]\nname = "own"\n', encoding="utf-8")
    policy = PolicyFile.read(tmp_path / "policy.toml").applied_to(TRAINED)
    assert (policy.threshold, policy.costs) == (TRAINED.threshold, TRAINED.costs)
    assert policy.version != TRAINED.version


INCOME = '{ field = "monthly_income", below = 1000 }'
DEFECTS = {
    "no TOML": (GOOD + "[[", ["not valid TOML"]),
    "an unknown key": (
        GOOD.replace('then = "review"', 'then = "review"\ncode = "x"'),
        ["code", "Extra inputs", "known ones are id"],
    ),
    "a misspelt key": (GOOD.replace('then = "review"', 'then = "review"\nbases = "x"'), ["did you mean basis?"]),
    "a misspelt key of a predicate": (
        GOOD + rule('{ feild = "monthly_income", below = 1 }'),
        ["rule.3.when.all.0.feild", "did you mean field?"],
    ),
    "a misspelt key of several": (
        GOOD + rule('{ al = [{ field = "monthly_income", below = 1 }] }'),
        ["rule.3.when.al", "did you mean all?"],
    ),
    "code for a predicate": (GOOD + rule("\"__import__('os')\""), ["rule.3.when", "__import__"]),
    "an id in lower case": (GOOD + rule(INCOME, id="income"), ["rule.3.id", "'income'"]),
    "an id used twice": (GOOD + rule(INCOME, id="INCOME"), ["rule INCOME", "2 rules", "rename"]),
    "an unknown field": (GOOD + rule('{ field = "salary", below = 1 }'), ["rule BAD", "salary", "fields show"]),
    "a misspelt field": (GOOD + rule('{ field = "montly_income", below = 1 }'), ["did you mean monthly_income?"]),
    "an audit field": (GOOD + rule('{ field = "marital_status", in = ["SINGLE"] }'), ["rule BAD", "audit field"]),
    "the age": (GOOD + rule('{ field = "age", above = 70 }'), ["rule BAD", "age", "remove"]),
    "an unknown category": (GOOD + rule('{ field = "job_type", in = ["BOSS"] }'), ["BOSS", "SELF_EMPLOYED"]),
    "a comparison of a category": (GOOD + rule('{ field = "job_type", above = 1 }'), ["rule BAD", "use in or not_in"]),
    "values of a number": (GOOD + rule('{ field = "monthly_income", in = ["A"] }'), ["rule BAD", "is a number"]),
    "a flag compared": (GOOD + rule('{ field = "has_negative_record", above = 0 }'), ["rule BAD", "flag", "use in"]),
    "a unit that does not fit": (
        GOOD + rule('{ field = "monthly_income", below = 9, unit = "USD" }'),
        ["rule BAD", "BRL", "'USD'", "convert"],
    ),
    "parts of a cent": (GOOD + rule('{ field = "monthly_income", below = 0.001 }'), ["rule BAD", "0.001", "round"]),
    "an interval upside down": (
        GOOD + rule('{ field = "term_months", between = [24, 12] }'),
        ["rule BAD", "[24, 12]", "exchange"],
    ),
    "two conditions in one": (
        GOOD + rule('{ field = "term_months", above = 1, below = 9 }'),
        ["'term_months' has above and below", "exactly one"],
    ),
    "no condition": (GOOD + rule('{ field = "term_months" }'), ["'term_months' has none"]),
    "all and any": (GOOD + rule(f"{{ all = [{INCOME}], any = [{INCOME}] }}"), ["either all", "or any"]),
    "two levels": (GOOD + rule(f"{{ all = [{{ any = [{INCOME}] }}] }}"), ["rule.3.when.all.0"]),
    "nothing said of missing values": (
        (GOOD + rule(INCOME)).replace('if_missing = "pass"\nthen = "deny"', 'then = "deny"'),
        ["rule BAD", "if_missing is not given", "'review'"],
    ),
    "a rule that never holds": (
        GOOD + rule('{ field = "term_months", above = 420 }'),
        ["rule BAD", "can never hold", "correct"],
    ),
    "a rule whose predicates exclude each other": (
        GOOD + rule(f'{{ all = [{INCOME}, {{ field = "monthly_income", above = 2000 }}] }}'),
        ["rule BAD", "can never hold"],
    ),
    "a rule that always holds": (
        GOOD + rule('{ field = "credit_letter_value", above = 0 }'),
        ["rule BAD", "holds for every application"],
    ),
    "a rule that another implies": (
        GOOD + rule('{ field = "instalment_over_income", above = 0.5 }'),
        ["rule BAD", "is implied by rule INCOME"],
    ),
    "a rule that is there already": (
        GOOD + rule('{ all = [{ field = "has_negative_record", in = [true] }] }', missing="review"),
        ["rule RECORD", "says the same as rule BAD"],
    ),
    "a rule that the threshold implies": (
        GOOD + rule('{ field = "risk_probability", at_least = 0.5 }'),
        ["rule BAD", "is implied by the threshold"],
    ),
    "two rules that leave nobody": (
        GOOD + rule(INCOME, missing="review") + rule('{ field = "monthly_income", above = 900 }', id="OTHER"),
        ["rule BAD", "contradicts rule OTHER", "narrow"],
    ),
    "a band above the threshold": (GOOD.replace("0.27", "0.35"), ["review_from 0.35", "not below the threshold 0.31"]),
    "a threshold that is none": (GOOD.replace("0.31", "1.5"), ["threshold.deny_at", "1.5"]),
    "dates upside down": (GOOD.replace("2027-12-01", "2025-12-01"), ["valid_until 2025-12-01", "is before"]),
    "a case that expects a rule there is none of": (
        GOOD.replace('rules = ["RECORD"]', 'rules = ["RECORDS"]'),
        ["case 'restrição'", "RECORDS", "correct the id"],
    ),
    "a case that expects an answer that cannot be": (
        '[policy]\nname = "own"\n[[case]]\nname = "a"\napplication = {}\nexpect = { decision = "EM_ANALISE" }\n',
        ["case 'a'", "EM_ANALISE", "cannot give"],
    ),
    "two cases of one name": (GOOD + GOOD[GOOD.index("[[case]]") :], ["case 'restrição'", "rename"]),
    "a missing risk": (GOOD + rule('{ field = "risk_probability", is_missing = true }'), ["never missing"]),
    "a rule without a reason": (GOOD.replace('reason = "Restrição cadastral"', 'reason = ""'), ["rule.2.reason"]),
    "a number that is none": (GOOD.replace("0.30", "nan"), ["instalment_over_income"]),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_refused_by_a_line_that_names_it(tmp_path: Path, defect: str) -> None:
    text, told = DEFECTS[defect]
    message = found(tmp_path, text)
    assert message, f"{defect} was not refused"
    missing = [part for part in told if part not in message]
    assert not missing, f"{missing} not in: {message}"


def test_a_weaker_rule_that_says_more_of_a_missing_value_is_not_implied(tmp_path: Path) -> None:
    own = rule('{ field = "instalment_over_income", above = 0.5 }', missing="deny")
    assert found(tmp_path, GOOD + own) == ""
