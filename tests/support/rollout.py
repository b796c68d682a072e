"""rollout.py in a copy of deploy/, with a kubectl that writes down what it is asked and answers as a test wants."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.manifests import OVERLAYS

IMAGE = f"registry.example:5000/team/credit-scoring@sha256:{'1' * 64}"
CHALLENGER = f"registry.example:5000/team/credit-scoring@sha256:{'2' * 64}"
TRAINER = f"registry.example:5000/team/credit-scoring-train@sha256:{'3' * 64}"
AS_BEFORE = (
    "Deployments and network policies are as before; its autoscaler, alert rules, retraining and tables stay as the "
    "deploy left them."
)
ENDED_WITHIN = 120.0


@dataclass(frozen=True)
class Checkout:
    """A copy of deploy/, so that what it builds is the test's own, and a kubectl that only writes down."""

    folder: Path

    @property
    def script(self) -> Path:
        return self.folder / "deploy" / "kubernetes" / "rollout.py"

    @property
    def built(self) -> Path:
        return self.folder / "build" / "kubernetes"

    def run(self, *arguments: str, **answers: str) -> "subprocess.CompletedProcess[str]":
        """rollout.py; `answers` is how the stand-in behaves, see there."""
        return subprocess.run(
            [sys.executable, self.script, *arguments],
            env={**os.environ, "PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}", **answers},
            capture_output=True,
            text=True,
            timeout=ENDED_WITHIN,
            check=False,
        )

    def restart(self, namespace: str, deployment: str) -> None:
        """What the docs say for a changed secret: kubectl itself, and nothing of ours."""
        command = [str(self.folder / "kubectl"), "--namespace", namespace, "rollout", "restart", deployment]
        subprocess.run(command, check=True, capture_output=True, timeout=ENDED_WITHIN)

    def asked(self) -> list[str]:
        """What kubectl was asked to do since the last time, without the namespace, which is checked here."""
        path = self.folder / "asked"
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
        path.unlink(missing_ok=True)
        calls = [line for line in lines if line[0] != "kustomize"]
        assert {tuple(line[:2]) for line in calls} <= {("--namespace", f"credit-scoring-{name}") for name in OVERLAYS}
        return [" ".join(line[2:]) for line in calls]

    def changes(self) -> list[str]:
        """The same without what only looks."""
        return [call for call in self.asked() if not call.startswith(("get ", "auth can-i "))]


STAND_IN = """\
#!{python}
import json, os, re, signal, sys
asked = " ".join(sys.argv[1:])
with open({record!r}, "a", encoding="utf-8") as record:
    record.write(json.dumps(sys.argv[1:]) + "\\n")
with open({record!r}, encoding="utf-8") as record:
    before = [" ".join(json.loads(line)) for line in record][:-1]
if sys.argv[1] == "kustomize":
    os.execv({kubectl!r}, [{kubectl!r}, *sys.argv[1:]])
failing = os.environ.get("FAILS")
if failing and re.search(failing, asked):
    sys.exit(1)
once = os.environ.get("FAILS_ONCE")
if once and re.search(once, asked) and not any(re.search(once, each) for each in before):
    sys.exit(1)
revisions = json.loads(os.environ.get("REVISIONS", '{{"1": {{}}}}'))
if " view-last-applied " in asked or (" get deployment/" in asked and revisions):
    ready = dict(readyReplicas=int(os.environ.get("READY_PODS", "1")))
    print(json.dumps(dict(metadata=dict(uid="it"), spec=dict(template=dict()), status=ready)))
elif " get replicasets " in asked:
    print(json.dumps(dict(items=[dict(
        metadata=dict(
            name="set-" + number,
            uid="set-" + number,
            labels=marks,
            annotations={{"deployment.kubernetes.io/revision": number}},
            ownerReferences=[dict(uid="it")],
        ),
        spec=dict(template=dict(spec=dict(containers=[dict(image="image-" + number)]))),
    ) for number, marks in revisions.items()])))
elif " get pods " in asked or " get events " in asked:
    print(os.environ.get(asked.split()[3].upper(), json.dumps(dict(items=[]))))
elif asked.endswith(" get --raw /apis"):
    print(json.dumps(dict(groups=[dict(name="gateway.networking.k8s.io")] if "ROUTE" in os.environ else [])))
elif " get httproutes." in asked:
    print(os.environ["ROUTE"])
elif " rollout status " in asked:
    print("deployment successfully rolled out")
elif " logs " in asked:
    print("the last line")
elif " get job/" in asked and asked.endswith("--output json"):
    print(json.dumps(dict(metadata=dict(uid="job"))))
elif " get job/" in asked:
    print(os.environ.get("JOB", "SuccessCriteriaMet Complete"))
if " port-forward " in asked:
    print("Forwarding from 127.0.0.1:" + os.environ["TUNNEL"] + " -> 3000", flush=True)
    signal.pause()
"""
