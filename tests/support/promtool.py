"""Unit tests of the alert rules by Prometheus' own tools."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from credit_scoring.settings import PROJECT_FOLDER

RULES = PROJECT_FOLDER / "deploy" / "prometheus" / "rules"
MODEL = "credit_scoring:a"
STEP_MINUTES = 4  # less than the 5 minutes that Prometheus looks back for a sample
CRITICAL, WARNING = {"severity": "critical"}, {"severity": "warning"}

Yaml = dict[str, Any]


def require_tools() -> None:
    """Skip loudly where promtool or amtool is absent; fail under CI."""
    missing = [tool for tool in ("promtool", "amtool") if shutil.which(tool) is None]
    if missing and "CI" in os.environ:
        pytest.fail(f"no {', '.join(missing)}")
    if missing:
        pytest.skip(f"ALERT TESTS NOT RUN, no {', '.join(missing)}: apt-get install prometheus prometheus-alertmanager")


def run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def groups() -> Iterator[Yaml]:
    for path in RULES.glob("*.yml"):
        yield from yaml.safe_load(path.read_text())["groups"]


def rules() -> Iterator[Yaml]:
    for group in groups():
        yield from group["rules"]


def series(name: str, values: str, **labels: str) -> Yaml:
    inner = ", ".join(f'{key}="{value}"' for key, value in labels.items())
    return {"series": f"{name}{{{inner}}}", "values": values}


def constant(name: str, value: float, steps: int, **labels: str) -> Yaml:
    return series(name, f"{value!r}x{steps}", **labels)


def rising(name: str, per_step: float, steps: int, **labels: str) -> Yaml:
    return series(name, f"0+{per_step!r}x{steps}", **labels)


def alerts(name: str, at: str, *expected: Mapping[str, str]) -> Yaml:
    """What is expected of an alert; an empty list is that it is quiet. Only labels are compared."""
    return {"alertname": name, "eval_time": at, "exp_alerts": [{"exp_labels": dict(labels)} for labels in expected]}


def promtool_test(folder: Path, *tests: Yaml, judged_every: int = STEP_MINUTES) -> None:
    """Run unit tests of all rules, each judged once in so many minutes, whatever the interval of its group.

    Over days, rules that are judged each 20 minutes say the same of steady series in a fifth of the time.
    """
    found = sorted(groups(), key=lambda group: not any("record" in rule for rule in group["rules"]))
    _run(folder, found, f"{judged_every}m", tests)  # records first; else alerts see what was recorded a step before


def promtool_test_of(alert: str, folder: Path, *tests: Yaml) -> None:
    """Run unit tests of the group of this alert alone, judged at its own interval: promtool has one for all groups."""
    (found,) = [group for group in groups() if alert in [rule.get("alert") for rule in group["rules"]]]
    _run(folder, [found], found.get("interval", "15s"), tests)


def _run(folder: Path, judged: Sequence[Yaml], every: str, tests: Sequence[Yaml]) -> None:
    """Annotations are left out of the rules, which would have to be spelt out in the tests else."""
    bare = [
        {
            "name": group["name"],
            "rules": [{key: rule[key] for key in rule if key != "annotations"} for rule in group["rules"]],
        }
        for group in judged
    ]
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": bare}))
    suite = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": every,
        "group_eval_order": [group["name"] for group in judged],
        "tests": [{"interval": f"{STEP_MINUTES}m", **test} for test in tests],
    }
    (folder / "suite.yml").write_text(yaml.safe_dump(suite, allow_unicode=True))
    run("promtool", "test", "rules", "suite.yml", cwd=folder)
