"""Figures for the credit committee, measured on clients with known outcomes."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from joblib import parallel_config
from scipy.special import logit
from sklearn.inspection import permutation_importance
from sklearn.metrics import precision_recall_curve, roc_curve

from credit_scoring.application.arrays import Flags, Floats
from credit_scoring.application.fields import ApplicationField
from credit_scoring.data.datasets import Dataset
from credit_scoring.data.samples import rows_to_fold, sampled
from credit_scoring.evaluation.approved import FEWEST_OF_EACH, metrics_of_approved
from credit_scoring.evaluation.fairness import group_results, group_warnings
from credit_scoring.evaluation.first_reasons import first_reasons, reason_warnings
from credit_scoring.evaluation.months import by_month
from credit_scoring.evaluation.performance import bootstrap, measure, share
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
from credit_scoring.model.card import Interval
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.costs import THRESHOLDS, CostMatrix

CURVE_POINTS = 200
RELIABILITY_BINS = 10
HISTOGRAM_BINS = 40
SHUFFLES = 5
SHUFFLED_ROWS = 10_000
SAMPLE = 200
GRID = 21
SMALLEST_RISK = 1e-6
SHAPLEY_ORDERS = 20
ROUNDING = 1e-12
TABLE_THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)


def assess(scorer: Scorer, part: Dataset, data: str, seed: int = 0, *, unseen: bool = True) -> Assessment:
    """Measure a scorer on these clients; `data` describes them, `unseen` says if it surely was trained on none."""
    defaulted, risk = part.defaulted, scorer.score(part.frame)
    threshold = scorer.policy.threshold
    generator = np.random.default_rng(seed)
    groups = tuple(group_results(part, risk, threshold))
    dependence = tuple(_partial_dependences(scorer, part, generator))
    metrics = bootstrap(defaulted, risk, threshold, seed=seed)
    approved = metrics_of_approved(defaulted, risk, threshold)
    edges = np.linspace(0, 1, HISTOGRAM_BINS + 1)
    reasons = tuple(first_reasons(scorer, part, risk, seed))
    return Assessment(
        data=data,
        unseen=unseen,
        rows=len(risk),
        default_rate=float(defaulted.mean()),
        threshold=threshold,
        metrics=metrics,
        approved=approved,
        roc=_curve(*roc_curve(defaulted, risk)[:2]),
        precision_recall=_curve(*precision_recall_curve(defaulted, risk)[1::-1]),
        cumulative_payers=_cumulative(risk[~defaulted]),
        cumulative_defaulters=_cumulative(risk[defaulted]),
        reliability=tuple(reliability(defaulted, risk)),
        histogram_edges=tuple(edges.tolist()),
        histogram_payers=tuple(np.histogram(risk[~defaulted], edges)[0].tolist()),
        histogram_defaulters=tuple(np.histogram(risk[defaulted], edges)[0].tolist()),
        profit=_profit_curve(part, risk, scorer.policy.costs),
        thresholds=tuple(_threshold_table(part, risk, scorer)),
        groups=groups,
        importance=tuple(_importances(scorer, part, generator)),
        partial_dependence=dependence,
        first_reasons=reasons,
        months=tuple(by_month(part, risk, threshold)),
        labels={
            name: Label(title=each.title, unit=each.unit, kind=each.kind)
            for name, each in part.catalogue.fields.items()
        },
        note=" ".join(part.note.split()),
        warnings=(*_warnings(unseen, metrics, approved, groups, dependence), *reason_warnings(reasons)),
    )


def reliability(defaulted: Flags, risk: Floats) -> Iterator[ReliabilityBin]:
    """Clients in bins of equal size by risk; intervals by Wilson's score."""
    for rows in np.array_split(np.argsort(risk, kind="stable"), min(RELIABILITY_BINS, len(risk))):
        observed = share(int(defaulted[rows].sum()), len(rows))
        yield ReliabilityBin(predicted=float(risk[rows].mean()), observed=observed, rows=len(rows))


def profit(defaulted: Flags, risk: Floats, exposure: Floats, threshold: float, costs: CostMatrix) -> float:
    """Profit in R$ per application, compared with denying all: margins on payers less losses on defaulters."""
    approved = risk < threshold
    earned = exposure[approved & ~defaulted].sum() * costs.margin
    lost = exposure[approved & defaulted].sum() * costs.loss_given_default
    return float(earned - lost) / len(risk)


def _curve(x: Floats, y: Floats) -> Curve:
    kept = np.unique(np.linspace(0, len(x) - 1, min(CURVE_POINTS, len(x))).astype(int))
    return Curve(x=tuple(x[kept].tolist()), y=tuple(y[kept].tolist()))


def _cumulative(risk: Floats) -> Curve:
    ordered = np.sort(risk)
    return _curve(ordered, np.arange(1, len(ordered) + 1) / len(ordered))


def _profit_curve(part: Dataset, risk: Floats, costs: CostMatrix) -> Curve:
    values = [profit(part.defaulted, risk, part.exposure, each, costs) for each in THRESHOLDS]
    return Curve(x=tuple(THRESHOLDS.tolist()), y=tuple(values))


