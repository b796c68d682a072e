"""The groups of fields that reasons name: those of the model's catalogue, so that no field of the model is left out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from credit_scoring.application.catalogue import MAX_GROUPS, Catalogue

REST = "outros_dados"


@dataclass(frozen=True)
class ReasonGroup:
    """Fields that make one reason; `weak` and `missing` are what a client reads."""

    name: str
    title: str
    weak: str
    missing: str
    fields: tuple[str, ...]


def reason_groups(catalogue: Catalogue, features: Sequence[str]) -> list[ReasonGroup]:
    """Every feature in exactly one group, in the catalogue's order.

    A feature without a group makes one of its own title, or all of them one together where there would be too many.
    """
    alone = [name for name in features if catalogue.fields[name].group is None]
    found = list(_declared(catalogue, features))
    if len(found) + len(alone) <= MAX_GROUPS:
        return [*found, *(_own(catalogue, name) for name in alone)]
    rest = ReasonGroup(REST, "Outros dados", "Outros dados da proposta", "Outros dados não informados", tuple(alone))
    return [*found, rest]


def _declared(catalogue: Catalogue, features: Sequence[str]) -> Iterator[ReasonGroup]:
    for name, group in catalogue.groups.items():
        fields = tuple(each for each in features if catalogue.fields[each].group == name)
        if fields:
            yield ReasonGroup(name, group.title, group.weak, group.missing, fields)


def _own(catalogue: Catalogue, name: str) -> ReasonGroup:
    title = catalogue.fields[name].title
    return ReasonGroup(name, title, title, f"Dado não informado: {title}", (name,))
