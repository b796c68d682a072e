"""The template of the letter to the client: ours, or one that the lender has put in its place."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from credit_scoring.errors import ConfigurationError
from credit_scoring.review import pages
from credit_scoring.review.fields import Line, Section
from credit_scoring.review.formats import FILTERS

SETTING = "CREDIT_SCORING_LETTER_TEMPLATE"
OURS = pages.FOLDER / "templates" / "letter.html"


@dataclass(frozen=True)
class Letter:
    """All that a letter may say; no number that a client cannot use."""

    lender: str
    contact: str
    today: str
    decided_on: str
    protocol: str
    answer: str
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    sections: tuple[Section, ...]
    reviewed_by_people: bool


_SAMPLE_LINE = Line("renda", "Renda mensal", "R$ 1.000", True, "Declarado", "26/11/2026", False)
SAMPLE = Letter(
    lender="Administradora",
    contact="Central de atendimento",
    today="26/11/2026",
    decided_on="26/11/2026",
    protocol="P-1",
    answer="NEGADO",
    rules=("Prazo acima do permitido",),
    reasons=("Dívidas em aberto elevadas",),
    sections=(Section("Renda e despesas", (_SAMPLE_LINE,)),),
    reviewed_by_people=True,
)


class LetterTemplate:
    """Renders letters in a sandbox, escaped; raises ConfigurationError for a template that cannot do so."""

    def __init__(self, file: Path | None) -> None:
        environment = SandboxedEnvironment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
        environment.filters |= FILTERS
        path = file or OURS
        self.is_lenders = file is not None
        try:
            self._template = environment.from_string(path.read_text(encoding="utf-8"))
            self.render(SAMPLE)
        except OSError as error:
            raise ConfigurationError(f"{SETTING}={path}: cannot be read ({error.strerror}).") from error
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"{SETTING}={path}: expected UTF-8.") from error
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise ConfigurationError(
                f"{SETTING}={path}: {error}. Compare it with {OURS.name} of this version."
            ) from error

    def render(self, letter: Letter) -> str:
        """The letter as a page."""
        values: dict[str, Any] = {"letter": letter}
        return self._template.render(values)
