"""Make what would otherwise be written twice: `make manifests` writes it, and a test holds it to what it is made of."""

from pathlib import Path

HERE = Path(__file__).resolve().parent
DEPLOY = HERE.parent
MADE = "# Made by `make manifests` of {source}; change that.\n"

RULE = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: credit-scoring
spec:
  groups:
"""

# What makes the challenger of the service: text in its Deployment, text in the challenger's, how often it stands there.
CHALLENGER = (
    ("# The service. How many there are is the autoscaler's business, so there is no `replicas`.\n", "", 1),
    ("metadata:\n  name: credit-scoring\n", "metadata:\n  name: credit-scoring-canary\n", 1),
    ("credit-scoring/track: stable\n", "credit-scoring/track: canary\n", 3),
    ("spec:\n  revisionHistoryLimit:", "spec:\n  replicas: 1\n  revisionHistoryLimit:", 1),
    ("image: credit-scoring\n", "image: credit-scoring-canary\n", 1),
)


def made() -> dict[Path, str]:
    """What each made file has to hold."""
    return {
        HERE / "components" / "prometheus-operator" / "rules.yaml": rules(),
        HERE / "components" / "canary" / "deployment.yaml": canary(),
        HERE / "overlays" / "local" / "roles.sh": (DEPLOY / "compose" / "roles.sh").read_text(encoding="utf-8"),
    }


def rules() -> str:
    """The rule files of Prometheus, comments and all, as one object of its operator."""
    text = MADE.format(source="deploy/prometheus/rules") + RULE
    for path in sorted((DEPLOY / "prometheus" / "rules").glob("*.yml")):
        head, groups = path.read_text(encoding="utf-8").split("groups:\n", 1)
        text += _indented(head, 4) + _indented(groups, 2)
    return text


def canary() -> str:
    """The challenger's Deployment."""
    text = (HERE / "base" / "deployment.yaml").read_text(encoding="utf-8")
    for old, new, times in CHALLENGER:
        if text.count(old) != times:
            raise SystemExit(f"base/deployment.yaml has {old!r} {text.count(old)} times, expected {times}.")
        text = text.replace(old, new)
    return MADE.format(source="base/deployment.yaml") + text


def _indented(text: str, by: int) -> str:
    return "".join(" " * by + line if line.strip() else line for line in text.splitlines(keepends=True))


if __name__ == "__main__":
    for target, content in made().items():
        target.write_text(content, encoding="utf-8")
        print(target.relative_to(DEPLOY.parent))
