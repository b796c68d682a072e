"""What GitHub is told to do: pinned, with few rights, in the order agreed, by the same make targets that people use."""

import hashlib
import os
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from credit_scoring.settings import PROJECT_FOLDER

WORKFLOWS = PROJECT_FOLDER / ".github" / "workflows"
FILES = tuple(sorted(path.name for path in WORKFLOWS.glob("*.yml")))
PINNED = re.compile(r"uses: ([\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)")

Json = dict[str, Any]


def text(name: str) -> str:
    return (WORKFLOWS / name).read_text(encoding="utf-8")


def jobs(name: str) -> dict[str, Json]:
    found: dict[str, Json] = yaml.safe_load(text(name))["jobs"]
    return found


def steps(name: str, job: str) -> list[Json]:
    found: list[Json] = jobs(name)[job]["steps"]
    return found


def commands(found: list[Json]) -> str:
    return "\n".join(str(step.get("run") or step["uses"]) for step in found)


def all_steps() -> list[Json]:
    return [step for name in FILES for job in jobs(name).values() for step in job.get("steps", [])]


@pytest.mark.parametrize("name", FILES)
def test_every_action_of_others_is_pinned_by_its_commit_and_names_its_version(name: str) -> None:
    foreign = [line.strip() for line in text(name).splitlines() if "uses: " in line and "uses: ./" not in line]
    assert foreign
    assert [line for line in foreign if not PINNED.search(line)] == []


def test_an_action_is_of_one_version_everywhere() -> None:
    pins: dict[str, set[tuple[str, str]]] = {}
    for name in FILES:
        for action, commit, version in PINNED.findall(text(name)):
            pins.setdefault(action, set()).add((commit, version))
    assert {action for action, found in pins.items() if len(found) > 1} == set()


@pytest.mark.parametrize("name", FILES)
def test_no_job_has_a_right_or_a_minute_that_was_not_given_to_it(name: str) -> None:
    assert yaml.safe_load(text(name))["permissions"] == {}
    for key, job in jobs(name).items():
        assert "permissions" in job, key
        assert "uses" in job or "timeout-minutes" in job, key


def test_only_the_jobs_that_push_and_release_may_write() -> None:
    writing = {key: {right for right, how in job["permissions"].items() if how == "write"}
               for name in FILES for key, job in jobs(name).items()}  # fmt: skip
    assert {key: rights for key, rights in writing.items() if rights} == {
        "publish": {"packages", "id-token", "attestations"},
        "verify": {"id-token"},
        "staging": {"id-token"},
        "production": {"id-token"},
        "release": {"contents", "pull-requests"},
        "tell": {"issues"},
    }


def test_no_checkout_leaves_its_token_behind() -> None:
    checkouts = [step for step in all_steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)


def test_nothing_from_outside_is_pasted_into_a_script() -> None:
    assert [step["run"] for step in all_steps() if "${{" in step.get("run", "")] == []


def test_secrets_are_read_in_jobs_with_an_environment_only() -> None:
    for name in FILES:
        for key, job in jobs(name).items():
            assert "secrets." not in str(job) or "environment" in job, key


def called_targets(found: str) -> set[str]:
    """What follows make, up to the first word that is no target."""
    calls = re.findall(r"\bmake((?: [a-z][a-z-]*(?![\w=…]))+)", found)
    return {word for call in calls for word in call.split()}


def makefile_targets() -> set[str]:
    makefile = (PROJECT_FOLDER / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))


def test_the_steps_call_make_targets_that_there_are() -> None:
    called, targets = called_targets(commands(all_steps())), makefile_targets()
    wanted = {
        "check",
        "test-all",
        "lint-deploy",
        "release-model",
        "image",
        "smoke-image",
        "sbom",
        "push",
        "push-index",
        "verify-images",
        "deploy",
        "smoke",
    }
    assert wanted <= called
    assert called <= targets


def test_the_guide_to_deployment_calls_make_targets_that_there_are() -> None:
    guide = (PROJECT_FOLDER / "docs" / "deployment.md").read_text(encoding="utf-8")
    written = "\n".join(re.findall(r"`(make [^`]+)`", guide) + re.findall(r"^ {4,}(make .+)$", guide, re.MULTILINE))
    called = called_targets(written)
    assert {"deploy", "rollback", "smoke", "lint-deploy"} <= called
    assert called <= makefile_targets()


