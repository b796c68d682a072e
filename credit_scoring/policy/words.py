"""A policy in words: what each rule does, and what another policy changes."""

from collections.abc import Iterator

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.rules import Predicate, Rule

_OPERATORS = {
    "above": "is above",
    "at_least": "is at least",
    "below": "is below",
    "at_most": "is at most",
    "in_": "is",
    "not_in": "is not",
}
_ANSWERS = {"deny": "NEGADO", "review": "EM_ANALISE", "pass": "passes"}


def in_words(rule: Rule, catalogue: Catalogue) -> str:
    """When the rule does what, such as `Renda mensal is below 1,000 BRL: NEGADO; if that is missing: passes`."""
    joint = " and " if rule.when.all is not None else " or "
    condition = joint.join(_predicate(each, catalogue) for each in rule.when.predicates)
    missing = f"; if that is missing: {_ANSWERS[rule.if_missing]}" if rule.if_missing else ""
    return f"{condition}: {_ANSWERS[rule.then]}{missing}"


def changes(before: Policy, after: Policy, catalogue: Catalogue) -> Iterator[str]:
    """What a client would notice of the change, a line for each; none where the two decide alike."""
    if before.threshold != after.threshold:
        effect = "fewer" if after.threshold < before.threshold else "more"
        yield f"Threshold {before.threshold:g} → {after.threshold:g}: {effect} are approved."
    if before.review_from != after.review_from:
        yield f"In analysis from a risk of {_number(before.review_from)} → {_number(after.review_from)}."
    for rule in after.rules:
        old = before.rule(rule.id)
        if old is None:
            yield f"New rule {rule.id}: {in_words(rule, catalogue)}."
        elif in_words(old, catalogue) != in_words(rule, catalogue):
            yield f"Rule {rule.id}: {in_words(old, catalogue)} → {in_words(rule, catalogue)}."
        elif (old.reason, old.basis) != (rule.reason, rule.basis):
            yield f"Rule {rule.id}: another text, '{old.reason}' ({old.basis}) → '{rule.reason}' ({rule.basis})."
    for rule in before.rules:
        if after.rule(rule.id) is None:
            yield f"Rule {rule.id} is gone: {in_words(rule, catalogue)}."
    if before.costs != after.costs:
        yield f"Costs {_costs(before)} → {_costs(after)}."


def _predicate(predicate: Predicate, catalogue: Catalogue) -> str:
    entry = catalogue.fields.get(predicate.field) or catalogue.derived.get(predicate.field)
    title = entry.title if entry else "the risk"
    unit = f" {entry.unit}" if entry and entry.unit else ""
    if predicate.is_missing:
        return f"{title} is missing"
    if predicate.between:
        low, high = predicate.between
        return f"{title} is from {low:,g} to {high:,g}{unit}"
    operator = _OPERATORS[predicate.operators[0]]
    if predicate.chosen:
        titles = catalogue.fields[predicate.field].values
        return f"{title} {operator} {' or '.join(sorted(_value(each, titles) for each in predicate.chosen))}"
    return f"{title} {operator} {predicate.bounds[0]:,g}{unit}"


def _value(value: bool | str, titles: dict[str, str]) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else titles.get(value, value)


def _number(share: float | None) -> str:
    return "none" if share is None else f"{share:g}"


def _costs(policy: Policy) -> str:
    return f"{policy.costs.loss_given_default:.0%} for a default, {policy.costs.margin:.0%} for a good client denied"
