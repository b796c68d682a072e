"""`credit-scoring decisions subject`: all that is held on one application, in a form that can be handed over."""

from collections.abc import Iterator, Mapping
from functools import partial
from html import escape
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import JsonValue
from pydantic_core import to_json

from credit_scoring.application.catalogue import shipped
from credit_scoring.application.fields import REAIS, ApplicationField
from credit_scoring.application.schemas import REPLACES, SOURCES
from credit_scoring.cli.decisions import DatabaseOption, console, open_log
from credit_scoring.cli.reasons import decisions
from credit_scoring.decisions.dossiers import Dossier
from credit_scoring.decisions.export import whole
from credit_scoring.decisions.moments import local
from credit_scoring.decisions.subject import Subject, subject
from credit_scoring.errors import ConfigurationError
from credit_scoring.model.catalogues import catalogue_of
from credit_scoring.review.formats import SOURCE_NAMES, consulted, value_of

__all__ = ["decisions"]

Line = tuple[str, str]
Section = tuple[str, list[Line]]

STEPS = {
    "REQUESTED": "Revisão pedida",
    "UPHELD": "Decisão mantida",
    "REVERSED": "Decisão revertida",
    "APPROVED": "Aprovada após análise",
    "DENIED": "Negada após análise",
    "PROPOSED_UPHELD": "Manutenção proposta, à espera de uma segunda pessoa",
    "PROPOSED_REVERSED": "Reversão proposta, à espera de uma segunda pessoa",
    "PROPOSED_APPROVED": "Aprovação proposta, à espera de uma segunda pessoa",
    "PROPOSED_DENIED": "Negativa proposta, à espera de uma segunda pessoa",
    "RETURNED": "Proposta devolvida por uma segunda pessoa",
}
ANSWERS = {"APROVADO": "Aprovado", "EM_ANALISE": "Em análise", "NEGADO": "Negado"}
PAGES = {"dossier": "dossiê", "letter": "carta ao cliente"}
OUTCOMES = {"PAID": "Pago", "DEFAULTED": "Inadimplente"}
FLAGS = {True: "sim", False: "não", None: "não informado"}

_PAGE = """<!doctype html>
<html lang="pt-BR"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font:16px/1.5 sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}}
dt{{font-weight:bold}}dd{{margin:0 0 .5rem}}</style></head>
<body><h1>{title}</h1>
{body}
</body></html>
"""


