"""Every picture of an assessment draws, whatever the assessment holds, and comes out the same each time."""

import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.evaluation import plots
from credit_scoring.evaluation.results import (
    Assessment,
    Curve,
    GroupResult,
    Importance,
    Label,
    PartialDependence,
    ReliabilityBin,
    ThresholdResult,
)
from credit_scoring.model.card import CandidateResult, DataSummary, Interval, ModelCard

Draw = Callable[[Assessment], Figure]

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert('$x^$')</script>&\n日本"
EVERY_FIGURE = pytest.mark.parametrize("draw", plots.FIGURES.values(), ids=plots.FIGURES.keys())
THRESHOLD = 0.27


def around(value: float, reach: float = 0.03) -> Interval:
    return Interval(value=value, low=value - reach, high=value + reach)


def cumulative(risk: Any) -> Curve:
    return Curve(x=tuple(np.sort(risk)), y=tuple(np.arange(1, len(risk) + 1) / len(risk)))


def assessment(**changes: Any) -> Assessment:
    """What would be measured of 1,000 clients, 280 of whom defaulted."""
    generator = np.random.default_rng(1)
    payers, defaulters = generator.beta(1.5, 6, 720), generator.beta(3, 4, 280)
    grid = np.linspace(0, 1, 101)
    recall, false_alarms = [(each[:, None] >= grid).mean(axis=0) for each in (defaulters, payers)]
    hits, alarms = 280 * recall, 720 * false_alarms
    edges = np.linspace(0, 1, 26)
    at = int(THRESHOLD * 100)
    measured: dict[str, Any] = {
        "data": "test part",
        "rows": 1000,
        "default_rate": 0.28,
        "threshold": THRESHOLD,
        "metrics": {
            "auc": around(0.83),
            "ks": around(0.51),
            "brier": around(0.15),
            "recall": around(recall[at]),
            "precision": around(hits[at] / (hits[at] + alarms[at])),
            "approval_rate": around(1 - (hits[at] + alarms[at]) / 1000),
        },
        "roc": Curve(x=tuple(false_alarms[::-1]), y=tuple(recall[::-1])),
        "precision_recall": Curve(x=tuple(recall[:60]), y=tuple(hits[:60] / (hits[:60] + alarms[:60]))),
        "cumulative_payers": cumulative(payers),
        "cumulative_defaulters": cumulative(defaulters),
        "reliability": tuple(
            ReliabilityBin(predicted=risk, observed=around(risk * 0.95 + 0.02, 0.06), rows=100)
            for risk in (0.04, 0.09, 0.14, 0.18, 0.23, 0.28, 0.35, 0.43, 0.54, 0.71)
        ),
        "histogram_edges": tuple(edges),
        "histogram_payers": tuple(np.histogram(payers, edges)[0]),
        "histogram_defaulters": tuple(np.histogram(defaulters, edges)[0]),
        "profit": Curve(x=tuple(grid), y=tuple(2400 * (1 - false_alarms) - 2500 * (1 - recall))),
        "thresholds": threshold_results(),
        "groups": groups(),
        "importance": importance(),
        "partial_dependence": dependence(),
        "labels": {
            name: Label(title=each.title, unit=each.unit, kind=each.kind) for name, each in CATALOGUE.fields.items()
        },
        "warnings": ("The data are Spanish and old.", "Only 12 clients are above 65."),
    }
    return Assessment(**{**measured, **changes})


def threshold_results() -> tuple[ThresholdResult, ...]:
    notes = {0.2: "least cost on these data", THRESHOLD: "in use", 0.31: "break-even", 0.5: ""}
    return tuple(
        ThresholdResult(
            threshold=each,
            approval_rate=0.4 + each / 2,
            recall=0.9 - each / 2,
            precision=0.4 + each / 3,
            profit=900 - 1000 * abs(each - 0.2),
            chosen=each == THRESHOLD,
            note=note,
        )
        for each, note in notes.items()
    )


