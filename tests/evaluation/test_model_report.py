"""The page of a model: everything a committee asks for, in one file that loads nothing and runs nothing."""

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.evaluation import plots
from credit_scoring.evaluation.model_report import READINGS, model_page
from credit_scoring.model.card import Comparison, Interval
from credit_scoring.policy.costs import CostMatrix
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.rules import Rule
from tests.evaluation.test_plots import HOSTILE, HOSTILE_CHANGES, around, assessment, card, dependence, groups
from tests.support.selection_bias import bias

TAG = "credit_scoring:3xk5q2ua6kz7dqwe"
RULE = Rule.model_validate(
    {
        "id": "TERM",
        "when": {"field": "term_months", "above": 120},
        "if_missing": "review",
        "then": "deny",
        "reason": "Prazo acima do permitido",
        "basis": "Regulamento",
    }
)
POLICY = Policy(name="own", threshold=0.3, review_from=0.25, costs=CostMatrix(), rules=(RULE,))
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Outline(HTMLParser):
    """What a browser finds in a page: its text, its elements in order, and those left open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.pieces: list[str] = []
        self.faults: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)
        if tag in {"td", "th", "li"}:
            self.pieces.append(" ")

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)

    @property
    def text(self) -> str:
        """All text, with one space for any white space."""
        return " ".join("".join(self.pieces).split())


@pytest.fixture(scope="module")
def page() -> str:
    return model_page(TAG, card(), CATALOGUE, assessment(), POLICY)


@pytest.fixture(scope="module")
def usual(page: str) -> Outline:
    return Outline(page)


@pytest.fixture(scope="module")
def bare() -> Outline:
    """A model of other data, below the gate and at a loss, of which little was measured."""
    alone = card().candidates[0].model_copy(update={"repeated_auc": None, "behind_best": None})
    made_of = card(
        features=("status_of_account",),
        candidates=(alone,),
        calibration_briers={},
        monotone_price=None,
        minimum_auc=0.9,
        test={**assessment().metrics, "auc": around(0.777)},
    )
    lost = tuple(each.model_copy(update={"profit": -1234.5}) for each in assessment().thresholds)
    nothing: dict[str, Any] = dict.fromkeys(("warnings", "groups", "importance", "partial_dependence"), ())
    field = {"title": "Conta corrente", "kind": "number"}
    own = Catalogue.model_validate({"name": "german", "fields": {"status_of_account": field}})
    return Outline(model_page(TAG, made_of, own, assessment(thresholds=lost, **nothing), POLICY))


@pytest.fixture(scope="module")
def other() -> Outline:
    """A model that kept every direction, compared by a field that it uses."""
    kept = tuple(each for each in dependence() if each.holds is not False)
    own = tuple(each.model_copy(update={"field": "housing"}) for each in groups())
    return Outline(model_page(TAG, card(), CATALOGUE, assessment(partial_dependence=kept, groups=own), POLICY))


@pytest.fixture(scope="module")
def hostile() -> Outline:
    hostile_gap = bias().fields[0].model_copy(update={"field": HOSTILE, "bin": HOSTILE})
    names = {
        "chosen": HOSTILE,
        "features": (HOSTILE,),
        "candidates": (card().candidates[0].model_copy(update={"name": HOSTILE, "parameters": {HOSTILE: HOSTILE}}),),
        "library_versions": {HOSTILE: HOSTILE},
        "calibration": HOSTILE,
        "calibration_briers": {HOSTILE: 0.1},
        "selection_bias": bias(no_study=HOSTILE, study=None, fields=(hostile_gap,)),
        "data": card().data.model_copy(update={"source": HOSTILE, "sha256": HOSTILE, "note": HOSTILE}),
    }
    measured = assessment(**HOSTILE_CHANGES, data=HOSTILE, note=HOSTILE, warnings=(HOSTILE,))
    noted = tuple(each.model_copy(update={"note": HOSTILE}) for each in measured.thresholds)
    metrics = {**measured.metrics, HOSTILE: around(0.5)}
    measured = measured.model_copy(update={"thresholds": noted, "metrics": metrics})
    return Outline(model_page(HOSTILE, card(**names), CATALOGUE, measured, POLICY))


@pytest.mark.parametrize("which", ["usual", "bare", "other", "hostile"])
def test_every_element_is_closed_in_its_place(which: str, request: pytest.FixtureRequest) -> None:
    found: Outline = request.getfixturevalue(which)
    assert (found.open, found.faults) == ([], [])


def test_the_page_says_which_direction_the_data_contradict_and_what_each_costs() -> None:
    prices = {
        "monthly_income": Interval(value=0.055, low=0.05, high=0.06),
        "outstanding_debt": Interval(value=0.001, low=-0.002, high=0.004),
    }
    missing = Interval(value=0.002, low=0.001, high=0.003)
    priced = card(direction_prices=prices, unpriced=("job_tenure_years",), missing_price=missing)
    text = " ".join(Outline(model_page(TAG, priced, CATALOGUE, assessment(), POLICY)).text.split())
    assert "The data contradict the declared direction of monthly_income" in text
    assert "0.055 [0.050, 0.060]. If they are right, train with --free monthly_income" in text
    assert "contradict the declared direction of outstanding_debt" not in text
    assert "up 0.001 [-0.002, 0.004]" in text
    assert "There was no time to price the directions of job_tenure_years" in text
    assert "no time to price that a missing value" not in text
    assert "counts as the worst one of a field with a direction costs 0.002 [0.001, 0.003] of AUC" in text


def test_the_page_says_how_many_rows_choice_calibration_and_threshold_are_from() -> None:
    text = " ".join(Outline(model_page(TAG, card(rows_compared=2000), CATALOGUE, assessment(), POLICY)).text.split())
    assert "Rows behind choice, calibration and threshold 2,000" in text
    older = Outline(model_page(TAG, card(), CATALOGUE, assessment(), POLICY)).text
    assert "Rows behind choice" not in older


def test_the_page_says_that_there_was_no_time_to_price_missing_values() -> None:
    text = Outline(model_page(TAG, card(missing_unpriced=True), CATALOGUE, assessment(), POLICY)).text
    assert "There was no time to price that a missing value counts as the worst one" in text


def test_of_a_model_trained_on_the_decision_log_the_page_says_what_it_cannot_know() -> None:
    text = Outline(model_page(TAG, card(selection_bias=bias()), CATALOGUE, assessment(), POLICY)).text
    for said in (
        "3,000 applications have a known outcome. 1,200 were refused and have none; of 300 approved ones it is not",
        "7 others without an outcome are left out",
        "1 of 2 parts have fewer than 20 outcomes; they hold 33.3 % of all applications and 75.0 % of the range",
        "1 10.0 % 2,990 10 0 99.7 %",
        "2 40.0 % 10 290 1,200 0.7 % extrapolated",
        "monthly_income Renda mensal 0.815 0.100 missing 2.6 % 18.3 %",
        "657 as well",
        "20.0 % [17.0, 23.0] of them defaulted, and 5.0 % [2.0, 8.0] of the others.",
        "AUC 0.650 [0.620, 0.680] 0.600 [0.570, 0.630] -0.050 [-0.080, -0.020]",
        "Default rate predicted 0.190 [0.160, 0.220] 0.050 [0.020, 0.080] -0.140 [-0.170, -0.110]",
    ):
        assert said in text.replace("\N{NO-BREAK SPACE}", " ")


def test_where_nobody_was_refused_and_nothing_could_be_studied_the_page_says_that() -> None:
    little = bias(refused=0, fields=(), study=None, no_study="there was no time left for it", unusable=0)
    found = Outline(model_page(TAG, card(selection_bias=little), CATALOGUE, assessment(), POLICY))
    assert "Too few were refused to say how they differ." in found.text
    assert "It was not measured: there was no time left for it." in found.text
    assert "are left out" not in found.text
    assert (found.open, found.faults) == ([], [])


def test_of_a_model_trained_on_a_file_the_page_says_nothing_of_it(usual: Outline) -> None:
    assert "without an outcome" not in usual.text.lower()


def test_only_of_clients_that_the_model_surely_does_not_know_the_page_says_that_it_was_not_trained_on_them(
    usual: Outline,
) -> None:
    known, doubt = (
        "clients that the model was not trained on (test part)",
        "It cannot be seen whether the model was trained",
    )
    assert known in usual.text
    assert doubt not in usual.text
    doubtful = Outline(model_page(TAG, card(), CATALOGUE, assessment(unseen=False), POLICY)).text
    assert "Measured on 1,000 clients (test part), of whom 28.0 % defaulted. It cannot be seen" in doubtful
    assert "not trained on (" not in doubtful


def test_a_hostile_name_stays_text(hostile: Outline) -> None:
    assert "script" not in hostile.elements
    assert hostile.text.count("<script>alert(") >= 20


@pytest.mark.parametrize("which", ["usual", "bare", "other", "hostile"])
def test_the_page_runs_and_loads_nothing(which: str, request: pytest.FixtureRequest) -> None:
    found: Outline = request.getfixturevalue(which)
    addresses = [value for name, value in found.attributes if name in {"src", "href", "xlink:href", "srcset", "action"}]
    assert {*found.elements}.isdisjoint({"script", "link", "iframe", "img", "object", "embed", "form", "base"})
    assert [value for value in addresses if not (value or "").startswith("#")] == []
    assert [name for name, _ in found.attributes if name.startswith("on")] == []


def test_the_styles_load_nothing(page: str) -> None:
    assert "@import" not in page
    assert {target[0] for target in re.findall(r"url\(([^)]*)\)", page)} == {"#"}


def test_no_two_elements_share_an_id(usual: Outline) -> None:
    ids = [value for name, value in usual.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_the_same_model_gives_the_same_page(page: str) -> None:
    assert page == model_page(TAG, card(), CATALOGUE, assessment(), POLICY)


def test_the_page_is_a_document_in_a_named_language(page: str) -> None:
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')


def test_the_verdict_comes_first_and_the_warnings_right_after(usual: Outline) -> None:
    verdict, warning, data = (usual.text.index(each) for each in ("ranks a defaulter", "Spanish and old.", "SHA-256"))
    assert verdict < warning < data


def test_the_verdict_tells_auc_recall_and_approval_rate_with_intervals(usual: Outline) -> None:
    assert "83.0 % of the time, AUC 0.830 [0.800, 0.860]; at its threshold of 0.27 it denies 81.8 %" in usual.text
    assert re.search(r"approves \d+\.\d % \[\d+\.\d, \d+\.\d\] of all applications", usual.text)


def test_every_warning_is_on_the_page(usual: Outline) -> None:
    assert [each for each in assessment().warnings if each not in usual.text] == []


def test_without_warnings_the_page_says_so(bare: Outline) -> None:
    assert "No warnings" in bare.text


@pytest.mark.parametrize("title", plots.FIGURES)
def test_every_picture_is_there_once_with_how_to_read_it(title: str, usual: Outline, page: str) -> None:
    assert page.count(plots.svg(plots.FIGURES[title](assessment()))) == 1
    assert usual.text.count(READINGS[title]) == 1
    assert title in usual.text


def test_a_reading_is_one_sentence_about_a_picture_that_exists() -> None:
    assert READINGS.keys() == plots.FIGURES.keys()
    assert [each for each in READINGS.values() if each.count(". ") or not each.endswith(".")] == []


def test_the_data_is_named_with_its_fingerprint_and_what_was_left_out(usual: Outline) -> None:
    for each in ("data/raw/credit_data.csv", "ab" * 32, "4,000 to train on, 1,000 to test on", "Bad rows left out 3"):
        assert each in usual.text


def test_the_fields_used_and_those_missing_are_named_in_both_languages(usual: Outline) -> None:
    used, _, absent = usual.text.partition("absent from the data")
    assert "monthly_income Renda mensal" in used
    assert "job_type Vínculo de trabalho" in absent


def test_a_model_of_other_data_misses_no_field_of_an_application(bare: Outline) -> None:
    assert "absent from the data" not in bare.text


def test_the_chosen_candidate_and_the_threshold_in_use_are_highlighted(page: str) -> None:
    rows = re.findall(r'<tr class="chosen"><th scope="row">(.*?)</th>', page)
    assert rows == ["lightgbm (chosen)", "0.27 (in use)"]


def test_a_candidate_without_repeated_results_has_a_dash(bare: Outline) -> None:
    assert "0.831 ± 0.012 0.700 ± 0.030 – –" in bare.text


def test_a_loss_is_shown_below_zero(bare: Outline) -> None:
    assert "−R$ 1,234.50" in bare.text


def test_a_group_is_shown_with_its_size_and_what_is_unknown_of_it(usual: Outline) -> None:
    assert re.search(r"age Idade 66\+ 12 3 \S+ % \[\S+ \S+\] too few too few", usual.text)


def test_without_groups_the_page_says_that_nothing_is_known_of_them(bare: Outline) -> None:
    assert "fairness by group cannot be measured" in bare.text


def test_a_group_by_a_field_that_the_model_uses_is_pointed_out(other: Outline) -> None:
    assert "The model uses housing Moradia itself." in other.text


def test_the_fields_that_broke_and_kept_their_direction_are_named(usual: Outline) -> None:
    assert "for at least one sampled client, in: credit_history_years Histórico de crédito." in usual.text
    assert "Risk never moved against its declared direction for any sampled client, in: monthly_income" in usual.text


def test_where_every_direction_held_nothing_is_said_to_be_broken(other: Outline) -> None:
    assert "against its declared direction for at least one" not in other.text
    assert "Risk never moved against its declared direction for any sampled client" in other.text


def test_where_no_direction_is_declared_the_page_says_so(bare: Outline) -> None:
    assert "No field with a declared direction of risk was tried." in bare.text


def test_a_model_that_was_compared_with_another_says_how_they_differ() -> None:
    against = Comparison(tag="credit_scoring:champion1", auc=0.81, difference=around(0.02))
    text = Outline(model_page(TAG, card(against=against), CATALOGUE, assessment(), POLICY)).text
    assert f"differs by {around(0.02)} from that of credit_scoring:champion1, 0.810; above 0, it is better." in text


def test_the_policy_is_shown_with_its_costs_and_each_rule_in_words(usual: Outline) -> None:
    assert f"{POLICY.version} own" in usual.text
    assert "0.3; EM_ANALISE from 0.25" in usual.text
    assert "Rule TERM Prazo is above 120 months: NEGADO; if that is missing: EM_ANALISE." in usual.text
    assert "Prazo acima do permitido (Regulamento)" in usual.text


def test_gini_stands_beside_the_deciles_and_there_is_a_place_to_sign(usual: Outline) -> None:
    auc = assessment().metrics["auc"].value
    assert f"2 · AUC − 1: {2 * auc - 1:.3f}" in usual.text
    assert "Approved by" in usual.text


def test_a_model_below_the_gate_is_said_to_be_below(bare: Outline) -> None:
    assert "AUC on the test part, 0.777, is below the 0.9 that the gate asks for." in bare.text


def test_metrics_at_training_are_shown_where_they_differ(bare: Outline) -> None:
    assert "0.830 [0.800, 0.860] 0.777 [0.747, 0.807]" in bare.text


def test_the_limits_carry_the_note_on_the_data(usual: Outline) -> None:
    assert "On the data it was trained on: Spanish, old, for the demo only." in usual.text
    assert "It must not be used:" in usual.text


def test_seed_parameters_and_versions_are_there_to_make_it_again(usual: Outline) -> None:
    made = usual.text.partition("Reproducibility")[2]
    for each in ("2026-02-03 04:05:06+00:00", "Seed 42", "learning_rate 0.05", "max_depth 3", "scikit-learn 1.9.1"):
        assert each in made


def test_the_page_holds_no_escape_of_an_escape(page: str) -> None:
    assert unescape(unescape(page)) == unescape(page)
