"""The report on a model: what was measured, as JSON for programs and a page for people."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.schemas import Answer
from credit_scoring.data.datasets import Dataset
from credit_scoring.errors import DataError
from credit_scoring.evaluation.assessment import assess
from credit_scoring.evaluation.html import environment
from credit_scoring.evaluation.plots import FIGURES, HALF, svg
from credit_scoring.evaluation.results import Assessment, Importance, PartialDependence
from credit_scoring.evaluation.unseen import unseen_part
from credit_scoring.model.card import Interval, ModelCard
from credit_scoring.model.reference import NOTABLE
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.words import in_words

ASSESSMENT_FILE = "assessment.json"
PAGE_FILE = "card.html"


def measured(scorer: Scorer, dataset: Dataset) -> Assessment:
    """The model, measured on the part of this data that it was not trained on, as far as that can be seen."""
    absent = [name for name in scorer.card.features if name not in dataset.frame]
    if absent:
        raise DataError(
            f"Data of source {dataset.source}: its fields are those of the catalogue {dataset.catalogue.name}, without "
            f"{', '.join(absent)}, which the model uses. Evaluate on a file with its fields: --source csv --path."
        )
    part = unseen_part(scorer.card, dataset)
    return assess(scorer, part.clients, part.data, scorer.card.seed, unseen=part.unseen)


def write(tag: str, scorer: Scorer, assessment: Assessment, folder: Path) -> Path:
    """Write both forms of the report to a folder; returns the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ASSESSMENT_FILE).write_text(assessment.model_dump_json(indent=1), encoding="utf-8")
    page = folder / PAGE_FILE
    page.write_text(model_page(tag, scorer.card, scorer.catalogue, assessment, scorer.policy), encoding="utf-8")
    return page


READINGS = {
    "ROC curve": "The further the curve bends to the upper left, the better the model tells defaulters from payers; "
    "on the dashed diagonal it would be guessing.",
    "Precision and recall": "Denying more of the defaulters (to the right) costs precision: "
    "more of those denied would have paid.",
    "Kolmogorov–Smirnov distance": "The longer the black line between the two curves, "
    "the more clearly the risks of defaulters lie above those of payers.",
    "Reliability": "Where a point's interval touches the diagonal, observed and predicted default rate agree; "
    "above it the risk was underestimated, below it overestimated.",
    "Profit by threshold": "The higher the curve, the more a threshold would have earned; "
    "the filled point is the threshold in use, the hollow one the best in hindsight.",
    "Risk by outcome": "Each colour is one outcome, in shares of its clients; "
    "the less the two overlap, the fewer clients are decided wrongly.",
    "Importance of fields": "A long bar on the left means that the model ranks worse without the field, "
    "one on the right that the field moves the risk a lot, rightly or not.",
    "Partial dependence": "Each panel sets one field to the same value for all clients and shows the mean risk; "
    "dots are values, lines join numbers.",
    "Approval rate by group": "Groups whose intervals do not overlap are probably approved at different rates "
    "beyond this sample as well; that alone does not say why.",
}


METRICS = {
    "auc": ("AUC", "how often a defaulter is ranked above a payer; 0.5 is guessing, 1 is perfect"),
    "ks": ("KS", "largest gap between the cumulative risks of defaulters and payers"),
    "brier": ("Brier score", "mean squared error of the risk probability; the lower the better"),
    "calibration_error": ("Calibration error", "mean distance of predicted and observed share; the lower the better"),
    "recall": ("Recall", "share of defaulters that get NEGADO at the threshold"),
    "precision": ("Precision", "share of the denied that default"),
    "approval_rate": ("Approval rate", "share of applications that get APROVADO"),
}


APPROVED_METRICS = {
    "auc": (
        "AUC",
        "how often a defaulter is ranked above a payer; lower than for all applicants, whose risks differ more",
    ),
    "recall": (
        "Recall",
        "share of defaults that were denied; defaults of denied clients are estimated by their risk",
    ),
    "default_rate": ("Default rate", "share that defaulted"),
    "calibration_ratio": ("Observed over predicted defaults", "1 means as predicted"),
}


@dataclass(frozen=True)
class Picture:
    """A drawn figure with the sentence that says how to read it; a wide one takes the whole row."""

    title: str
    reading: str
    drawing: Markup
    wide: bool


@dataclass(frozen=True)
class MonotoneCheck:
    """Names of the fields with a declared direction of risk: those that follow it, and those that violate it."""

    kept: tuple[str, ...]
    broken: tuple[str, ...]


def model_page(tag: str, card: ModelCard, catalogue: Catalogue, assessment: Assessment, policy: Policy) -> str:
    """The page of the model with this tag in the store; the same arguments give the same page.

    `assessment.metrics` and `card.test` must contain `auc`, `ks`, `recall`, `precision` and `approval_rate`.
    """
    titles = {name: field.title for name, field in catalogue.fields.items()}
    template = environment(titles).get_template("model.html")
    return template.render(
        tag=tag,
        card=card,
        assessment=assessment,
        metrics=assessment.metrics,
        gate=_gate(card),
        pictures={title: _picture(title, assessment) for title in FIGURES},
        chosen=next((each for each in card.candidates if each.name == card.chosen), None),
        metric_names=METRICS,
        approved_metric_names=APPROVED_METRICS,
        importance=by_worth(assessment.importance),
        monotone=monotone_check(assessment.partial_dependence),
        moves=catalogue.moves,
        absent=[name for name in catalogue.features if name not in card.features],
        compared=tuple(dict.fromkeys(each.field for each in assessment.groups)),
        answers=Answer,
        policy=policy,
        rules=[(rule, in_words(rule, catalogue)) for rule in policy.rules],
        bias=card.selection_bias,
        effect_names={"auc": "AUC", "predicted_default_rate": "Default rate predicted"},
        notable=NOTABLE,
        gini=_gini(assessment.metrics["auc"]),
    )


def monotone_check(fields: Iterable[PartialDependence]) -> MonotoneCheck:
    """Which fields follow their declared direction for every sampled client, and which do not."""
    declared = [each for each in fields if each.holds is not None]
    return MonotoneCheck(
        kept=tuple(each.field for each in declared if each.holds),
        broken=tuple(each.field for each in declared if not each.holds),
    )


def by_worth(fields: Iterable[Importance]) -> list[Importance]:
    """The fields by loss of AUC, greatest first."""
    return sorted(fields, key=lambda each: each.auc_loss.value, reverse=True)


def _gini(auc: Interval) -> Interval:
    """2 · AUC − 1."""
    return Interval(value=2 * auc.value - 1, low=2 * auc.low - 1, high=2 * auc.high - 1)


def _gate(card: ModelCard) -> dict[str, tuple[Interval, float, bool]]:
    """The value on the test part, the minimum, and whether the gate is passed."""
    least = {"auc": card.minimum_auc, "recall": card.minimum_recall}
    return {name: (card.test[name], minimum, card.test[name].value >= minimum) for name, minimum in least.items()}


def _picture(title: str, assessment: Assessment) -> Picture:
    figure = FIGURES[title](assessment)
    drawing = Markup(svg(figure))  # noqa: S704 - matplotlib escapes the names in it
    return Picture(title, READINGS[title], drawing, figure.get_figwidth() > HALF)