def groups() -> tuple[GroupResult, ...]:
    sizes = {"age": {"18-25": 210, "26-40": 480, "41-65": 298, "66+": 12}, "marital_status": {"SINGLE": 300}}
    sizes["marital_status"] |= {"MARRIED": 650, "WIDOWED": 9}
    return tuple(
        GroupResult(
            field=field,
            group=group,
            rows=rows,
            defaulters=rows // 4,
            approval_rate=around(0.5 + rows / 3000, 1 / rows**0.5),
            recall=around(0.7, 1.4 / rows**0.5) if rows > 20 else None,
            calibration=around(1.02, 2 / rows**0.5) if rows > 20 else None,
        )
        for field, sizes_of in sizes.items()
        for group, rows in sizes_of.items()
    )


def importance() -> tuple[Importance, ...]:
    losses = {"job_tenure_years": 0.062, "monthly_income": 0.048, "has_negative_record": 0.04, "housing": -0.001}
    return tuple(
        Importance(field=field, auc_loss=around(loss, 0.008), log_odds_share=5 * abs(loss) + 0.02)
        for field, loss in losses.items()
    )


def dependence() -> tuple[PartialDependence, ...]:
    numbers = (0.0, 800.0, 1500.0, 2600.0, 4000.0, 12500.0)
    falling = (0.41, 0.36, 0.3, 0.27, 0.24, 0.22)
    homes = ("OWNER", "RENT", "PARENTS", "PRIVATE", "MORTGAGE", "OTHER")
    free = {"risk_moves": None, "holds": None}
    return (
        varied("monthly_income", numbers, falling, risk_moves="down", holds=True),
        varied("outstanding_debt", numbers, falling[::-1], risk_moves="up", holds=True),
        varied("credit_history_years", (0.0, 2.0, 5.0, 20.0), (0.3, 0.34, 0.28, 0.2), risk_moves="down", holds=False),
        varied("has_negative_record", (0.0, 1.0), (0.26, 0.52), risk_moves="up", holds=True),
        varied("housing", homes, (0.22, 0.31, 0.33, 0.29, 0.25, 0.4), **free),
        varied("term_months", (6.0, 12.0, 36.0, 60.0), (0.27, 0.28, 0.29, 0.3), **free),
    )


def varied(field: str, values: tuple[Any, ...], risk: tuple[float, ...], **rest: Any) -> PartialDependence:
    return PartialDependence(field=field, values=values, risk=risk, **rest)


def card(**changes: Any) -> ModelCard:
    """The card of a model that the assessment above could be of."""
    candidates = tuple(
        CandidateResult(
            name=name,
            trials=30,
            auc_mean=auc,
            auc_std=0.012,
            recall_mean=0.7,
            recall_std=0.03,
            parameters={"learning_rate": 0.05, "max_depth": 3},
            repeated_auc=around(auc, 0.02),
            behind_best=around(0.831 - auc, 0.004),
        )
        for name, auc in {"lightgbm": 0.831, "xgboost": 0.829, "logistic_regression": 0.811}.items()
    )
    made_of: dict[str, Any] = {
        "trained_at": datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
        "data": DataSummary(
            source="data/raw/credit_data.csv",
            sha256="ab" * 32,
            note="Spanish, old, for the demo only.",
            rows_train=4000,
            rows_test=1000,
            bad_rows=3,
            default_rate=0.28,
        ),
        "features": ("monthly_income", "outstanding_debt", "housing", "credit_letter_value"),
        "seed": 42,
        "chosen": "lightgbm",
        "candidates": candidates,
        "calibration": "sigmoid, of sigmoid, none, beta, isotonic, by held-out Brier score",
        "calibration_briers": {"sigmoid": 0.1412, "none": 0.1431},
        "monotone_price": around(0.001, 0.002),
        "test": assessment().metrics,
        "minimum_auc": 0.75,
        "minimum_recall": 0.5,
        "library_versions": {"lightgbm": "4.6.0", "scikit-learn": "1.9.1"},
    }
    return ModelCard(**{**made_of, **changes})


