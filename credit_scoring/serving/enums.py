"""Named enumerations of the OpenAPI document: each value with its meaning, for generated clients."""

import re
import unicodedata
from collections.abc import Mapping, Sequence

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.fields import ApplicationField, Meaning
from credit_scoring.serving.contents import Json

_ANSWERS = {
    "APROVADO": Meaning(pt="Aprovada", en="Approved."),
    "EM_ANALISE": Meaning(pt="Em análise", en="People will decide; ask again with the same application_id."),
    "NEGADO": Meaning(pt="Negada", en="Denied: the risk reaches the threshold, or a rule did not pass."),
}
_STEPS = {
    "REQUESTED": Meaning(pt="Revisão pedida", en="The client asks for a review."),
    "UPHELD": Meaning(pt="Decisão mantida", en="The reviewer keeps the decision."),
    "REVERSED": Meaning(pt="Decisão revertida", en="The reviewer decides otherwise."),
    "APPROVED": Meaning(pt="Aprovada", en="Approved by people, after EM_ANALISE."),
    "DENIED": Meaning(pt="Negada", en="Denied by people, after EM_ANALISE."),
    "PROPOSED_UPHELD": Meaning(pt="Proposto: manter", en="The first of two people would keep the decision."),
    "PROPOSED_REVERSED": Meaning(pt="Proposto: reverter", en="The first of two people would decide otherwise."),
    "PROPOSED_APPROVED": Meaning(pt="Proposto: aprovar", en="The first of two people would approve."),
    "PROPOSED_DENIED": Meaning(pt="Proposto: negar", en="The first of two people would deny."),
    "RETURNED": Meaning(pt="Devolvida", en="The second person gives the proposal back."),
}
_OUTCOMES = {
    "PAID": Meaning(pt="Pagou", en="The client paid as agreed."),
    "DEFAULTED": Meaning(pt="Inadimplente", en="The client defaulted."),
}
_STATUSES = {
    "recorded": Meaning(pt="Registrado", en="The first report on this decision."),
    "corrected": Meaning(pt="Corrigido", en="Another outcome was known before, and is kept as history."),
    "known": Meaning(pt="Já conhecido", en="Nothing new."),
}
_EXTENTS = {
    "any_combination": Meaning(pt="Nenhuma combinação de mudanças", en="No combination of changes would do."),
    "alone_or_in_pairs": Meaning(pt="Nenhuma mudança, só ou aos pares", en="No change would do, alone or in pairs."),
}
_HOLDS = {
    "every_better_value": Meaning(pt="Todo valor melhor", en="This value and every better one."),
    "every_lower_grid_value": Meaning(pt="Todo valor menor da grade", en="This value and every lower one of the grid."),
    "this_value": Meaning(pt="Só este valor", en="This value; of others nothing is known."),
}
_MEANINGS = {"Answer": _ANSWERS, "Outcome": _OUTCOMES, "Step": _STEPS, "Extent": _EXTENTS, "Holds": _HOLDS}
_MOVED = (  # enumerations that stand in a property, and the names they get
    ("Decision", "decision", "DecisionAnswer", _ANSWERS),
    ("ReviewStep", "step", "ReviewStepKind", _STEPS),
    ("RecordedOutcome", "status", "OutcomeStatus", _STATUSES),
)


def name_enums(schemas: Json, catalogue: Catalogue) -> None:
    """Give each enumeration of these schemas a name and the meanings of its values, in place."""
    for name, meanings in _MEANINGS.items():
        schemas[name] |= _explained(schemas[name]["enum"], meanings, schemas[name]["description"].rstrip("."))
    for model, name, own, meanings in _MOVED:
        found = schemas[model]["properties"][name]
        explained = _explained(found["enum"], meanings, found["description"].rstrip("."))
        schemas[own] = {"type": "string", "enum": found["enum"], "title": own, **explained}
        _refer(schemas[model], name, own)
    for field in catalogue.fields.values():
        if field.kind == "category":
            own = _own_name(field.name, schemas)
            schemas[own] = _category(field, own)
            _refer(schemas["Application"], field.name, own)


def _own_name(field: str, schemas: Json) -> str:
    """JobType for job_type; another where a schema is called so already."""
    name = "".join(part[:1].upper() + part[1:] for part in field.split("_"))
    return f"{name}Value" if name in schemas else name


def _category(field: ApplicationField, name: str) -> Json:
    untold = {value: Meaning(pt=title, en=title) for value, title in field.values.items()}
    title = f"{field.title_en} ({field.title})" if field.title_en else field.title
    explained = _explained(field.categories, untold | field.meanings, title)
    return {"type": "string", "enum": [*field.categories], "title": name, **explained}


def _explained(values: Sequence[str], meanings: Mapping[str, Meaning], title: str) -> Json:
    """What generators and Swagger show of these values."""
    told = [_in_both(meanings[value]) for value in values]
    listed = "\n".join(f"- `{value}`: {text}" for value, text in zip(values, told, strict=True))
    return {
        "description": f"{title}.\n\n{listed}",
        "x-enum-varnames": _variable_names(values),
        "x-enum-descriptions": told,
    }


def _in_both(meaning: Meaning) -> str:
    return meaning.pt if meaning.pt == meaning.en else f"{meaning.pt} / {meaning.en}"


def _variable_names(values: Sequence[str]) -> list[str]:
    """Names in ASCII that any language takes, each once."""
    found: list[str] = []
    for value in values:
        plain = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode().upper()
        name = re.sub(r"\W+", "_", plain).strip("_") or "VALUE"
        name = name if name[0].isalpha() else f"VALUE_{name}"
        found.append(name if name not in found else f"{name}_{len(found) + 1}")
    return found


def _refer(schema: Json, name: str, to: str) -> None:
    """Let a property refer to an enumeration in the place of its own."""
    own = schema["properties"][name]
    target = {"$ref": f"#/components/schemas/{to}"}
    if "anyOf" in own:
        schema["properties"][name] = {**own, "anyOf": [target if "enum" in each else each for each in own["anyOf"]]}
    else:
        kept = {key: value for key, value in own.items() if key not in ("enum", "type")}
        schema["properties"][name] = {**kept, **target}
