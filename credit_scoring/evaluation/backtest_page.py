"""A backtest as a folder: JSON for programs, and one page in Portuguese and English that loads and runs nothing."""

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure

from credit_scoring.decisions.export import whole
from credit_scoring.evaluation import backtest_plots as plots
from credit_scoring.evaluation.backtest_results import Backtest, QuadrantName
from credit_scoring.evaluation.html import environment
from credit_scoring.evaluation.languages import ENGLISH, PORTUGUESE, Language, MoneyUnit
from credit_scoring.evaluation.plots import svg
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.words import in_words

JSON_FILE, PAGE_FILE = "backtest.json", "backtest.html"


def write(found: Backtest, scorer: Scorer, folder: Path) -> Path:
    """Write both forms to a folder; the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {JSON_FILE: found.model_dump_json(indent=1), PAGE_FILE: page(found, scorer)}
    for name, text in contents.items():
        with whole(folder / name) as partial_file:
            partial_file.write_text(text, encoding="utf-8")
    return folder / PAGE_FILE


@dataclass(frozen=True)
class Article:
    """What the page shows in one language."""

    language: Language
    found: Backtest
    scorer: Scorer

    @property
    def quadrants(self) -> dict[QuadrantName, str]:
        """What the quadrants are called."""
        return plots.titles(self.language)

    @property
    def pictures(self) -> dict[str, Markup]:
        """The drawings, by name."""
        drawn = {
            each.__name__: each(self.found, self.language)
            for each in (plots.quadrants, plots.money, plots.stress, plots.funnel, plots.curve)
        }
        if self.found.groups:
            drawn["groups"] = plots.groups(self.found, self.language, self.group)
        return {name: _drawing(figure) for name, figure in drawn.items()}

    def rule(self, id: str) -> str:
        """A rule in words, where the row of the funnel is one."""
        rule = self.scorer.policy.rule(id)
        return in_words(rule, self.scorer.catalogue) if rule else ""

    def reason(self, id: str) -> str:
        """What a refused client reads."""
        rule = self.scorer.policy.rule(id)
        return rule.reason if rule else ""

    def group(self, field: str, group: str) -> str:
        """A group, as people call it."""
        entry = self.scorer.catalogue.fields[field]
        if not self.language.is_portuguese:
            return f"{field} {group}"
        known = {"True": "sim", "False": "não", **entry.values}
        return f"{entry.title}: {known.get(group, group)}"


def page(found: Backtest, scorer: Scorer) -> str:
    """The page; the same arguments give the same page."""
    articles = [Article(language, found, scorer) for language in (PORTUGUESE, ENGLISH)]
    return (
        environment({})
        .get_template("backtest.html")
        .render(found=found, articles=articles, unit=MoneyUnit.of(found.amounts))
    )


def _drawing(figure: Figure) -> Markup:
    return Markup(svg(figure))  # noqa: S704 - matplotlib escapes the names in it
