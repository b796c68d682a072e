"""Recording rules and alerts, by Prometheus' own tools."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.data.datasets import Dataset
from credit_scoring.model.reference import RISK, DriftReference, FieldBins, psi, reference_of
from credit_scoring.settings import PROJECT_FOLDER
from tests.support.prometheus import panels
from tests.support.promtool import (
    CRITICAL,
    MODEL,
    STEP_MINUTES,
    WARNING,
    Yaml,
    alerts,
    constant,
    groups,
    promtool_test,
    promtool_test_of,
    require_tools,
    rising,
    rules,
    run,
    series,
)

DEPLOY = PROJECT_FOLDER / "deploy"
BOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
OPERATIONS = PROJECT_FOLDER / "docs" / "operations.md"
DAY = 24 * 60 // STEP_MINUTES
SELDOM_MINUTES = 20


@pytest.fixture(scope="module", autouse=True)
def _prometheus_is_there() -> None:
    require_tools()


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def test_prometheus_takes_the_configuration_and_the_rules() -> None:
    run("promtool", "check", "config", DEPLOY / "prometheus" / "prometheus.yml")


def test_alertmanager_takes_its_configuration() -> None:
    run("amtool", "check-config", DEPLOY / "alertmanager" / "alertmanager.yml")


def test_one_pod_that_is_down_silences_no_alert_about_the_service() -> None:
    rules = yaml.safe_load((DEPLOY / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8"))["inhibit_rules"]
    of_a_pod = {"CreditScoringDown", "CreditScoringDecisionLogDown", "CreditScoringWorkersMissing"}
    silencing = {
        name for rule in rules for each in rule["source_matchers"] for name in re.findall(r"CreditScoring\w+", each)
    }
    assert silencing
    assert not silencing & of_a_pod


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_is_wrong_and_what_to_do(name: str) -> None:
    annotations = ALERTS[name]["annotations"]
    assert annotations["summary"].endswith((".", "?"))
    file, anchor = annotations["runbook"].split("#")
    assert PROJECT_FOLDER / file == OPERATIONS
    headings = re.findall(r"^#+ (\S+)$", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE)
    assert anchor in [heading.lower() for heading in headings]
    assert ALERTS[name]["labels"]["severity"] in {"warning", "critical"}


# Data drift


@pytest.fixture(scope="module")
def reference(dataset: Dataset) -> DriftReference:
    risk = np.random.default_rng(0).beta(1, 3, len(dataset.frame))
    return reference_of(dataset.frame, dataset.features, CATALOGUE, risk)


def of_field(bins: FieldBins, counts: Sequence[float], steps: int, **of: str) -> Iterator[Yaml]:
    """Two workers' worth of counters that rise by these counts in a day, and the field's reference."""
    yield constant("credit_scoring_reference_quantile", bins.quantile, steps, model=MODEL, field=bins.field)
    for label, count, share in zip(bins.labels, counts, bins.shares.tolist(), strict=True):
        labels = {"model": MODEL, "field": bins.field, "bin": label}
        yield constant("credit_scoring_reference_share", share, steps, **labels)
        for instance in ("one", "two"):
            yield rising(
                "credit_scoring_field_values_total", float(count) / 2 / DAY, steps, instance=instance, **labels, **of
            )


def day_of(reference: DriftReference, counts: Mapping[str, Sequence[float]], steps: int, **of: str) -> list[Yaml]:
    rows = constant("credit_scoring_reference_rows", reference.rows, steps, model=MODEL)
    return [rows, *(each for bins in reference.fields for each in of_field(bins, counts[bins.field], steps, **of))]


def drawn(reference: DriftReference, size: int, seed: int) -> dict[str, list[float]]:
    """As many decisions, drawn from the training distribution."""
    generator = np.random.default_rng(seed)
    shares = {bins.field: np.array(bins.counts) / sum(bins.counts) for bins in reference.fields}
    return {field: generator.multinomial(size, each).tolist() for field, each in shares.items()}


DRIFT_ALERTS = (
    "CreditScoringFieldDrift",
    "CreditScoringFieldDriftSlow",
    "CreditScoringFieldBroken",
    "CreditScoringScoreDrift",
)


@pytest.mark.parametrize("size", [200, 2_000, 20_000])
def test_decisions_distributed_as_in_training_raise_no_alert(
    reference: DriftReference, tmp_path: Path, size: int
) -> None:
    steps = DAY + 150
    quiet = [alerts(name, f"{hours}h") for name in DRIFT_ALERTS for hours in (2, 25, 33)]
    test = {"input_series": day_of(reference, drawn(reference, size, seed=size), steps), "alert_rule_test": quiet}
    promtool_test(tmp_path, test, judged_every=SELDOM_MINUTES)


def test_an_income_that_rose_by_a_third_raises_the_alert_of_this_field_and_of_no_other(
    dataset: Dataset, reference: DriftReference, tmp_path: Path
) -> None:
    size, steps = 20_000, DAY + 150
    counts = drawn(reference, size, 1)
    income = next(bins for bins in reference.fields if bins.field == "monthly_income")
    now = 1.3 * np.random.default_rng(1).choice(dataset.frame["monthly_income"].to_numpy(), size)
    counts["monthly_income"] = income.count(now.tolist()).astype(float).tolist()
    labels = {"severity": "warning", "model": MODEL, "field": "monthly_income"}
    expected = [alerts("CreditScoringFieldDrift", "25h", labels), alerts("CreditScoringScoreDrift", "25h")]
    gap = psi(income, np.array(counts["monthly_income"]))
    recorded = f'abs(credit_scoring:field_psi:24h{{field="monthly_income"}} - {gap!r}) < bool 1e-6'
    agrees = {
        "expr": recorded,
        "eval_time": "25h",
        "exp_samples": [{"labels": f'{{model="{MODEL}", field="monthly_income"}}', "value": 1}],
    }
    test = {"input_series": day_of(reference, counts, steps), "alert_rule_test": expected, "promql_expr_test": [agrees]}
    promtool_test(tmp_path, test, judged_every=SELDOM_MINUTES)


def test_a_field_that_has_moved_raises_the_alert_of_the_week_though_that_is_judged_twice_an_hour(
    reference: DriftReference, tmp_path: Path
) -> None:
    counts = drawn(reference, 20_000, 1)
    counts["monthly_income"] = [20_000.0, *[0.0] * (len(counts["monthly_income"]) - 1)]
    labels = {**WARNING, "model": MODEL, "field": "monthly_income"}
    expected = [alerts("CreditScoringFieldDriftSlow", "6h"), alerts("CreditScoringFieldDriftSlow", "7h", labels)]
    test = {"input_series": day_of(reference, counts, 120), "alert_rule_test": expected}
    promtool_test_of("CreditScoringFieldDriftSlow", tmp_path, test)


SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
SIGHT_S = 300  # how far Prometheus looks back for a sample


def seconds(text: str) -> int:
    """Of a length of time such as 15s."""
    return int(text[:-1]) * SECONDS[text[-1]]


def out_of_sight(expression: str, group: str = "") -> list[str]:
    """The records of other groups that it may miss: made seldom, and read without a range that spans two of them."""
    seldom = {
        rule["record"]: interval
        for each in groups()
        if each["name"] != group and (interval := seconds(each.get("interval", "15s"))) >= SIGHT_S
        for rule in each["rules"]
        if "record" in rule
    }
    read = re.findall(r"(credit_scoring:[\w:]+)(?:\{[^}]*\})?(?:\[(\w+)\])?", expression)
    return [name for name, span in read if name in seldom and (not span or seconds(span) < 2 * seldom[name])]


@pytest.mark.parametrize("group", [*groups()], ids=lambda group: group["name"])
def test_no_rule_reads_a_record_of_another_group_that_may_be_out_of_sight(group: Yaml) -> None:
    assert not [name for rule in group["rules"] for name in out_of_sight(rule["expr"], group["name"])]


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_no_panel_shows_gaps_between_records(path: Path) -> None:
    shown = [target["expr"] for panel in panels(json.loads(path.read_text())) for target in panel["targets"]]
    assert not [name for expression in shown for name in out_of_sight(expression)]


def test_risks_that_moved_raise_an_alert_of_their_own(reference: DriftReference, tmp_path: Path) -> None:
    counts = drawn(reference, 5_000, 2)
    counts[RISK] = [*counts[RISK][5:-1], *counts[RISK][:5], 0]
    counts[RISK][0] += 3_000
    expected = alerts("CreditScoringScoreDrift", "25h", {"severity": "warning", "model": MODEL, "field": RISK})
    test = {"input_series": day_of(reference, counts, DAY + 150), "alert_rule_test": [expected]}
    promtool_test(tmp_path, test, judged_every=SELDOM_MINUTES)


def test_a_field_that_a_sender_leaves_out_is_told_within_the_hour(reference: DriftReference, tmp_path: Path) -> None:
    counts: dict[str, list[float]] = {
        name: [24.0 * count for count in each] for name, each in drawn(reference, 1_000, 3).items()
    }
    counts["housing"] = [0.0] * (len(counts["housing"]) - 1) + [24_000.0]
    labels = {"severity": "critical", "model": MODEL, "field": "housing"}
    expected = alerts("CreditScoringFieldBroken", "2h", labels)
    promtool_test(tmp_path, {"input_series": day_of(reference, counts, 45), "alert_rule_test": [expected]})


# Operation


def requests(steps: int, statuses: Mapping[str, tuple[float, float]], start: str = "0", **of: str) -> list[Yaml]:
    """Counters of /predict: requests a step in all, and within 100 ms, by status; `of` are more labels."""
    found = []
    for status, (all_of_them, in_time) in statuses.items():
        labels = {"endpoint": "predict", "status": status, **of}
        name = "credit_scoring_request_duration_seconds"
        found.append(series(f"{name}_count", f"{start}+{all_of_them}x{steps}", **labels))
        found.append(series(f"{name}_bucket", f"{start}+{in_time}x{steps}", **labels, le="0.1"))
    return found


def test_an_objective_that_is_kept_raises_no_alert(tmp_path: Path) -> None:
    quiet = [
        alerts(name, "80h")
        for name in ("CreditScoringLateFastBurn", "CreditScoringLateSlowBurn", "CreditScoringErrors")
    ] + [alerts("CreditScoringRefusals", "80h"), alerts("CreditScoringNoTraffic", "80h")]
    test = {"input_series": requests(1250, {"200": (10_000, 9_995), "400": (10, 10)}), "alert_rule_test": quiet}
    promtool_test(tmp_path, test, judged_every=SELDOM_MINUTES)


def test_one_late_answer_in_fifty_burns_the_budget_fast(tmp_path: Path) -> None:
    firing = alerts("CreditScoringLateFastBurn", "7h", CRITICAL)
    test = {"input_series": requests(150, {"200": (10_000, 9_800)}), "alert_rule_test": [firing]}
    promtool_test(tmp_path, test)


def test_one_late_answer_in_five_hundred_burns_the_budget_slowly(tmp_path: Path) -> None:
    tests = [alerts("CreditScoringLateSlowBurn", "80h", WARNING), alerts("CreditScoringLateFastBurn", "80h")]
    test = {"input_series": requests(1250, {"200": (10_000, 9_980)}), "alert_rule_test": tests}
    promtool_test(tmp_path, test, judged_every=SELDOM_MINUTES)


def test_failures_and_refusals_are_told_apart(tmp_path: Path) -> None:
    failing = requests(50, {"200": (9_900, 9_900), "500": (100, 0)})
    refusing = requests(50, {"200": (9_000, 9_000), "503": (1_000, 0)})
    promtool_test(
        tmp_path,
        {
            "input_series": failing,
            "alert_rule_test": [
                alerts("CreditScoringErrors", "2h", CRITICAL),
                alerts("CreditScoringRefusals", "2h"),
            ],
        },
        {
            "input_series": refusing,
            "alert_rule_test": [
                alerts("CreditScoringErrors", "2h"),
                alerts("CreditScoringRefusals", "2h", CRITICAL),
            ],
        },
    )


def test_silence_of_senders_service_monitor_and_log_is_told(tmp_path: Path) -> None:
    silent = requests(125, {"200": (0, 0)}, start="100")
    down = series("up", "0x125", job="credit-scoring", instance="one")
    unwritable = series("credit_scoring_decision_log_writable", "0x125", instance="one")
    promtool_test(
        tmp_path,
        {
            "input_series": [*silent, down, unwritable],
            "alert_rule_test": [
                alerts("CreditScoringNoTraffic", "2h", WARNING),
                alerts("CreditScoringDown", "2h", {**CRITICAL, "job": "credit-scoring", "instance": "one"}),
                alerts("CreditScoringDecisionLogDown", "2h", {**CRITICAL, "instance": "one"}),
                alerts("CreditScoringMonitorStale", "2h", WARNING),
            ],
        },
    )


def test_a_service_of_which_nothing_is_left_to_scrape_is_told(tmp_path: Path) -> None:
    gone = series("up", "1x5 _x50", job="credit-scoring", instance="one")
    test = {
        "input_series": [gone],
        "alert_rule_test": [
            alerts("CreditScoringAbsent", "16m"),
            alerts("CreditScoringAbsent", "1h", CRITICAL),
            alerts("CreditScoringDown", "1h"),
        ],
    }
    promtool_test(tmp_path, test)


def test_a_service_is_absent_when_all_of_its_instances_are_down_and_not_when_one_is(tmp_path: Path) -> None:
    one = series("up", "1x2 0x50", job="credit-scoring", instance="one")
    other = series("up", "1x15 0x50", job="credit-scoring", instance="other")
    test = {
        "input_series": [one, other],
        "alert_rule_test": [alerts("CreditScoringAbsent", "1h"), alerts("CreditScoringAbsent", "2h", CRITICAL)],
    }
    promtool_test(tmp_path, test)


def workers_of(instance: str, live: str) -> list[Yaml]:
    return [
        series("credit_scoring_workers_live", live, instance=instance),
        series("credit_scoring_workers_configured", "2x50", instance=instance),
    ]


def test_a_worker_that_stays_away_is_told_of_its_instance(tmp_path: Path) -> None:
    test = {
        "input_series": [
            *workers_of("halved", "2x5 1x45"),
            *workers_of("well", "2x50"),
            *workers_of("rolling", "3x50"),
        ],
        "alert_rule_test": [
            alerts("CreditScoringWorkersMissing", "20m"),
            alerts("CreditScoringWorkersMissing", "1h", {**WARNING, "instance": "halved"}),
        ],
    }
    promtool_test(tmp_path, test)


def test_decisions_that_wait_in_the_spool_are_told(tmp_path: Path) -> None:
    waiting = series("credit_scoring_decision_log_spooled", "5x50", instance="one")
    test = {"input_series": [waiting], "alert_rule_test": [alerts("CreditScoringDecisionLogLag", "1h", WARNING)]}
    promtool_test(tmp_path, test)


def test_a_policy_is_told_in_the_week_before_it_ends_and_once_it_has(tmp_path: Path) -> None:
    ends = "credit_scoring_policy_end_timestamp_seconds"
    steps, day = 9 * DAY, 24 * 3600.0
    given = [constant(ends, 8 * day, steps, policy="old", instance=name) for name in ("one", "two")]
    later = constant(ends, 100 * day, steps, policy="new", instance="one")
    old = {"policy": "old"}
    expected = [
        alerts("CreditScoringPolicyEnds", "20h"),
        alerts("CreditScoringPolicyEnds", "48h", {**WARNING, **old}),
        alerts("CreditScoringPolicyEnded", "48h"),
        alerts("CreditScoringPolicyEnds", "200h"),
        alerts("CreditScoringPolicyEnded", "200h", {**CRITICAL, **old}),
    ]
    test = {"input_series": [*given, later], "alert_rule_test": expected}
    promtool_test(tmp_path, test, judged_every=SELDOM_MINUTES)


# Concept drift


def realised(metric: str, low: float, high: float) -> list[Yaml]:
    bounds = {"low": low, "value": (low + high) / 2, "high": high}
    labels = {"model": MODEL, "metric": metric}
    return [constant("credit_scoring_realised", value, 50, bound=bound, **labels) for bound, value in bounds.items()]


def of_the_test_part(metric: str, low: float, high: float) -> list[Yaml]:
    """What the approved clients of the test part gave."""
    bounds = {"low": low, "high": high}
    labels = {"model": MODEL, "metric": metric}
    name = "credit_scoring_model_test_approved"
    return [constant(name, value, 50, bound=bound, **labels) for bound, value in bounds.items()]


TESTED = [*of_the_test_part("auc", 0.75, 0.80), *of_the_test_part("calibration_ratio", 0.8, 1.3)]
OF_ALL = constant("credit_scoring_model_test", 0.82, 50, model=MODEL, metric="auc", bound="low")


def test_a_model_that_ranks_approved_clients_as_those_of_its_test_part_raises_no_alert(tmp_path: Path) -> None:
    inputs = [*TESTED, OF_ALL, *realised("auc", 0.70, 0.80), *realised("calibration_ratio", 0.9, 1.1)]
    quiet = [alerts("CreditScoringConceptDrift", "1h"), alerts("CreditScoringCalibrationDrift", "1h")]
    promtool_test(tmp_path, {"input_series": inputs, "alert_rule_test": quiet})


def test_defaults_within_what_the_test_part_gave_or_within_a_fifth_raise_no_alert(tmp_path: Path) -> None:
    quiet = [alerts("CreditScoringCalibrationDrift", "1h")]
    wide, narrow = of_the_test_part("calibration_ratio", 0.7, 1.3), of_the_test_part("calibration_ratio", 0.95, 1.05)
    promtool_test(
        tmp_path,
        {"input_series": [*wide, *realised("calibration_ratio", 1.25, 1.5)], "alert_rule_test": quiet},
        {"input_series": [*wide, *realised("calibration_ratio", 0.5, 0.75)], "alert_rule_test": quiet},
        {"input_series": [*narrow, *realised("calibration_ratio", 1.1, 1.15)], "alert_rule_test": quiet},
        {"input_series": [*narrow, *realised("calibration_ratio", 0.85, 0.9)], "alert_rule_test": quiet},
    )


def test_fewer_defaults_than_the_test_part_gave_raise_an_alert(tmp_path: Path) -> None:
    inputs = [*of_the_test_part("calibration_ratio", 0.9, 1.1), *realised("calibration_ratio", 0.6, 0.75)]
    expected = alerts("CreditScoringCalibrationDrift", "1h", {**WARNING, "model": MODEL})
    promtool_test(tmp_path, {"input_series": inputs, "alert_rule_test": [expected]})


def test_a_model_without_figures_of_approved_clients_raises_no_alert(tmp_path: Path) -> None:
    inputs = [OF_ALL, *realised("auc", 0.5, 0.6), *realised("calibration_ratio", 2.0, 3.0)]
    quiet = [alerts("CreditScoringConceptDrift", "1h"), alerts("CreditScoringCalibrationDrift", "1h")]
    promtool_test(tmp_path, {"input_series": inputs, "alert_rule_test": quiet})


def test_a_model_that_ranks_worse_than_it_was_tested_raises_an_alert(tmp_path: Path) -> None:
    inputs = [*TESTED, *realised("auc", 0.60, 0.70), *realised("calibration_ratio", 1.4, 1.5)]
    expected = [
        alerts("CreditScoringConceptDrift", "1h", {**CRITICAL, "model": MODEL}),
        alerts("CreditScoringCalibrationDrift", "1h", {**WARNING, "model": MODEL}),
    ]
    promtool_test(tmp_path, {"input_series": inputs, "alert_rule_test": expected})


def covered(model: str, month: float, coverage: float) -> list[Yaml]:
    """The latest complete month of a model, as a time, and the share of its approved clients with an outcome."""
    start = constant("credit_scoring_realised_cohort_timestamp_seconds", month, 50, model=model)
    return [start, constant("credit_scoring_realised_coverage", coverage, 50, model=model)]


RETIRED, MONTH = "credit_scoring:retired", 30 * 86_400.0


def test_outcomes_are_missed_of_the_latest_month_and_not_of_models_that_were_retired_before_it(tmp_path: Path) -> None:
    told = alerts("CreditScoringOutcomesMissing", "2h", {**WARNING, "model": MODEL})
    promtool_test(
        tmp_path,
        {
            "input_series": [*covered(RETIRED, MONTH, 0.0), *covered(MODEL, 2 * MONTH, 0.8)],
            "alert_rule_test": [alerts("CreditScoringOutcomesMissing", "2h")],
        },
        {
            "input_series": [*covered(RETIRED, MONTH, 0.0), *covered(MODEL, 2 * MONTH, 0.4)],
            "alert_rule_test": [told],
        },
        {
            "input_series": [*covered("credit_scoring:b", 2 * MONTH, 0.9), *covered(MODEL, 2 * MONTH, 0.4)],
            "alert_rule_test": [told],
        },
    )


# A challenger


CANARY, STABLE = {"credit_scoring_track": "canary"}, {"credit_scoring_track": "stable"}
WELL, LATE = {"200": (1_000.0, 999.0)}, {"200": (1_000.0, 980.0)}
FAILING = {"200": (997.0, 997.0), "500": (3.0, 0.0)}


@pytest.mark.parametrize(
    ("challenger", "service", "firing"),
    [
        (WELL, LATE, set()),
        (LATE, WELL, {"CreditScoringCanaryLate"}),
        (FAILING, WELL, {"CreditScoringCanaryErrors"}),
        ({"503": (1_000.0, 0.0)}, WELL, {"CreditScoringCanaryLate"}),
        ({"200": (20.0, 10.0)}, WELL, set()),  # too few to tell
    ],
)
def test_a_challenger_is_judged_by_its_own_requests(
    tmp_path: Path,
    challenger: Mapping[str, tuple[float, float]],
    service: Mapping[str, tuple[float, float]],
    firing: set[str],
) -> None:
    names = ("CreditScoringCanaryLate", "CreditScoringCanaryErrors")
    expected = [alerts(name, "1h", *([{**CRITICAL, **CANARY}] if name in firing else [])) for name in names]
    pods = [constant("up", 1, 20, job="it", instance=name, **of) for name, of in (("one", CANARY), ("two", STABLE))]
    given = [*requests(20, challenger, job="it", instance="one", **CANARY), *requests(20, service, **STABLE), *pods]
    promtool_test(tmp_path, {"input_series": given, "alert_rule_test": expected})


def up(steps: int, track: Mapping[str, str]) -> list[Yaml]:
    """The two pods of `day_of`."""
    return [constant("up", 1, steps, job="it", instance=name, **track) for name in ("one", "two")]


@pytest.mark.parametrize(("track", "fires"), [(CANARY, True), (STABLE, False)])
def test_a_challenger_that_sees_other_clients_than_its_training_is_told_by_field(
    dataset: Dataset, reference: DriftReference, tmp_path: Path, track: Mapping[str, str], fires: bool
) -> None:
    counts = drawn(reference, 20_000, 1)
    income = next(bins for bins in reference.fields if bins.field == "monthly_income")
    now = 2 * np.random.default_rng(1).choice(dataset.frame["monthly_income"].to_numpy(), 20_000)
    counts["monthly_income"] = income.count(now.tolist()).astype(float).tolist()
    given = [*day_of(reference, counts, 60, job="it", **track), *up(60, track)]
    labels = {**CRITICAL, **CANARY, "field": "monthly_income", "model": MODEL}
    expected = alerts("CreditScoringCanaryDrift", "3h", *([labels] if fires else []))
    promtool_test(tmp_path, {"input_series": given, "alert_rule_test": [expected]})


def test_an_earlier_challengers_errors_are_not_held_against_the_next_one(tmp_path: Path) -> None:
    gone, new = {"job": "it", "instance": "gone", **CANARY}, {"job": "it", "instance": "new", **CANARY}
    given = [
        *requests(20, WELL, **new),
        *requests(20, {"200": (0.0, 0.0), "500": (300.0, 0.0)}, **gone),
        constant("up", 1, 20, **new),
        series("up", "1x13 stale", **gone),
    ]
    expected = [
        alerts("CreditScoringCanaryErrors", "40m", {**CRITICAL, **CANARY}),
        alerts("CreditScoringCanaryErrors", "1h"),
    ]
    promtool_test(tmp_path, {"input_series": given, "alert_rule_test": expected})


def test_a_challenger_that_sees_clients_as_in_training_is_left_alone(reference: DriftReference, tmp_path: Path) -> None:
    given = [*day_of(reference, drawn(reference, 20_000, 3), 60, job="it", **CANARY), *up(60, CANARY)]
    promtool_test(tmp_path, {"input_series": given, "alert_rule_test": [alerts("CreditScoringCanaryDrift", "3h")]})
