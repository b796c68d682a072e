"""Why the model sees the risk that it sees, in at most four reasons that a client can read.

Reasons are of the risk alone: a rule of the policy is named by the policy. They say what the model weighed against an
applicant who was just approved, not what causes a default; docs/reasons.md has the whole of it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.errors import ExplanationError
from credit_scoring.explanation.groups import ReasonGroup, reason_groups
from credit_scoring.explanation.shapley import Contributions, contributions

if TYPE_CHECKING:  # so that the API can be described without scikit-learn and pandas
    from credit_scoring.model.reference_applicant import Values
    from credit_scoring.model.scorer import Scorer

MOST = 4  # Official Interpretation of 12 CFR 1002.9(b)(2), comment 1
LEAST_SHARE = 0.01  # of all that counts against the client; what counts less did not matter
AT_ONCE = 16  # applications explained together; more are no faster

Sign = Literal[1, -1]
AGAINST: Sign = 1
IN_FAVOUR: Sign = -1


class Factor(BaseModel):
    """A group of fields that counts for or against the client."""

    model_config = ConfigDict(frozen=True)

    group: str = Field(description="Name of the group in the model's catalogue, or of a field that has none.")
    title: str = Field(description="Title of the group.")
    share: float = Field(description="Share of all that counts the same way; above 0, at most 1.")
    field: str = Field(description="The field of the group that alone moves the risk most.")
    field_title: str = Field(description="Title of that field.")


class Reason(Factor):
    """A group of fields that counts against the client, in words."""

    text: str = Field(description="What the client reads: of a weak value, or of one that is missing.")


class Reasons(BaseModel):
    """What counts against the client and what in favour, each from the largest share down.

    At most four groups are named against, none with less than one per cent; `further` says how many others count
    against the client, and `further_share` how much of the whole they are.
    """

    model_config = ConfigDict(frozen=True)

    against: tuple[Reason, ...]
    further: int
    further_share: float
    in_favour: tuple[Factor, ...]


def reasons(scorer: "Scorer", record: Mapping[str, Any]) -> Reasons:
    """The reasons for the risk of one application; every feature of the model is a key of its record.

    Where the model denies it, at least one group counts against it. Raises ExplanationError when the model has no
    reference applicant whom its policy approves.
    """
    (found,) = reasons_of_many(scorer, [record])
    return found


def reasons_of_many(scorer: "Scorer", records: Sequence[Mapping[str, Any]]) -> Iterator[Reasons]:
    """The same for each application, found for a few at a time, which is faster and needs little memory."""
    groups = reason_groups(scorer.catalogue, scorer.card.features)
    fields, reference = [group.fields for group in groups], reference_values(scorer)
    for start in range(0, len(records), AT_ONCE):
        some = records[start : start + AT_ONCE]
        clients = [{name: _known(record[name]) for name in scorer.card.features} for record in some]
        parts = contributions(scorer.log_odds, fields, clients, reference)
        for client, found in zip(clients, parts, strict=True):
            yield _Compared(scorer.catalogue, groups, client, found).reasons()


def reference_values(scorer: "Scorer") -> "Values":
    """Whom the clients of this model are compared with; raises ExplanationError when there is nobody."""
    threshold, applicants = scorer.policy.passes_below, scorer.reference.applicants
    fitting = [each for each in applicants if each.threshold <= threshold]
    if not fitting:
        known = (
            f"the lowest is for {applicants[0].threshold:g}" if applicants else "it was trained before there were any"
        )
        raise ExplanationError(
            f"The model has no reference applicant for the threshold {threshold:g} ({known}), so it can give no "
            "reasons. Train a new one with `credit-scoring train`."
        )
    return fitting[-1].values


def _known(value: Any) -> Any:
    """A missing number is NaN in a frame and None in a request."""
    return value if value == value else None  # noqa: PLR0124 - NaN alone differs from itself


@dataclass(frozen=True)
class _Compared:
    """A client who was compared with the reference applicant."""

    catalogue: Catalogue
    groups: Sequence[ReasonGroup]
    client: Mapping[str, Any]
    found: Contributions

    def reasons(self) -> Reasons:
        """At most four against, and all in favour."""
        against, in_favour = self._ranked(AGAINST), self._ranked(IN_FAVOUR)
        named = [(group, share) for group, share in against[:MOST] if share >= LEAST_SHARE]
        unnamed = against[len(named) :]
        return Reasons(
            against=tuple(self._reason(group, share) for group, share in named),
            further=len(unnamed),
            further_share=math.fsum(share for _, share in unnamed),
            in_favour=tuple(self._factor(group, share, IN_FAVOUR) for group, share in in_favour),
        )

    def _ranked(self, sign: Sign) -> list[tuple[ReasonGroup, float]]:
        """The groups that count this way with their shares; of equal ones, the first in the catalogue first."""
        sizes = {group: sign * each for group, each in zip(self.groups, self.found.numerators, strict=True)}
        counting = sorted((group for group in sizes if sizes[group] > 0), key=lambda group: -sizes[group])
        total = sum(sizes[group] for group in counting)
        return [(group, sizes[group] / total) for group in counting]

    def _reason(self, group: ReasonGroup, share: float) -> Reason:
        factor = self._factor(group, share, AGAINST)
        text = group.missing if self.client[factor.field] is None else group.weak
        return Reason(**factor.model_dump(), text=text)

    def _factor(self, group: ReasonGroup, share: float, sign: Sign) -> Factor:
        field = self._leading_field(group, sign)
        title = self.catalogue.fields[field].title
        return Factor(group=group.name, title=group.title, share=share, field=field, field_title=title)

    def _leading_field(self, group: ReasonGroup, sign: Sign) -> str:
        """The one that, alone at the reference's value, takes back most of what counts this way."""
        alone = self.found.alone
        differing = [name for name in group.fields if name in alone]
        return max(differing, key=lambda name: sign * (self.found.client - alone[name]))
