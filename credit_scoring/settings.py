"""Settings from the environment; read by entry points only and passed down as arguments."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from credit_scoring.errors import ConfigurationError

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
MODEL_NAME = "credit_scoring"
CHAMPION = f"{MODEL_NAME}:champion"
PREFIX = "CREDIT_SCORING_"
MODEL_VARIABLE = f"{PREFIX}MODEL"
SECRETS_FOLDER = Path("/run/secrets")
# What a service sets for its workers, and what Kubernetes sets for a service that is called credit-scoring.
_NOT_SETTINGS = re.compile(f"{PREFIX}(INSTANCE_.+|SERVICE_HOST|SERVICE_PORT(_.+)?|PORT|PORT_[0-9]+_(TCP|UDP)(_.+)?)")

Settings = TypeVar("Settings", bound=BaseSettings)


class DatabaseSettings(BaseSettings):
    """Where the decision log lies, for the service and for commands.

    What holds a password may come as a file, as container engines mount secrets: `credit_scoring_database_url` in
    SECRETS_FOLDER. A variable comes before it.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, secrets_dir=SECRETS_FOLDER if SECRETS_FOLDER.is_dir() else None
    )

    database_url: str | None = Field(
        None, description="SQLite or PostgreSQL URL of the decision log. Default: SQLite in `BENTOML_HOME`."
    )


class PolicySettings(BaseSettings):
    """Which policy decides, for the service and for batches."""

    model_config = DatabaseSettings.model_config

    policy_file: Path | None = Field(
        None,
        description="Policy as TOML that decides in place of the model's own, once its checks and cases have passed.",
    )


class ServiceSettings(DatabaseSettings, PolicySettings):
    """What the service reads from `CREDIT_SCORING_*` variables when it starts."""

    model: str = Field(
        CHAMPION, description="Tag of the model to serve. `champion`: the one that `credit-scoring models` promoted."
    )
    workers: int = Field(1, ge=1, description="Worker processes.")
    max_batch_size: int = Field(256, ge=1, description="Largest micro-batch, in applications.")
    latency_budget_ms: float = Field(
        100.0, gt=0, description="Latency budget; requests that would exceed it are shed with 503."
    )
    request_timeout_s: float = Field(1.0, gt=0, description="Time for a request body to arrive; then 408.")
    max_connections: int = Field(
        4096, ge=1, description="Open connections per worker; further ones get 503 and are closed."
    )
    keep_alive_s: int = Field(
        75, ge=1, description="Time that an idle connection stays open; longer than any proxy in front keeps it."
    )
    max_body_bytes: int = Field(64 * 1024, ge=1024, description="Largest request body of /predict.")
    max_many_bytes: int = Field(2 * 1024 * 1024, ge=1024, description="Largest request body of /predict_many.")
    api_keys_file: Path | None = Field(
        None, description="TOML file of API keys, made by `credit-scoring keys new`. Without it, no key is needed."
    )
    anonymous: Literal["loopback", "anywhere", "nowhere"] = Field(
        "loopback", description="Clients served without a key if no keys are set. `nowhere`: keys are required."
    )
    metrics_open: bool = Field(
        True, description="Serve /metrics without a key; if false, it needs one with the scope `read`."
    )
    decision_log: Literal["required", "best_effort", "off"] = Field(
        "required",
        description="required: store a decision before answering. best_effort: possibly later. off: store nothing.",
    )
    reasons: Literal["asked", "always"] = Field(
        "asked", description="always: every answer of the predict routes has its reasons; asked: `?reasons=true`."
    )
    what_if_per_minute: int = Field(60, ge=1, description="Simulations a minute for each key, of one worker.")
    four_eyes: bool = Field(
        False, description="A verdict of the review desk counts once a second person has given the same one."
    )
    review_secret_file: Path | None = Field(
        None,
        description="File with the secret that signs the review desk's sessions, for several services that share them. "
        "Default: made at each start.",
    )
    letter_template: Path | None = Field(
        None, description="Jinja template of the letter to the client, in place of the one that comes with the service."
    )
    lender_name: str = Field(
        "Administradora de consórcios", min_length=1, max_length=120, description="Who signs the letter to the client."
    )
    lender_contact: str = Field(
        "os canais de atendimento da administradora",
        min_length=1,
        max_length=300,
        description="Where a client turns to, as the letter says after `Procure`.",
    )
    store_timeout_ms: float = Field(900.0, gt=0, description="Time to store a decision; then the request gets 503.")
    spool_folder: Path | None = Field(
        None, description="Folder of the spool that `best_effort` uses. Default: in `BENTOML_HOME`."
    )
    access_log: bool = Field(False, description="Log one line per request, without applicants' values.")
    tune_collector: bool = Field(
        True, description="Keep the model out of garbage collection; collect the young generation less often."
    )
    tracing: bool = Field(False, description="Also trace the predict routes with OpenTelemetry.")


class TrainingSettings(BaseSettings):
    """The gate that a new model has to pass, and where data lies."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    data_folder: Path = Field(PROJECT_FOLDER / "data", description="Folder that contains raw/ and processed/.")
    minimum_auc: float = Field(0.75, ge=0.5, le=1, description="Gate: lowest AUC on the test part to publish a model.")
    minimum_recall: float = Field(
        0.5, ge=0, le=1, description="Gate: lowest recall on the test part to publish a model."
    )


def read_settings(kind: type[Settings]) -> Settings:
    """Settings of this kind from the environment; raises ConfigurationError when a variable cannot be used."""
    try:
        return kind()
    except ValidationError as error:
        problems = [
            f"{PREFIX}{str(each['loc'][0]).upper()}={each['input']}: {each['msg']}"
            for each in error.errors(include_url=False)
        ]
        raise ConfigurationError("; ".join(problems) + ". Fix or unset it.") from error


def misspelt(variables: Iterable[str]) -> list[str]:
    """A warning for each environment variable that looks like a setting and is none."""
    known = {name.upper() for kind in (ServiceSettings, TrainingSettings) for name in kind.model_fields}
    looking = sorted(
        each for each in variables if each.upper().startswith(PREFIX) and not _NOT_SETTINGS.fullmatch(each)
    )
    return [_warning(each, known) for each in looking if each.upper().removeprefix(PREFIX) not in known]


def _warning(variable: str, known: Iterable[str]) -> str:
    nearest = get_close_matches(variable.upper().removeprefix(PREFIX), sorted(known), n=1)
    advice = f"Did you mean {PREFIX}{nearest[0]}?" if nearest else "docs/settings.md lists the settings."
    return f"{variable} is set, but there is no such setting: it changes nothing. {advice}"