HOSTILE_CHANGES: dict[str, Any] = {
    "groups": tuple(each.model_copy(update={"field": HOSTILE, "group": HOSTILE}) for each in groups()),
    "importance": tuple(each.model_copy(update={"field": HOSTILE}) for each in importance()),
    "partial_dependence": (varied(HOSTILE, (HOSTILE, "\x00"), (0.1, 0.2), risk_moves="up", holds=False),),
}
OUTSIDE = Interval(value=0.2, low=0.21, high=0.3)
EDGE_CASES: dict[str, tuple[Draw, dict[str, Any]]] = {
    "no groups": (plots.approval_by_group, {"groups": ()}),
    "groups of one field": (plots.approval_by_group, {"groups": groups()[:1]}),
    "hostile groups": (plots.approval_by_group, HOSTILE_CHANGES),
    "no importance": (plots.importance, {"importance": ()}),
    "importance of one hostile field": (plots.importance, {"importance": HOSTILE_CHANGES["importance"][:1]}),
    "no partial dependence": (plots.partial_dependence, {"partial_dependence": ()}),
    "a hostile field": (plots.partial_dependence, HOSTILE_CHANGES),
    "a field of one value without risk": (
        plots.partial_dependence,
        {"partial_dependence": (varied("age", (30.0,), (0.0,), risk_moves=None, holds=None),)},
    ),
    "one reliability bin": (plots.reliability, {"reliability": assessment().reliability[:1]}),
    "no reliability bin": (plots.reliability, {"reliability": ()}),
    "a value outside its interval": (
        plots.reliability,
        {"reliability": (ReliabilityBin(predicted=0.1, observed=OUTSIDE, rows=9),)},
    ),
    "one histogram bin": (
        plots.score_distribution,
        {"histogram_edges": (0.0, 1.0), "histogram_payers": (720,), "histogram_defaulters": (280,)},
    ),
    "no defaulter in the histogram": (plots.score_distribution, {"histogram_defaulters": (0,) * 25}),
    "one point of profit": (plots.profit, {"profit": Curve(x=(0.27,), y=(10.0,))}),
}


def texts(figure: Figure) -> list[str]:
    """Every text of the picture, as a reader sees it."""
    root = ElementTree.fromstring(plots.svg(figure))  # noqa: S314 - our own picture
    return ["".join(each.itertext()).strip() for each in root.iter(f"{SVG}text")]


@EVERY_FIGURE
def test_a_picture_is_well_formed_and_draws_without_a_warning(draw: Draw) -> None:
    assert texts(draw(assessment()))


@pytest.mark.parametrize(("draw", "changes"), EDGE_CASES.values(), ids=EDGE_CASES.keys())
def test_a_picture_of_little_or_odd_data_draws_as_well(draw: Draw, changes: dict[str, Any]) -> None:
    assert texts(draw(assessment(**changes)))


@EVERY_FIGURE
def test_the_same_assessment_gives_the_same_bytes(draw: Draw) -> None:
    figure = draw(assessment())
    first = plots.svg(figure)
    assert first == plots.svg(draw(assessment()))
    assert first == plots.svg(figure)


def test_pictures_drawn_in_threads_are_the_ones_drawn_one_by_one() -> None:
    drawn = [plots.svg(draw(assessment())) for draw in plots.FIGURES.values()]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda draw: plots.svg(draw(assessment())), plots.FIGURES.values())) == drawn


def test_no_two_pictures_share_an_id() -> None:
    ids = [
        name for draw in plots.FIGURES.values() for name in re.findall(r'\bid="([^"]*)"', plots.svg(draw(assessment())))
    ]
    assert len(ids) == len(set(ids)) > 0


@EVERY_FIGURE
def test_a_picture_finds_all_that_it_refers_to_in_itself(draw: Draw) -> None:
    drawn = plots.svg(draw(assessment()))
    wanted = re.findall(r'(?:url\(|href=")#?([^")]*)', drawn)
    assert set(wanted) <= set(re.findall(r'\bid="([^"]*)"', drawn))


@EVERY_FIGURE
def test_a_picture_tells_no_date_and_no_maker(draw: Draw) -> None:
    drawn = plots.svg(draw(assessment()))
    assert drawn.startswith('<svg role="img" aria-label="')
    assert "<metadata" not in drawn


def test_a_picture_is_labelled_with_its_title() -> None:
    assert [draw(assessment()).get_label() for draw in plots.FIGURES.values()] == list(plots.FIGURES)


def test_pyplot_is_never_imported() -> None:
    assert "matplotlib.pyplot" not in {name for name, each in vars(plots).items() if each is sys.modules.get(name)}


