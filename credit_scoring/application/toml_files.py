"""TOML files that people write, read into a model; every fault is named with where it stands and what was found."""

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from credit_scoring.application.suggestions import names_at, or_known
from credit_scoring.errors import CreditScoringError

MAX_BYTES = 1024 * 1024
MOST_PROBLEMS = 20


_Model = TypeVar("_Model", bound=BaseModel)


def read_toml(path: Path, model: type[_Model], title: str, failure: type[CreditScoringError]) -> _Model:
    """The content of the file; raises `failure`, which begins with the title."""
    try:
        content = path.read_bytes()
        if len(content) > MAX_BYTES:
            raise failure(f"{title} {path}: larger than {MAX_BYTES:,} bytes. Leave something out.")
        return model.model_validate(tomllib.loads(content.decode()))
    except OSError as error:
        raise failure(f"{title} {path}: cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise failure(f"{title} {path}: not valid TOML: {error}.") from error
    except ValidationError as error:
        raise failure(
            in_lines(f"{title} {path}", [line for each in error.errors() for line in told(each, model)])
        ) from error


def in_lines(title: str, problems: list[str]) -> str:
    """A message with a line for each problem; of very many, the first."""
    more = [f"and {len(problems) - MOST_PROBLEMS} more"] if len(problems) > MOST_PROBLEMS else []
    return f"{title}:\n  " + "\n  ".join([*problems[:MOST_PROBLEMS], *more])


def told(error: ErrorDetails, model: type[BaseModel]) -> list[str]:
    """A line for each thing that is wrong with a `model`, with where it stands and what was found there."""
    place = ".".join(map(str, error["loc"]))
    message = error["msg"].removeprefix("Value error, ")
    if not place:
        return message.splitlines()
    found = "" if isinstance(error["input"], dict) else f", found {str(error['input'])[:60]!r}"
    return [f"{place}: {message}{found}{_advice(error, model)}"]


def _advice(error: ErrorDetails, model: type[BaseModel]) -> str:
    *place, key = error["loc"]
    return or_known(str(key), names_at(model, place)) if error["type"] == "extra_forbidden" else ""
