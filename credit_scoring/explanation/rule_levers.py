"""Levers on which the rules of a policy depend in another way than the model: nothing can be proven of them."""

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.rules import Predicate

_FIRES_WHERE = {"above": "up", "at_least": "up", "below": "down", "at_most": "down"}


def undirected(policy: Policy, catalogue: Catalogue) -> frozenset[str]:
    """Fields that a rule names, itself or by a derived field, other than to stop values that are worse."""
    numeric = [name for name, field in catalogue.fields.items() if field.is_numeric]
    inputs = {field.name: field.inputs for field in catalogue.derived_from(numeric)}
    predicates = [each for rule in policy.rules for each in rule.when.predicates]
    odd = [each.field for each in predicates if not each.is_missing and not _stops_worse(each, catalogue)]
    return frozenset(name for field in odd for name in inputs.get(field, (field,)))


def _stops_worse(predicate: Predicate, catalogue: Catalogue) -> bool:
    entry = catalogue.fields.get(predicate.field) or catalogue.derived.get(predicate.field)
    if entry is None:  # the risk: the higher, the worse
        return predicate.operators[0] in ("above", "at_least")
    return entry.risk_moves is not None and _FIRES_WHERE.get(predicate.operators[0]) == entry.risk_moves
