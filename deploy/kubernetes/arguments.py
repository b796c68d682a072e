"""The commands of rollout.py and their options."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from rendering import OVERLAYS, Release

MOST_WEIGHT = 50
SECONDS = {"s": 1, "m": 60, "h": 3600}


def _overlay(name: str) -> Path:
    if (OVERLAYS / name / "kustomization.yaml").is_file():
        return OVERLAYS / name
    known = ", ".join(sorted(each.name for each in OVERLAYS.iterdir()))
    raise argparse.ArgumentTypeError(f"{name!r} is no overlay; there are {known}.")


def _number(text: str) -> int | None:
    """What a make target passes on: nothing, where its variable is not set."""
    if text and not (text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 1 on.")
    return int(text) if text else None


def _percent(text: str) -> int | None:
    weight = _number(text)
    if weight and weight > MOST_WEIGHT:
        raise argparse.ArgumentTypeError(f"{text!r}: expected at most {MOST_WEIGHT} of 100 requests.")
    return weight


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d{1,4})([smh])", text)
    if not found or not int(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a length of time like 90s, 30m or 2h.")
    return int(found[1]) * SECONDS[found[2]]


def _address(text: str) -> str:
    if not re.fullmatch(r"https?://[^/?#\s:]+(:\d{1,5})?(/[^?#\s]*)?", text):
        raise argparse.ArgumentTypeError(f"{text!r}: expected Prometheus' address, like http://prometheus:9090.")
    return text


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command and what it is to know; ends the program where that is not understood."""
    parser = argparse.ArgumentParser(prog="rollout.py", description="Deploy to Kubernetes, and take it back.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("render", "deploy", "rollback", "smoke", "watch", "withdraw"):
        command = commands.add_parser(name)
        command.add_argument("overlay", type=_overlay)
        if name in ("render", "deploy"):
            command.add_argument("--image", required=True, help="the service's, by digest")
            command.add_argument("--canary", help="the challenger's, by digest")
            command.add_argument("--canary-replicas", type=_number, help="how many challengers [1]")
            command.add_argument("--canary-weight", type=_percent, help="of 100 requests, by the overlay's route [10]")
            command.add_argument("--train", help="that of retraining, by digest")
            command.add_argument("--note", default="", help="for the history: model and commit")
        if name == "rollback":
            command.add_argument(
                "--revision", type=_number, help="as `kubectl rollout history` counts them [the last ready]"
            )
        if name == "watch":
            command.add_argument("--prometheus", type=_address, required=True, help="its address")
            command.add_argument("--for", dest="seconds", type=_seconds, default=_seconds("30m"), help="how long [30m]")
            command.add_argument(
                "--blind", type=_seconds, default=_seconds("5m"), help="how long it may be out of sight [5m]"
            )
        if name == "smoke":
            command.add_argument("options", nargs=argparse.REMAINDER, help="of smoke.py")
    return parser.parse_args(arguments)


def release_of(parsed: argparse.Namespace) -> Release:
    """What `render` and `deploy` are to bring."""
    canary, train = parsed.canary or None, parsed.train or None
    return Release(parsed.image, canary, parsed.canary_replicas or 1, train, parsed.note, parsed.canary_weight)
