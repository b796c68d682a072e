"""What is wrong with a policy before it is used: each line names the rule, the value found and a way out."""

from collections import Counter
from collections.abc import Iterator

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.fields import REAIS, Role
from credit_scoring.application.forbidden import is_age
from credit_scoring.application.suggestions import or_nearest
from credit_scoring.policy.cells import Domains
from credit_scoring.policy.conflicts import conflicts
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.rules import RISK, Predicate, Rule

LEGAL_CAPACITY = 18
LISTED = "; `credit-scoring fields show` lists them"

_Found = Iterator[str]


def problems(policy: Policy, catalogue: Catalogue) -> list[str]:
    """Everything that is wrong with the policy for applications of this catalogue.

    Exact for rules over fields and the risk. The fields that a derived one is computed from count as independent of it,
    so that of rules which mix them a conflict may be missed, but none is made up.
    """
    found = [*_bands(policy), *_repeated(policy), *_cases(policy)]
    for rule in policy.rules:
        found += [f"rule {rule.id}: {each}" for each in _rule(rule, catalogue)]
    return found or list(conflicts(policy, Domains(catalogue)))


def _bands(policy: Policy) -> _Found:
    if policy.review_from is not None and policy.review_from >= policy.threshold:
        yield (
            f"threshold: review_from {policy.review_from:g} is not below the threshold {policy.threshold:g}, so that "
            "nothing would be in analysis; lower it or leave it out"
        )


def _repeated(policy: Policy) -> _Found:
    for id, count in Counter(rule.id for rule in policy.rules).items():
        if count > 1:
            yield f"rule {id}: {count} rules have this id; an answer could not say which one it means, so rename"
    for name, count in Counter(case.name for case in policy.cases).items():
        if count > 1:
            yield f"case '{name}': {count} cases have this name; rename"


def _cases(policy: Policy) -> _Found:
    ids = {rule.id for rule in policy.rules}
    for case in policy.cases:
        for id in case.expect.rules:
            if id not in ids:
                yield f"case '{case.name}': expects rule {id[:40]}, which there is not; correct the id"
        if case.expect.decision not in policy.answers:
            yield (
                f"case '{case.name}': expects {case.expect.decision}, which this policy cannot give; it needs "
                "threshold.review_from or a rule with then = 'review'"
            )


def _rule(rule: Rule, catalogue: Catalogue) -> _Found:
    for predicate in rule.when.predicates:
        yield from _predicate(predicate, catalogue)


def _predicate(predicate: Predicate, catalogue: Catalogue) -> _Found:
    name = predicate.field
    if name == RISK:
        if predicate.chosen or predicate.is_missing:
            yield f"{RISK} is a number that is never missing; compare it"
        return
    if problem := _unusable(name, catalogue):
        yield problem
        return
    yield from _unit(predicate, catalogue)
    yield from _operators(predicate, catalogue)


def _unusable(name: str, catalogue: Catalogue) -> str | None:
    numeric = [each for each, field in catalogue.fields.items() if field.is_numeric]
    if any(field.name == name for field in catalogue.derived_from(numeric)):
        return None
    field = catalogue.fields.get(name)
    if field is None:
        advice = or_nearest(name, [*catalogue.fields, *catalogue.derived])
        return f"{name} is no field of the catalogue {catalogue.name}{advice or LISTED}"
    if field.role is Role.AUDIT:
        return f"{name} is an audit field, which never decides; remove the predicate"
    if field.kind == "text":
        return f"{name} is a text, which cannot be compared; make it a category of the catalogue"
    return None


def _unit(predicate: Predicate, catalogue: Catalogue) -> _Found:
    entry = catalogue.fields.get(predicate.field) or catalogue.derived[predicate.field]
    if predicate.unit is not None and predicate.unit != entry.unit:
        yield f"{predicate.field} is in {entry.unit or 'no unit'}, but unit is '{predicate.unit}'; convert the numbers"
    if entry.unit == REAIS:
        for bound in predicate.bounds:
            if abs(round(bound * 100) - bound * 100) > 1e-6 * max(1.0, abs(bound)):
                yield f"{predicate.field} is compared with {bound!r}, but money is compared in cents; round it"
    if predicate.between is not None and predicate.between[0] > predicate.between[1]:
        low, high = predicate.between
        yield f"between [{low:g}, {high:g}] is upside down; exchange them"


def _operators(predicate: Predicate, catalogue: Catalogue) -> _Found:
    name, field = predicate.field, catalogue.fields.get(predicate.field)
    operator = predicate.operators[0].rstrip("_")
    if is_age(name) and (operator != "below" or predicate.below != LEGAL_CAPACITY):
        yield (
            f"{name} may only be compared as below = {LEGAL_CAPACITY}, for legal capacity (Lei 10.741/2003 art. 96); "
            "remove the predicate"
        )
    if operator == "is_missing":
        return
    if field is None or field.is_number:
        if predicate.chosen:
            yield f"{name} is a number; compare it with above, at_least, below, at_most or between, not {operator}"
    elif not predicate.chosen:
        yield f"{name} is a {field.kind}; use in or not_in, not {operator}"
    else:
        allowed: set[bool | str] = {False, True} if field.kind == "flag" else {*field.categories}
        for value in sorted(predicate.chosen - allowed, key=str):
            listed = ", ".join(map(str, sorted(allowed, key=str))).replace("True", "true").replace("False", "false")
            yield f"{name} has no value {str(value)[:40]!r}; expected {listed[:200]}"
