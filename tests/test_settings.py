"""Settings come from the environment, and docs/settings.md lists each of them as it is."""

import pytest
from pydantic_settings import BaseSettings

from credit_scoring.errors import ConfigurationError
from credit_scoring.serving.instance import FOLDER_VARIABLE, MODEL_VARIABLE, PARENT_VARIABLE
from credit_scoring.settings import PREFIX, PROJECT_FOLDER, ServiceSettings, TrainingSettings, misspelt, read_settings

LIST = (PROJECT_FOLDER / "docs" / "settings.md").read_text(encoding="utf-8")
SETTINGS: list[tuple[type[BaseSettings], str]] = [
    (kind, name) for kind in (ServiceSettings, TrainingSettings) for name in kind.model_fields
]


@pytest.mark.parametrize(("kind", "name"), SETTINGS, ids=lambda value: value if isinstance(value, str) else "")
def test_the_docs_list_a_setting_with_its_default_and_meaning(kind: type[BaseSettings], name: str) -> None:
    field = kind.model_fields[name]
    default = "data" if name == "data_folder" else field.default
    shown = str(default).lower() if isinstance(default, bool) else default
    assert f"| `{PREFIX}{name.upper()}` | `{shown}` | {field.description} |" in LIST


def test_a_setting_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDIT_SCORING_MAX_BATCH_SIZE", "64")
    assert read_settings(ServiceSettings).max_batch_size == 64


def test_every_unusable_setting_is_named_with_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDIT_SCORING_WORKERS", "none")
    monkeypatch.setenv("CREDIT_SCORING_LATENCY_BUDGET_MS", "-1")
    with pytest.raises(ConfigurationError, match=r"WORKERS=none: .*LATENCY_BUDGET_MS=-1: .*Fix or unset it"):
        read_settings(ServiceSettings)


@pytest.mark.parametrize(
    ("variable", "advice"),
    [
        ("CREDIT_SCORING_WORKRES", "Did you mean CREDIT_SCORING_WORKERS?"),
        ("CREDIT_SCORING_MINIMUM_ACU", "Did you mean CREDIT_SCORING_MINIMUM_AUC?"),
        ("credit_scoring_databse_url", "Did you mean CREDIT_SCORING_DATABASE_URL?"),
        ("CREDIT_SCORING_XYZ", "docs/settings.md lists the settings."),
    ],
)
def test_a_misspelt_variable_is_warned_about_with_what_was_meant(variable: str, advice: str) -> None:
    assert misspelt([variable]) == [f"{variable} is set, but there is no such setting: it changes nothing. {advice}"]


def test_no_setting_is_warned_about() -> None:
    assert misspelt(f"{PREFIX}{name.upper()}" for _, name in SETTINGS) == []
    assert misspelt(["credit_scoring_workers", "PATH", "CREDIT"]) == []


@pytest.mark.parametrize("name", ["SERVICE_HOST", "SERVICE_PORT_HTTP", "PORT", "PORT_3000_TCP", "PORT_3000_TCP_ADDR"])
def test_what_kubernetes_sets_for_a_service_of_our_name_is_not_warned_about(name: str) -> None:
    assert misspelt([f"{PREFIX}{name}"]) == []


def test_what_a_service_sets_for_its_workers_is_not_warned_about() -> None:
    assert misspelt([FOLDER_VARIABLE, PARENT_VARIABLE, MODEL_VARIABLE]) == []
