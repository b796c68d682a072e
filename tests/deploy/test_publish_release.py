"""publish_release.sh, against a stand-in of GitHub's `gh` that keeps what it was told in a folder."""

import base64
import json
import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.manifests import DEPLOY

ENDED_WITHIN = 60.0
DIGEST = f"registry.example/credit-scoring@sha256:{'1' * 64}"
OTHER = f"registry.example/credit-scoring@sha256:{'2' * 64}"

GH = """\
#!{python}
import json, pathlib, sys
path = pathlib.Path({state!r})
empty = dict(releases=dict(), branches=dict(main="tip"), files=dict(), pulls=[])
state = json.loads(path.read_text()) if path.exists() else empty
kind, verb, *rest = sys.argv[1:]
def value(name):
    return rest[rest.index(name) + 1]
fields = dict(each.split("=", 1) for at, each in enumerate(rest) if rest[at - 1] == "-f")
def fail(text):
    sys.exit(text)
if kind == "release":
    tag, known = rest[0], state["releases"]
    if verb == "create":
        tag in known and fail("a release with the same tag name already exists")
        known[tag] = dict(notes=value("--notes"), files=[])
    elif tag not in known:
        fail("release not found")
    elif verb == "view":
        print(known[tag]["notes"])
    elif verb == "edit":
        known[tag]["notes"] = value("--notes")
    else:
        names = [pathlib.Path(each).name for each in rest[1:] if not each.startswith("--")]
        known[tag]["files"] = sorted({{*known[tag]["files"], *names}})
elif kind == "pr":
    if verb == "list":
        print("\\n".join("1" for each in state["pulls"] if each == value("--head")))
    else:
        value("--head") in state["pulls"] and fail("a pull request already exists")
        state["pulls"].append(value("--head"))
else:
    what = next(each for each in sys.argv[2:] if each.startswith("repos/")).removeprefix("repos/{{owner}}/{{repo}}/")
    if what.startswith("git/ref/heads/"):
        name = what.removeprefix("git/ref/heads/")
        name in state["branches"] or fail("Not Found (HTTP 404)")
        "--silent" in rest or print(state["branches"][name])
    elif what == "git/refs":
        name = fields["ref"].removeprefix("refs/heads/")
        name in state["branches"] and fail("Reference already exists (HTTP 422)")
        state["branches"][name] = fields["sha"]
    elif "--method" in sys.argv:
        key = fields["branch"] + ":" + what.removeprefix("contents/")
        fields.get("sha") == state["files"].get(key, {{}}).get("sha") or fail("sha does not match (HTTP 409)")
        state["files"][key] = dict(sha="of " + fields["content"][:8], content=fields["content"])
    else:
        name, _, branch = what.removeprefix("contents/").partition("?ref=")
        found = state["files"].get(branch + ":" + name)
        if not found:
            print('{{"message": "Not Found"}}')
            fail("Not Found (HTTP 404)")
        print(found["sha"])
path.write_text(json.dumps(state))
"""


@dataclass(frozen=True)
class GitHub:
    """What is there, and the folder that a release is made from."""

    folder: Path

    def publish(self, model: str, digest: str = DIGEST) -> "subprocess.CompletedProcess[str]":
        built = self.folder / "release"
        for old in (built / "model").glob("*"):
            old.unlink()
        (built / "model").mkdir(parents=True, exist_ok=True)
        (built / "sbom-amd64.json").write_text("{}", encoding="utf-8")
        (built / "model" / f"{model}.bentomodel").write_text(model, encoding="utf-8")
        (built / "model" / f"{model}.bentomodel.sha256").write_text(f"hash of {model}", encoding="utf-8")
        return subprocess.run(
            ["sh", DEPLOY / "publish_release.sh", "v1.2.3", built, digest],
            env={**os.environ, "PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=ENDED_WITHIN,
            check=False,
        )

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "state.json").read_text(encoding="utf-8"))
        return found

    @property
    def hash_on_branch(self) -> str:
        content = self.state["files"]["model-v1.2.3:deploy/models/v1.2.3.sha256"]["content"]
        return base64.b64decode(content).decode()


@pytest.fixture
def github(tmp_path: Path) -> GitHub:
    stand_in = tmp_path / "gh"
    stand_in.write_text(GH.format(python=sys.executable, state=str(tmp_path / "state.json")), encoding="utf-8")
    stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
    return GitHub(tmp_path)


def test_a_release_has_its_model_and_lists_and_a_pull_request_with_the_hash(github: GitHub) -> None:
    done = github.publish("one")
    assert done.returncode == 0, done.stderr
    assert github.state["releases"]["v1.2.3"] == {
        "notes": f"Image: `{DIGEST}`",
        "files": ["one.bentomodel", "one.bentomodel.sha256", "sbom-amd64.json"],
    }
    assert github.hash_on_branch == "hash of one"
    assert github.state["branches"]["model-v1.2.3"] == "tip"
    assert github.state["pulls"] == ["model-v1.2.3"]


def test_a_run_that_is_repeated_changes_nothing(github: GitHub) -> None:
    github.publish("one")
    before = github.state
    done = github.publish("one")
    assert done.returncode == 0, done.stderr
    assert github.state == before


def test_a_model_named_by_hand_for_a_tag_that_is_released_brings_its_hash_and_image(github: GitHub) -> None:
    github.publish("one")
    done = github.publish("two", OTHER)
    assert done.returncode == 0, done.stderr
    assert github.hash_on_branch == "hash of two"
    assert github.state["releases"]["v1.2.3"]["notes"] == f"Image: `{DIGEST}`\n\nImage: `{OTHER}`"
    assert "two.bentomodel" in github.state["releases"]["v1.2.3"]["files"]
    assert github.state["pulls"] == ["model-v1.2.3"]
