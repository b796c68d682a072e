"""Pages from templates: escaped always, with headers under which nothing but them is loaded; and pages of errors."""

import logging
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response

from credit_scoring.errors import (
    CreditScoringError,
    DecisionLogError,
    RateLimitError,
    RequestError,
    UnavailableError,
    place_of,
)
from credit_scoring.review.formats import FILTERS

FOLDER = Path(__file__).parent
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",  # without one, browsers send forms with the origin `null`
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_LENDERS_POLICY = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'"
FAILED = "O serviço falhou. Nada foi registrado. Tente de novo; se persistir, avise quem cuida do serviço."
UNAVAILABLE = "O serviço não está pronto ou não alcança o registro de decisões. Tente de novo em instantes."

_OF_KIND = {
    "no_decision": "Não há decisão registrada com este número.",
    "no_decision_log": "Este serviço não guarda decisões (CREDIT_SCORING_DECISION_LOG=off). Sem elas, a mesa não tem o "
    "que mostrar; fale com quem cuida do serviço.",
    "no_keys": "Sem chaves de API configuradas, a mesa só atende a própria máquina do serviço.",
    "not_found": "Esta página não existe.",
    "method": "Esta página não recebe este tipo de pedido.",
    "form_token": "O formulário não veio desta sessão. Nada foi registrado. Atualize a página e envie de novo.",
    "review_order": "Este passo não cabe na situação atual do caso. Nada foi registrado.",
    "same_person": "A segunda pessoa não pode ser a primeira. Outra pessoa precisa confirmar.",
    "review_changed": "Outro passo foi registrado enquanto você analisava. Este envio não foi registrado: veja o "
    "histórico.",
    "observed_in_future": "A data do desfecho está no futuro. Informe o dia em que ele foi conhecido.",
    "observed_before_decision": "A data do desfecho é anterior à decisão. Informe o dia em que ele foi conhecido.",
    "erased": "Os dados desta decisão foram eliminados; o dossiê diz quando e por quê.",
    "no_model": "O modelo que decidiu não está mais neste serviço, e só com ele se dizem os motivos. "
    "Peça a quem cuida do serviço que o importe de novo.",
    "no_reasons": "O modelo que decidiu não tem como dar motivos.",
    "no_levers": "O catálogo deste modelo não tem campos que o cliente possa mudar; não há o que simular.",
    "form": "O formulário não chegou inteiro ou não pôde ser lido. Nada foi registrado. Envie de novo.",
    "content_type": "A mesa só recebe formulários das suas próprias páginas. Nada foi registrado. Abra a página e "
    "envie por ela.",
    "rate_limit": "Muitos pedidos em pouco tempo. Espere um minuto e tente de novo.",
    "invalid_application": "A proposta não cabe no catálogo de campos do modelo em uso.",
    "timeout": "O formulário não chegou a tempo. Envie de novo.",
    "too_large": "O formulário é grande demais.",
}

logger = logging.getLogger(__name__)

_environment = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_environment.filters |= FILTERS


def rendered(template: str, **values: Any) -> str:
    """A template of ours with these values."""
    return _environment.get_template(template).render(values)


def page(template: str, status: int = 200, **values: Any) -> Response:
    """A page of this template."""
    return html(rendered(template, **values), status)


def html(content: str, status: int = 200) -> Response:
    """A page under our headers."""
    return Response(content, status, HEADERS, media_type="text/html")


def lenders_html(content: str) -> Response:
    """A page that a lender has written: its own styles and pictures are in it."""
    return Response(content, headers=HEADERS | {"Content-Security-Policy": _LENDERS_POLICY}, media_type="text/html")


def redirect(path: str) -> Response:
    """Go on to this page of ours by GET."""
    return Response(status_code=303, headers={**HEADERS, "Location": path})


def told(error: CreditScoringError) -> str:
    """What went wrong, in Portuguese."""
    return _OF_KIND.get(error.kind, FAILED) if isinstance(error, RequestError) else UNAVAILABLE


def error_page(error: Exception, **values: Any) -> Response:
    """The page of a failure; what we did wrong is logged, without a value."""
    status, sentence = 500, FAILED
    if isinstance(error, RequestError):
        status, sentence = error.status, told(error)
    elif isinstance(error, UnavailableError | DecisionLogError):
        status, sentence = 503, UNAVAILABLE
        logger.warning("%s", error)
    else:
        logger.error("Unexpected %s at %s", type(error).__name__, place_of(error))
    has_queue = not (isinstance(error, RequestError) and error.kind == "no_decision_log")
    response = page("error.html", status, sentence=sentence, has_queue=has_queue, **values)
    if isinstance(error, RateLimitError | UnavailableError):
        response.headers["Retry-After"] = str(error.retry_after)
    return response
