"""`make verify-images`: only what the release workflow built is deployed. A stand-in for gh, which needs GitHub."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from credit_scoring.settings import PROJECT_FOLDER

SCRIPT = PROJECT_FOLDER / "deploy" / "verify_images.sh"
IMAGE = f"ghcr.io/owner/credit-scoring@sha256:{'1' * 64}"
TRAINER = f"ghcr.io/owner/credit-scoring-train@sha256:{'2' * 64}"
PROVENANCE, PARTS = "https://slsa.dev/provenance/v1", "https://cyclonedx.org/bom"
WORKFLOW = "owner/name/.github/workflows/release.yml"
# Writes down what it was asked, and finds nothing where the test says so.
GH = """#!/bin/sh
echo "$*" >> "$(dirname "$0")/asked"
case "$*" in *"$MISSING"*) echo "gh: no attestations found" >&2; exit 1 ;; esac
"""


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    stand_in = tmp_path / "gh"
    stand_in.write_text(GH, encoding="utf-8")
    stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
    return tmp_path / "asked"


def verified(asked: Path, *arguments: str, missing: str = "nothing") -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PATH": f"{asked.parent}{os.pathsep}{os.environ['PATH']}", "MISSING": missing}
    return subprocess.run(["sh", SCRIPT, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_origin_and_parts_of_each_image_are_verified_for_this_workflow_and_commit(asked: Path) -> None:
    done = verified(asked, "owner/name", "abc123", IMAGE, TRAINER)
    assert done.returncode == 0, done.stderr
    signer = f"--repo owner/name --signer-workflow {WORKFLOW} --source-digest abc123"
    assert asked.read_text().splitlines() == [
        f"attestation verify oci://{image} {signer} --predicate-type {kind}"
        for image in (IMAGE, TRAINER)
        for kind in (PROVENANCE, PARTS)
    ]
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize("missing", [IMAGE, TRAINER, PROVENANCE, PARTS])
def test_what_cannot_be_verified_is_refused(asked: Path, missing: str) -> None:
    done = verified(asked, "owner/name", "abc123", IMAGE, TRAINER, missing=missing)
    assert done.returncode == 1
    assert "no attestations found" in done.stderr
    assert "Do not deploy it." in done.stderr


@pytest.mark.parametrize(
    ("repository", "image", "told"),
    [
        ("owner/name", "ghcr.io/owner/credit-scoring:1.0", "'ghcr.io/owner/credit-scoring:1.0': expected an image by"),
        ("owner/name", "", "'': expected an image by digest"),
        ("", IMAGE, "REPOSITORY is '': expected owner/name"),
        ("name", IMAGE, "REPOSITORY is 'name': expected owner/name"),
    ],
)
def test_what_names_no_image_or_no_repository_is_refused_unasked(
    asked: Path, repository: str, image: str, told: str
) -> None:
    done = verified(asked, repository, "abc123", image)
    assert done.returncode == 1
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not asked.exists()
