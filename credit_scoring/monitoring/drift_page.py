"""The report on a period as a page: one HTML file with nothing to load from elsewhere."""

from markupsafe import Markup

from credit_scoring.evaluation.html import environment
from credit_scoring.evaluation.plots import svg
from credit_scoring.model.reference import RISK
from credit_scoring.monitoring.drift_plots import distribution, performance
from credit_scoring.monitoring.drift_report import PeriodReport


def period_page(report: PeriodReport) -> str:
    """The page of this report; the same report gives the same page."""
    drawings = {each.bins.field: Markup(svg(distribution(each))) for each in report.fields}  # noqa: S704 - ours
    over_time = Markup(svg(performance(report.cohorts, report.tested))) if report.cohorts else None  # noqa: S704 - ours
    return (
        environment()
        .get_template("period.html")
        .render(report=report, drawings=drawings, over_time=over_time, risk=RISK)
    )
