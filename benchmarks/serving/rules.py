"""`python -m benchmarks.serving.rules`: what 30 rules cost at the wire.

The newest model of the store answers 32 clients under its own policy and under one of 30 rules besides, interleaved,
with and without a decision log. Answers a second say it on a quiet machine; on one that is shared, the processor time
of an answer does.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from benchmarks.policy.rules import seldom_broken
from benchmarks.serving.__main__ import make_stage
from benchmarks.serving.catalogue import VARIANTS
from benchmarks.serving.load import Loader
from benchmarks.serving.servers import Stage, serve
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.rules import Rule

CLIENTS = 32
CONNECTIONS = 200
LOGS = ("required", "off")
Found = dict[tuple[str, bool], list[tuple[float, float]]]


def main(
    seconds: Annotated[float, typer.Option(min=1, help="Length of each load.")] = 4.0,
    repetitions: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 5,
    rules: Annotated[int, typer.Option(min=1, max=500, help="How many rules.")] = 30,
) -> None:
    """Print a row for each kind of decision log."""
    found: Found = {}
    with tempfile.TemporaryDirectory(prefix="credit-scoring-rules-") as folder:
        plain = make_stage(Path(folder))
        ruled = _under(seldom_broken(rules), plain)
        plain.cores.leave()
        for number, log in product(range(repetitions), LOGS):
            for has_rules in (False, True) if number % 2 else (True, False):
                stage = _with_log(ruled if has_rules else plain, log)
                with serve(VARIANTS["g"], stage) as server:
                    run = Loader(stage, seconds, CONNECTIONS).closed(server, number, CLIENTS)
                cost = run.cpu_seconds / run.outcome.answered_in_all
                found.setdefault((log, has_rules), []).append((run.outcome.useful_per_s, cost))
    typer.echo("\n".join(_table(found, rules)))


def _under(rules: tuple[Rule, ...], stage: Stage) -> Stage:
    """The same stage with these rules besides the model's policy, in a file that the service is given."""
    path = stage.folder / "rules.toml"
    path.write_text('[policy]\nname = "benchmark"\n' + "".join(map(_written, rules)), encoding="utf-8")
    scorer = Scorer.load(stage.model_folder)
    policy = Policy(threshold=scorer.policy.threshold, costs=scorer.policy.costs, rules=rules)
    features = dict.fromkeys(scorer.catalogue.fields)
    records: list[dict[str, Any]] = [{**features, **json.loads(body)} for body in stage.sample.bodies]
    denied = _decided(replace(scorer, policy=policy), records)
    return replace(
        stage,
        sample=replace(stage.sample, decisions=denied),
        environment={"CREDIT_SCORING_POLICY_FILE": str(path)},
    )


def _decided(scorer: Scorer, records: list[dict[str, Any]]) -> list[Any]:
    rulings = scorer.decide(records)[1]
    broken = sum(bool(ruling.rules) for ruling in rulings)
    typer.echo(f"{broken:,} of {len(records):,} applicants break a rule.", err=True)
    return [ruling.answer for ruling in rulings]


def _written(rule: Rule) -> str:
    predicates = ", ".join(f'{{ field = "{each.field}", above = {each.above} }}' for each in rule.when.predicates)
    when = f"when = {{ all = [{predicates}] }}"
    return f'[[rule]]\nid = "{rule.id}"\n{when}\nif_missing = "pass"\nthen = "deny"\nreason = "{rule.reason}"\n'


def _with_log(stage: Stage, log: str) -> Stage:
    own = tempfile.mkdtemp(dir=stage.folder)
    more = {"CREDIT_SCORING_DECISION_LOG": log, "CREDIT_SCORING_DATABASE_URL": f"sqlite:///{own}/decisions.db"}
    return replace(stage, environment={**stage.environment, **more})


def _table(found: Found, rules: int) -> Iterator[str]:
    ruled = f"{rules} rules"
    yield f"| decision log | answers/s, no rules | {ruled} | ratio of the pairs | CPU µs, no rules | {ruled} | ratio |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for log in LOGS:
        none, some = (zip(*found[log, has_rules], strict=True) for has_rules in (False, True))
        (speed, cost), (ruled_speed, ruled_cost) = none, some
        cells = [*_compared(speed, ruled_speed, 1), *_compared(cost, ruled_cost, 1e6)]
        yield f"| {log} | {' | '.join(cells)} |"


def _compared(none: Sequence[float], some: Sequence[float], scale: float) -> Iterator[str]:
    digits = 0 if scale == 1 else 2
    yield f"{scale * median(none):,.{digits}f}"
    yield f"{scale * median(some):,.{digits}f}"
    yield f"{median(y / x for x, y in zip(none, some, strict=True)):.3f}"


if __name__ == "__main__":
    typer.run(main)