def test_the_tools_of_the_checks_are_pinned_with_their_hashes() -> None:
    lines = (PROJECT_FOLDER / "deploy" / "lint-requirements.txt").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z])", lines.partition("\nactionlint")[2])
    assert len(entries) > 10
    assert all("--hash=sha256:" in each for each in entries)
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", lines)


def test_what_is_pushed_was_tested_built_smoke_tested_and_scanned_before() -> None:
    release = jobs("release.yml")
    assert release["build"]["needs"] == release["build-train"]["needs"] == "test"
    assert set(release["publish"]["needs"]) == {"build", "build-train"}
    assert set(release["staging"]["needs"]) == {"publish", "verify"}
    assert set(release["production"]["needs"]) == {"build", "publish", "verify", "staging"}
    order = ["make release-model", "make image", "make smoke-image", "anchore/scan-action@"]
    places = [commands(steps("release.yml", "build")).index(each) for each in order]
    assert places == sorted(places)


def test_every_image_is_scanned_and_its_parts_are_listed() -> None:
    for job, image in (("build", "IMAGE"), ("build-train", "TRAIN_IMAGE")):
        (scan,) = (step["with"] for step in steps("release.yml", job) if "scan-action@" in step.get("uses", ""))
        assert scan["image"] == f"${{{{ env.{image} }}}}"
        assert scan["severity-cutoff"] == "high"
        assert "fail-build" not in scan
        assert "make sbom" in commands(steps("release.yml", job))


def test_the_service_is_built_and_smoke_tested_on_a_machine_of_each_platform_that_is_pushed() -> None:
    build = jobs("release.yml")["build"]
    machines = {each["platform"]: each["runner"] for each in build["strategy"]["matrix"]["include"]}
    assert machines == {"amd64": "ubuntu-24.04", "arm64": "ubuntu-24.04-arm"}
    assert build["runs-on"] == "${{ matrix.runner }}"
    assert [step for step in build["steps"] if "if" in step and "make export-model" not in step["run"]] == []
    assert f'PLATFORMS="{" ".join(machines)}"' in commands(steps("release.yml", "publish"))


def test_origin_and_parts_of_both_images_are_signed_for_the_digests_that_were_pushed() -> None:
    publish = steps("release.yml", "publish")
    signed = {
        (step["with"]["subject-digest"], step["with"].get("sbom-path"))
        for step in publish
        if step.get("uses", "").startswith("actions/attest@")
    }
    image, train = (f"${{{{ steps.push.outputs.{each}-digest }}}}" for each in ("image", "train"))
    folder = "build/release/sbom"
    assert signed == {
        (image, None),
        (image, f"{folder}-amd64.json"),
        (image, f"{folder}-arm64.json"),
        (train, None),
        (train, f"{folder}-train.json"),
    }
    assert commands(publish).index("make push") < commands(publish).index("actions/attest@")


def test_what_is_deployed_was_verified_as_the_registry_has_it_now() -> None:
    verify = jobs("release.yml")["verify"]
    assert verify["needs"] == "publish"
    *logins, check = verify["steps"][1:]
    assert [step["name"] for step in logins] == [
        "Log in to GHCR",
        "Log in to Docker Hub",
        "Become a role of AWS",
        "Log in to ECR",
    ]
    assert logins == [step for step in steps("release.yml", "publish") if step in logins]
    assert check["run"] == "make verify-images"
    for name, output in (("IMAGE_DIGEST", "image"), ("TRAIN_DIGEST", "train")):
        assert check["env"][name] == f"${{{{ needs.publish.outputs.{output} }}}}"
        assert check["env"][name] == jobs("release.yml")["staging"]["env"][name]


