"""`make manifests`: Prometheus' rule files as one object of the Prometheus operator; a test compares the two.

kustomize cannot do this: it reads no file outside its folder and inserts a file's content only as text.
"""

from pathlib import Path
from textwrap import indent

HERE = Path(__file__).resolve().parent
DEPLOY = HERE.parent
TARGET = HERE / "components" / "prometheus-operator" / "rules.yaml"

RULE = """\
# Made by `make manifests` of deploy/prometheus/rules; change that.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: credit-scoring
spec:
  groups:
"""


def rules() -> str:
    """The rule files of Prometheus, comments and all, as one object of its operator."""
    text = RULE
    for path in sorted((DEPLOY / "prometheus" / "rules").glob("*.yml")):
        head, groups = path.read_text(encoding="utf-8").split("groups:\n", 1)
        text += indent(head, "    ") + indent(groups, "  ")
    return text


if __name__ == "__main__":
    TARGET.write_text(rules(), encoding="utf-8")
    print(TARGET.relative_to(DEPLOY.parent))
