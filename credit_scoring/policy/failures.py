"""What the rules did that an application did not pass: their condition held, or a datum that they need was missing."""

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.records import Record
from credit_scoring.policy.evaluator import PASS, Evaluator
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.rules import RISK, FailedRule, Rule

_CERTAIN = (None, "pass")  # values of `if_missing` with which a rule fails only where its condition holds


class Failures:
    """Tells of the rules of one policy; `catalogue` is that of the model that decided, None where it is not known."""

    def __init__(self, policy: Policy, catalogue: Catalogue | None) -> None:
        self._policy, self._catalogue = policy, catalogue

    def told(self, ids: Collection[str], record: Record, risk: float) -> tuple[FailedRule, ...]:
        """The rules with these ids, which this application did not pass; a field that it does not have is missing.

        Of a rule that may have failed for a missing value, `then` is empty where there is no catalogue to tell.
        """
        rules = {id: self._policy.rule(id) for id in ids}
        is_certain = all(rule is None or rule.if_missing in _CERTAIN for rule in rules.values())
        holding = ids if is_certain else self._holding(record, risk)
        return tuple(self._told(rule, holding, record) if rule else FailedRule(id=id) for id, rule in rules.items())

    def _holding(self, record: Record, risk: float) -> Collection[str] | None:
        """The rules whose condition holds whatever is missing; None where that cannot be known."""
        if self._lenient is None:
            return None
        filled = {**dict.fromkeys(self._lenient.fields), **record}
        try:
            severities = self._lenient.severities([filled], np.array([risk]))[0, 1:].tolist()
        except (TypeError, ValueError):  # a record that was altered
            return None
        return [rule.id for rule, each in zip(self._policy.rules, severities, strict=True) if each > PASS]

    @cached_property
    def _lenient(self) -> Evaluator | None:
        """The same rules, which all pass where a missing value decides them."""
        rules = tuple(rule.model_copy(update={"if_missing": "pass"}) for rule in self._policy.rules)
        return Evaluator(self._policy.model_copy(update={"rules": rules}), self._catalogue) if self._catalogue else None

    def _told(self, rule: Rule, holding: Collection[str] | None, record: Record) -> FailedRule:
        failed = FailedRule(id=rule.id, reason=rule.reason, basis=rule.basis)
        if rule.if_missing in _CERTAIN or (holding is not None and rule.id in holding):
            return failed.model_copy(update={"then": rule.then})
        if holding is None or self._catalogue is None:
            return failed
        missing = _missing(rule, record, self._catalogue)
        reason = _not_given(missing, self._catalogue)
        return failed.model_copy(update={"then": rule.if_missing, "reason": reason, "missing": missing})


def _missing(rule: Rule, record: Record, catalogue: Catalogue) -> tuple[str, ...]:
    """The fields that the rule needs and the record does not have; those that it names where nothing is absent."""
    inputs = {each.name: each.inputs for each in catalogue.derived_from(catalogue.fields)}
    asked = [each.field for each in rule.when.predicates if not each.is_missing]
    raw = dict.fromkeys(name for field in asked for name in inputs.get(field, (field,)) if name in catalogue.fields)
    absent = tuple(name for name in raw if _is_missing(record.get(name)))
    return absent or tuple(dict.fromkeys(field for field in asked if field != RISK))


def _is_missing(value: Any) -> bool:
    return value is None or value != value  # noqa: PLR0124 - NaN alone differs from itself


def _not_given(names: Sequence[str], catalogue: Catalogue) -> str:
    titles = [(catalogue.fields.get(name) or catalogue.derived[name]).title for name in names]
    return f"{'Dado não informado' if len(titles) == 1 else 'Dados não informados'}: {', '.join(titles)}"