def test_each_week_the_images_are_built_on_the_newest_base_and_scanned_and_a_failure_is_told() -> None:
    weekly = yaml.safe_load(text("weekly.yml"))
    assert {"schedule", "workflow_dispatch"} == weekly[True].keys()  # YAML 1.1 reads `on` so
    rebuild = steps("weekly.yml", "rebuild")
    order = ["BASE_IMAGE", "make image train-image", "make smoke-image", "anchore/scan-action@"]
    places = [commands(rebuild).index(each) for each in order]
    assert places == sorted(places)
    scanned = [step["with"]["image"] for step in rebuild if "scan-action@" in step.get("uses", "")]
    assert scanned == ["${{ env.IMAGE }}", "${{ env.TRAIN_IMAGE }}"]
    tell = jobs("weekly.yml")["tell"]
    assert (tell["needs"], tell["if"]) == ("rebuild", "always() && needs.rebuild.result != 'success'")


def test_the_newest_base_is_the_pinned_one_without_its_digest(tmp_path: Path) -> None:
    (step,) = (step for step in steps("weekly.yml", "rebuild") if "BASE_IMAGE" in step.get("run", ""))
    environment = {**os.environ, "GITHUB_ENV": str(tmp_path / "env")}
    subprocess.run(["sh", "-c", step["run"]], cwd=PROJECT_FOLDER, env=environment, check=True)
    assert (tmp_path / "env").read_text() == "BASE_IMAGE=python:3.11-slim\n"


def test_a_deploy_is_smoke_tested_and_rolled_back_where_that_fails() -> None:
    order = ["make deploy", "make smoke", "make rollback"]
    for job in ("staging", "production"):
        places = [commands(steps("release.yml", job)).index(each) for each in order]
        assert places == sorted(places)
        rollback = steps("release.yml", job)[-1]
        assert rollback["if"] == "failure() && steps.smoke.outcome == 'failure'"


def test_production_is_deployed_as_staging_was_from_a_tag_in_its_own_environment() -> None:
    staging, production = (jobs("release.yml")[name] for name in ("staging", "production"))
    refusal, *deployment = production["steps"]
    assert deployment == staging["steps"]
    build = jobs("release.yml")["build"]
    told = [f"releasable-{each['platform']}" for each in build["strategy"]["matrix"]["include"]]
    assert build["outputs"] == {each: f"${{{{ steps.model.outputs.{each} }}}}" for each in told}
    (model,) = (step for step in build["steps"] if step.get("id") == "model")
    assert model["env"]["PLATFORM"] == "${{ matrix.platform }}"
    assert 'echo "releasable-$PLATFORM=' in model["run"]
    assert refusal["if"] == " || ".join(f"needs.build.outputs.{each} != 'true'" for each in told)
    assert "exit 1" in refusal["run"]
    assert production["environment"] == production["env"]["OVERLAY"] == "production"
    assert staging["environment"] == staging["env"]["OVERLAY"] == "staging"
    assert production["if"] == "startsWith(github.ref, 'refs/tags/v')"
    for job in (staging, production):
        assert job["concurrency"]["cancel-in-progress"] is False
        assert job["env"]["IMAGE_DIGEST"] == "${{ needs.publish.outputs.image }}"


def test_what_is_released_is_built_without_a_cache() -> None:
    for job in jobs("release.yml").values():
        for step in job.get("steps", []):
            assert "cache" not in step.get("with", {})


@pytest.mark.slow
def test_an_exported_model_has_its_hash_beside_it_and_can_be_imported(model_tag: str, tmp_path: Path) -> None:
    scripts = sysconfig.get_path("scripts")
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    command = ["sh", str(PROJECT_FOLDER / "deploy" / "export_model.sh"), model_tag, str(tmp_path / "model")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    digest, name = done.stdout.split()
    exported = tmp_path / "model" / name
    assert name == f"{model_tag.replace(':', '-')}.bentomodel"
    assert hashlib.sha256(exported.read_bytes()).hexdigest() == digest
    assert (tmp_path / "model" / f"{name}.sha256").read_text() == done.stdout
    elsewhere = {**environment, "BENTOML_HOME": str(tmp_path / "home")}
    command = ["bentoml", "models", "import", str(exported)]
    done = subprocess.run(command, env=elsewhere, capture_output=True, text=True, check=True)
    assert model_tag in done.stdout
