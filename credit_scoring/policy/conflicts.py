"""Rules that say nothing, say it twice, or leave nobody to approve; found on samples, then proven on cells."""

from collections.abc import Iterator, Sequence

import numpy as np

from credit_scoring.policy.cells import Domains
from credit_scoring.policy.evaluator import FALSE, PASS, SEVERITIES, TRUE, Codes
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.rules import RISK, Predicate, Rule, When

THRESHOLD = "threshold"  # in lower case, which no id of a rule is
SAMPLES = 500
SAMPLES_OF_A_RULE = 3


def conflicts(policy: Policy, domains: Domains) -> Iterator[str]:
    """Every conflict, of rules alone and of pairs, the threshold being a rule of its own."""
    found = list(_alone(policy.rules, domains))
    yield from found
    if not found:
        threshold = Predicate(field=RISK, at_least=policy.threshold)
        when = When(all=(threshold,))
        denied = Rule.model_construct(id=THRESHOLD, when=when, if_missing="pass", then="deny", reason="")
        yield from _pairs([*policy.rules, denied], domains)


def _alone(rules: Sequence[Rule], domains: Domains) -> Iterator[str]:
    for rule in rules:
        states = domains.attainable(rule)
        if TRUE not in states:
            yield f"rule {rule.id}: can never hold within the catalogue's ranges; correct its numbers or remove it"
        elif min(_severity(rule, state) for state in states) > PASS:
            yield f"rule {rule.id}: holds for every application, so that none would be approved; narrow it"


def _pairs(rules: Sequence[Rule], domains: Domains) -> Iterator[str]:
    severities = _sampled(rules, domains)
    for first, second in _candidates(severities):
        one, other = rules[first], rules[second]
        found = domains.attainable_together(one, other)
        pairs = {(_severity(one, a), _severity(other, b)) for a, b in found}
        if all(a == b for a, b in pairs):
            yield f"rule {one.id}: says the same as {_named(other)}; remove one of them"
        elif all(a <= b for a, b in pairs):
            yield _implied(one, other)
        elif all(b <= a for a, b in pairs):
            yield _implied(other, one)
        elif all(max(a, b) > PASS for a, b in pairs):
            yield f"rule {one.id}: contradicts {_named(other)}; whoever passes one fails the other, so narrow one"


def _implied(weaker: Rule, stronger: Rule) -> str:
    if weaker.id == THRESHOLD:
        return f"rule {stronger.id}: denies whatever the threshold does; lower the threshold, or remove the rule"
    return (
        f"rule {weaker.id}: is implied by {_named(stronger)}, which says the same or more wherever it holds; "
        "remove it, or narrow the other"
    )


def _named(rule: Rule) -> str:
    return "the threshold" if rule.id == THRESHOLD else f"rule {rule.id}"


def _severity(rule: Rule, state: int) -> int:
    return (PASS, SEVERITIES[rule.if_missing or "pass"], SEVERITIES[rule.then])[state]


def _candidates(severities: Codes) -> Iterator[tuple[int, int]]:
    """Pairs of columns of which no sample shows that neither implies nor contradicts the other."""
    for first in range(severities.shape[1] - 1):
        own, others = severities[:, first : first + 1], severities[:, first + 1 :]
        implied = (own <= others).all(axis=0) | (others <= own).all(axis=0)
        exhaustive = (np.maximum(own, others) > PASS).all(axis=0)
        yield from ((first, first + 1 + other) for other in np.flatnonzero(implied | exhaustive).tolist())


def _sampled(rules: Sequence[Rule], domains: Domains) -> Codes:
    """What each rule says to made-up applications, shape (samples, rules): some at random, some that a rule denies."""
    by_field: dict[str, list[Predicate]] = {}
    for each in (predicate for rule in rules for predicate in rule.when.predicates):
        by_field.setdefault(each.field, []).append(each)
    values = {name: domains.values(name, predicates) for name, predicates in by_field.items()}
    states = {
        id(each): np.array(domains.states(each, values[each.field]), dtype=np.int8)
        for each in (predicate for rule in rules for predicate in rule.when.predicates)
    }
    random = np.random.default_rng(0)
    count = SAMPLES + SAMPLES_OF_A_RULE * len(rules)
    drawn = {name: random.integers(len(found), size=count) for name, found in values.items()}
    for place, rule in enumerate(rules):
        rows = slice(SAMPLES + place * SAMPLES_OF_A_RULE, SAMPLES + (place + 1) * SAMPLES_OF_A_RULE)
        for each in rule.when.predicates:
            if len(held := np.flatnonzero(states[id(each)] == TRUE)):
                drawn[each.field][rows] = random.choice(held, SAMPLES_OF_A_RULE)
    columns = [_column(rule, [states[id(each)][drawn[each.field]] for each in rule.when.predicates]) for rule in rules]
    return np.stack(columns, axis=1)


def _column(rule: Rule, states: Sequence[Codes]) -> Codes:
    joined = np.min(states, axis=0) if rule.when.all is not None else np.max(states, axis=0)
    outcomes = np.array([_severity(rule, state) for state in range(FALSE, TRUE + 1)], dtype=np.int8)
    severities: Codes = outcomes[joined]
    return severities