def _threshold_table(part: Dataset, risk: Floats, scorer: Scorer) -> Iterator[ThresholdResult]:
    chosen, costs = scorer.policy.threshold, scorer.policy.costs
    curve = _profit_curve(part, risk, costs)
    notes = {
        round(costs.break_even, 2): "break-even of the costs",
        curve.x[int(np.argmax(curve.y))]: "most profit on these data",
    }
    for threshold in sorted({*TABLE_THRESHOLDS, chosen, *notes}):
        found = measure(part.defaulted, risk, threshold)
        yield ThresholdResult(
            threshold=threshold,
            approval_rate=found["approval_rate"],
            recall=found["recall"],
            precision=found["precision"],
            profit=profit(part.defaulted, risk, part.exposure, threshold, costs),
            chosen=threshold == chosen,
            note=notes.get(threshold, ""),
        )


def _importances(scorer: Scorer, part: Dataset, generator: np.random.Generator) -> Iterator[Importance]:
    """Most important field first, by the AUC lost when it is shuffled (Breiman 2001): mean and range over shuffles.

    With many clients, on a sample of them that has enough of either outcome.
    """
    features, seed = list(scorer.card.features), int(generator.integers(2**32))
    part = sampled(part, rows_to_fold(part, SHUFFLED_ROWS), seed)
    data = part.frame[features], part.defaulted
    with parallel_config("threading"):  # trees score without the interpreter lock, and processes would have to start
        losses = permutation_importance(
            scorer.pipeline, *data, scoring="roc_auc", n_repeats=SHUFFLES, random_state=seed, n_jobs=-1
        ).importances
    shares = _log_odds_shares(scorer, part, generator)
    for i in np.argsort(-losses.mean(axis=1), kind="stable"):
        auc_loss = Interval(value=losses[i].mean(), low=losses[i].min(), high=losses[i].max())
        yield Importance(field=features[i], auc_loss=auc_loss, log_odds_share=shares[features[i]])


def _log_odds_shares(scorer: Scorer, part: Dataset, generator: np.random.Generator) -> dict[str, float]:
    """Mean absolute Shapley value of each field in the log-odds, by sampled orders (Strumbelj & Kononenko 2014).

    Starting from the fields of another client, a client's own fields are put in one by one, in random order. A field's
    share is the change of the log-odds when it is put in.
    """
    features = list(scorer.card.features)
    rows = generator.choice(len(part.frame), min(SAMPLE, len(part.frame)), replace=False)
    clients = part.frame.iloc[rows][features].reset_index(drop=True)
    shares = {name: np.zeros(len(clients)) for name in features}
    for _ in range(SHAPLEY_ORDERS):
        mixed = [clients.iloc[generator.permutation(len(clients))].reset_index(drop=True)]
        order = generator.permutation(features)
        for name in order:
            mixed.append(mixed[-1].assign(**{name: clients[name]}))
        log_odds = _log_odds(scorer, pd.concat(mixed)).reshape(len(mixed), len(clients))
        for name, change in zip(order, np.diff(log_odds, axis=0), strict=True):
            shares[name] += change / SHAPLEY_ORDERS
    return {name: float(np.abs(each).mean()) for name, each in shares.items()}


def _log_odds(scorer: Scorer, frame: pd.DataFrame) -> Floats:
    """Log-odds of each row, clipped: isotonic calibration gives risks of 0 and 1, whose log-odds are infinite."""
    log_odds: Floats = logit(np.clip(scorer.score(frame), SMALLEST_RISK, 1 - SMALLEST_RISK))
    return log_odds


def _partial_dependences(scorer: Scorer, part: Dataset, generator: np.random.Generator) -> Iterator[PartialDependence]:
    rows = generator.choice(len(part.frame), min(SAMPLE, len(part.frame)), replace=False)
    clients = part.frame.iloc[rows][list(scorer.card.features)].reset_index(drop=True)
    for name in scorer.card.features:
        if part.frame[name].isna().all():  # another portfolio may not have the field
            continue
        field = scorer.catalogue.fields[name]
        values = _grid(part.frame[name], field)
        each_with_all = clients.iloc[np.tile(np.arange(len(clients)), len(values))]
        asked = each_with_all.assign(**{name: np.repeat(values, len(clients))})
        risks = scorer.score(asked).reshape(len(values), len(clients))
        moves = field.risk_moves
        steps = np.diff(risks, axis=0) * (-1 if moves == "down" else 1)
        yield PartialDependence(
            field=name,
            values=tuple(values),
            risk=tuple(risks.mean(axis=1).tolist()),
            risk_moves=moves,
            holds=bool((steps >= -ROUNDING).all()) if moves else None,
        )


def _grid(values: "pd.Series[float]", field: ApplicationField) -> list[float | str]:
    if field.kind == "category":
        return sorted(set(values.dropna()))
    if field.kind == "flag":
        return [0.0, 1.0]
    spread = np.nanquantile(values.to_numpy(dtype=np.float64), np.linspace(0.01, 0.99, GRID))
    return list(np.unique(spread).tolist())


def _warnings(
    unseen: bool,
    metrics: dict[str, Interval],
    approved: dict[str, Interval],
    groups: Sequence[GroupResult],
    dependence: Sequence[PartialDependence],
) -> Iterator[str]:
    if not unseen:
        yield (
            "It cannot be seen whether the model was trained on some of these clients. If it was, these figures are "
            "too good: leave such clients out."
        )
    error = metrics["calibration_error"]
    if error.low > 0.05:
        yield f"The model is poorly calibrated: calibration error {error}."
    if "auc" not in approved:
        yield (
            f"Fewer than {FEWEST_OF_EACH} of the approved clients defaulted, or fewer than {FEWEST_OF_EACH} paid: "
            "too few for the alerts on realised performance."
        )
    for each in dependence:
        if each.holds is False:
            yield f"For some clients, risk moves against the declared direction of {each.field}."
    yield from group_warnings(groups)