def test_the_roc_curve_tells_the_auc_with_its_interval() -> None:
    assert "Model, AUC 0.830 [0.800, 0.860]" in texts(plots.roc(assessment()))


def test_the_threshold_lies_on_the_roc_curve() -> None:
    measured = assessment()
    (axes,) = plots.roc(measured).axes
    x, y = np.asarray(axes.lines[-1].get_xydata())[0]
    assert y == pytest.approx(np.interp(x, measured.roc.x, measured.roc.y), abs=1e-9)


def test_the_largest_gap_is_found_where_the_curves_are_furthest_apart() -> None:
    payers, defaulters = Curve(x=(0.1, 0.2, 0.3), y=(0.5, 0.9, 1.0)), Curve(x=(0.15, 0.4), y=(0.25, 1.0))
    figure = plots.kolmogorov_smirnov(assessment(cumulative_payers=payers, cumulative_defaulters=defaulters))
    gap = figure.axes[0].lines[2]
    assert np.asarray(gap.get_xydata()).tolist() == [[0.3, 1.0], [0.3, 0.25]]
    assert "Largest gap, 0.510 [0.480, 0.540]" in texts(figure)


def test_the_best_threshold_on_the_data_is_marked_beside_the_chosen_one() -> None:
    shown = texts(plots.profit(assessment(profit=Curve(x=(0.1, 0.2, 0.27, 0.5), y=(1.0, 9.0, 7.0, -2.0)))))
    assert "Best on these data, 0.20" in shown
    assert "At the threshold, 0.27" in shown


def test_the_distribution_says_on_which_side_each_decision_lies() -> None:
    assert "APROVADO below 0.27, NEGADO from there on" in texts(plots.score_distribution(assessment()))


def test_the_distribution_of_each_class_sums_to_one() -> None:
    (axes,) = plots.score_distribution(assessment()).axes
    for patch in axes.patches:
        heights, edges, _ = patch.get_data()  # type: ignore[attr-defined]
        assert (heights * np.diff(edges)).sum() == pytest.approx(1)


def test_the_most_valuable_field_stands_on_top_with_its_portuguese_title() -> None:
    left = plots.importance(assessment()).axes[0]
    assert left.get_yticklabels()[-1].get_text() == "job_tenure_years (Tempo no emprego)"


def test_a_broken_direction_is_said_and_drawn_in_the_warning_colour() -> None:
    panels = plots.partial_dependence(assessment()).axes
    colours = {each.get_title(loc="left").split("\n")[0]: each.lines[0].get_color() for each in panels}
    assert [field for field, colour in colours.items() if colour == plots.WARNING] == ["credit_history_years"]
    assert "BROKEN: declared “risk may only fall”" in texts(plots.partial_dependence(assessment()))


def test_a_flag_is_shown_as_no_and_yes() -> None:
    assert {"no", "yes"} <= set(texts(plots.partial_dependence(assessment())))


def test_a_panel_without_a_field_stays_empty() -> None:
    assert len(plots.partial_dependence(assessment()).axes) == len(dependence())


def test_groups_of_a_field_share_a_panel_though_they_come_apart() -> None:
    apart = groups()[::2] + groups()[1::2]
    assert len(plots.approval_by_group(assessment(groups=apart)).axes) == 2


def test_a_panel_above_an_empty_place_has_its_own_scale() -> None:
    third = tuple(each.model_copy(update={"field": "region"}) for each in groups()[:2])
    panels = plots.approval_by_group(assessment(groups=groups() + third)).axes
    assert [each.xaxis.get_tick_params()["labelbottom"] for each in panels] == [True] * 3


def test_a_group_is_shown_with_its_size() -> None:
    assert "66+ (n = 12)" in texts(plots.approval_by_group(assessment()))


def test_what_was_not_measured_is_said() -> None:
    empty = assessment(groups=(), importance=(), partial_dependence=())
    drawn = [plots.approval_by_group(empty), plots.importance(empty), plots.partial_dependence(empty)]
    assert [len(texts(figure)) for figure in drawn] == [1, 1, 1]


def test_a_hostile_name_is_shown_as_it_is() -> None:
    assert f"{HOSTILE[:31]}…" in texts(plots.partial_dependence(assessment(**HOSTILE_CHANGES)))
