"""Settings come from the environment, and the README lists each of them as it is."""

import pytest
from pydantic_settings import BaseSettings

from credit_scoring.errors import ConfigurationError
from credit_scoring.settings import PREFIX, PROJECT_FOLDER, ServiceSettings, TrainingSettings, read_settings

README = (PROJECT_FOLDER / "README.md").read_text(encoding="utf-8")
SETTINGS: list[tuple[type[BaseSettings], str]] = [
    (kind, name) for kind in (ServiceSettings, TrainingSettings) for name in kind.model_fields
]


@pytest.mark.parametrize(("kind", "name"), SETTINGS, ids=lambda value: value if isinstance(value, str) else "")
def test_the_readme_lists_a_setting_with_its_default_and_meaning(kind: type[BaseSettings], name: str) -> None:
    field = kind.model_fields[name]
    default = "data" if name == "data_folder" else field.default
    shown = str(default).lower() if isinstance(default, bool) else default
    assert f"| `{PREFIX}{name.upper()}` | `{shown}` | {field.description} |" in README


def test_a_setting_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDIT_SCORING_MAX_BATCH_SIZE", "64")
    assert read_settings(ServiceSettings).max_batch_size == 64


def test_every_unusable_setting_is_named_with_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDIT_SCORING_WORKERS", "none")
    monkeypatch.setenv("CREDIT_SCORING_LATENCY_BUDGET_MS", "-1")
    with pytest.raises(ConfigurationError, match=r"WORKERS=none: .*LATENCY_BUDGET_MS=-1: .*Fix or unset it"):
        read_settings(ServiceSettings)
