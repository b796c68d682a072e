"""The Kubernetes component that lets several pods share the review desk's sessions."""

from pathlib import Path

from credit_scoring.review.secret import SETTING
from tests.support.manifests import Json, of_kind, with_components


def mounted(volume: Json) -> dict[str, str]:
    """Secret and key by the name of the file."""
    secrets = [each["secret"] for each in volume["projected"]["sources"] if "secret" in each]
    return {item["path"]: f"{each['name']}/{item['key']}" for each in secrets for item in each["items"]}


def test_the_secret_of_sessions_is_where_the_service_looks_for_it(tmp_path: Path) -> None:
    found = with_components(tmp_path, "desk", "policy")
    pod = of_kind(found, "Deployment")["credit-scoring"]["spec"]["template"]["spec"]
    (service,) = pod["containers"]
    name = service["envFrom"][0]["configMapRef"]["name"]
    path = Path(of_kind(found, "ConfigMap")[name]["data"][SETTING])
    place = {each["mountPath"]: each["name"] for each in service["volumeMounts"]}[str(path.parent)]
    (volume,) = (each for each in pod["volumes"] if each["name"] == place)
    assert mounted(volume)[path.name] == "credit-scoring-review/secret"
    assert "CREDIT_SCORING_POLICY_FILE" in {each["name"] for each in service["env"]}


def test_what_the_settings_say_without_it_stays(tmp_path: Path) -> None:
    data = [
        settings
        for name, each in of_kind(with_components(tmp_path, "desk"), "ConfigMap").items()
        if name.startswith("credit-scoring-settings")
        for settings in [each["data"]]
    ]
    assert [each["CREDIT_SCORING_API_KEYS_FILE"] for each in data] == ["/run/secrets/keys.toml"]