@decisions.command("subject")
def show_subject(
    application_id: Annotated[str, typer.Argument(help="The client's application id.")],
    owner: Annotated[
        str | None, typer.Option(show_default="the only one", help="Owner of the key that sent it; '' for none.")
    ] = None,
    database: DatabaseOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for titular.html and titular.json.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Show all that is held on one application: in Portuguese for the client, as JSON in full.

    The JSON has names of keys and reviewers; look at it before you hand it over.
    """
    if output and as_json:
        raise ConfigurationError("--output and --json: expected one of them; --output writes the JSON, too.")
    found = open_log(database).run_now(partial(subject, application_id, owner), reading=True)
    if output:
        _write(found, output)
    else:
        print(to_json(found, indent=2).decode() if as_json else _text(found))


def _write(found: Subject, folder: Path) -> None:
    contents = {"titular.json": to_json(found, indent=2).decode(), "titular.html": _html(found)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"--output {folder}: cannot be made ({error.strerror}). Name another.") from error
    for name, content in contents.items():
        with whole(folder / name) as partial_file:
            partial_file.touch(mode=0o600)
            partial_file.write_text(content, encoding="utf-8")
        print(folder / name)
    console.print("They hold personal data: hand them over by a safe way, and delete them then.", soft_wrap=True)


def _title(found: Subject) -> str:
    return f"Dados guardados sobre a proposta {found.application_id}"


def _text(found: Subject) -> str:
    parts = [_title(found)]
    for title, lines in _sections(found):
        parts += ["", title, *(f"  {name}: {value}" for name, value in lines)]
    return "\n".join(parts)


def _html(found: Subject) -> str:
    body = "\n".join(
        f"<h2>{escape(title)}</h2>\n<dl>"
        + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in lines)
        + "</dl>"
        for title, lines in _sections(found)
    )
    return _PAGE.format(title=escape(_title(found)), body=body)


def _sections(found: Subject) -> Iterator[Section]:
    yield "Consulta", [("Feita em", f"{local(found.read_at)} (horário de Brasília)")]
    for held in found.decisions:
        sections = (_decision, _received, _rules, _reasons, _reviews, _outcomes)
        yield from (made for section in sections if (made := section(held.dossier))[1])
        if looks := held.rows.get("looks"):
            yield "Consultas a estes dados", [
                (local(each["seen_at"]), PAGES.get(each["page"], str(each["page"]))) for each in looks
            ]


def _decision(dossier: Dossier) -> Section:
    links = [("Substitui a proposta", dossier.replaces.application_id or "")] if dossier.replaces else []
    later = (each.application_id or f"sem número (decisão {each.decision_id})" for each in dossier.replaced_by)
    return f"Decisão {dossier.decision_id}", [
        ("Dada em", f"{local(dossier.decided_at)} (horário de Brasília)"),
        ("Resposta", ANSWERS[dossier.decision]),
        ("Vale hoje", ANSWERS[dossier.effective_decision]),
        ("Probabilidade de risco", _decimal(dossier.risk_probability, 4)),
        ("Limite de risco", _decimal(dossier.threshold, 4)),
        ("Modelo", dossier.model),
        ("Política", dossier.policy_version),
        *links,
        *(("Substituída pela proposta", each) for each in later),
    ]


def _received(dossier: Dossier) -> Section:
    catalogue = catalogue_of(dossier.model, None) or shipped()
    fields, sources = catalogue.all_fields, dossier.received.get(SOURCES)
    of = sources if isinstance(sources, dict) else {}
    lines = [
        (fields[name].title if name in fields else name, f"{_value(value, fields.get(name))}{_source(of.get(name))}")
        for name, value in dossier.received.items()
        if name not in (SOURCES, REPLACES)
    ]
    return "Dados recebidos na proposta", lines


def _rules(dossier: Dossier) -> Section:
    return "Regras não atendidas", [
        (rule.id, f"{rule.reason}{f' ({rule.basis})' if rule.basis else ''}") for rule in dossier.rules
    ]


def _reasons(dossier: Dossier) -> Section:
    against = dossier.reasons.score.against if dossier.reasons and dossier.reasons.score else ()
    return "Motivos informados", [(f"Motivo {place}", reason.text) for place, reason in enumerate(against, start=1)]


def _reviews(dossier: Dossier) -> Section:
    return "Revisão por pessoas", [
        (f"{STEPS.get(each.step, each.step)} em {local(each.recorded_at)}", each.reason) for each in dossier.reviews
    ]


def _outcomes(dossier: Dossier) -> Section:
    return "Desfechos informados", [
        (f"{OUTCOMES[each.outcome]}, conhecido em", f"{each.observed_on:%d/%m/%Y}") for each in dossier.outcomes
    ]


def _value(value: JsonValue, field: ApplicationField | None) -> str:
    if value is None or isinstance(value, bool):
        return FLAGS[value]
    if field and field.unit == REAIS and isinstance(value, int | float):
        return f"R$ {_decimal(value, 2)}"
    return value_of(field, value)


def _decimal(value: float, places: int) -> str:
    """As Brazilians write numbers: 1.234,50."""
    return f"{value:,.{places}f}".translate(str.maketrans(",.", ".,"))


def _source(source: Any) -> str:
    if not isinstance(source, Mapping):
        return ""
    name, at = source["source"], source.get("consulted_at")
    return f" (fonte: {SOURCE_NAMES.get(name, name)}{f', consultada em {consulted(at)}' if at else ''})"
