"""The OpenAPI document and the page that shows it, against the running service."""

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
import schemathesis
from jsonschema_rs import Draft202012Validator, meta

from benchmarks.support.consorcio import EXAMPLE_APPLICATION, FIELDS, ConsorcioApplication
from credit_scoring.application.fields import Role
from credit_scoring.application.schemas import Decision, ErrorAnswer
from credit_scoring.serving.routes import EXAMPLE_DECISION
from tests.conftest import RunningService

Json = dict[str, Any]

CASES_PER_ENDPOINT = 60
ANOTHER_HOST = re.compile(r"https?:|wss?:|[\"'(=]\s*//\w")
RANGE_KEYWORDS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}


@pytest.fixture(scope="session")
def document(service: RunningService) -> Json:
    answer = httpx.get(f"{service.url}/docs.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    found: Json = answer.json()
    return found


def validator(document: Json, name: str) -> Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return Draft202012Validator(schema)


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def keywords(document: Json, schema: Json) -> Json:
    """The schema's keywords, those of the alternative that is not null and of what it refers to included."""
    found = {**schema}
    for each in [schema, *schema.get("anyOf", [])]:
        if each.get("type") != "null":
            named = each.get("$ref", "").rpartition("/")[2]
            found = {**document["components"]["schemas"].get(named, {}), **each, **found}
    return found


# The document


def test_the_document_is_valid_openapi_3_1(service: RunningService, document: Json) -> None:
    assert document["openapi"].startswith("3.1.")
    schemathesis.openapi.from_url(f"{service.url}/docs.json").validate()


def test_every_schema_of_the_document_is_valid_json_schema(document: Json) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert meta.is_valid({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}), name
        validator(document, name)


def test_every_endpoint_is_on_the_document(document: Json) -> None:
    found = {(method, path) for path, method, _ in operations(document)}
    assert found == {
        ("post", "/predict"),
        ("post", "/predict_many"),
        ("post", "/what_if"),
        ("get", "/decisions"),
        ("get", "/decisions/{decision_id}/reasons"),
        ("get", "/decisions/{decision_id}"),
        ("post", "/decisions/{decision_id}/review"),
        ("post", "/outcomes"),
        ("get", "/model"),
        ("get", "/livez"),
        ("get", "/readyz"),
        ("get", "/metrics"),
    }


def test_every_endpoint_says_what_it_does_and_answers_as_it_says(service: RunningService, document: Json) -> None:
    for path, method, operation in operations(document):
        assert operation["summary"], path
        assert "200" in operation["responses"]
        if method == "get" and "{" not in path:
            assert httpx.get(f"{service.url}{path}").status_code == 200


@pytest.mark.parametrize(
    ("path", "more"), [("/predict", {"409"}), ("/predict_many", {"409"}), ("/outcomes", {"404", "409"})]
)
def test_every_error_is_documented_in_the_one_shape(document: Json, path: str, more: set[str]) -> None:
    responses = document["paths"][path]["post"]["responses"]
    assert set(responses) == {"200", "400", "401", "403", "408", "413", "415", "500", "503"} | more
    for status in set(responses) - {"200"}:
        described = document["components"]["responses"][responses[status]["$ref"].rpartition("/")[2]]
        assert described["description"]
        content = described["content"]["application/problem+json"]
        assert content["schema"] == {"$ref": "#/components/schemas/ErrorAnswer"}
        assert content["examples"]
        for code, example in content["examples"].items():
            validator(document, "ErrorAnswer").validate(example["value"])
            assert (example["value"]["status"], example["value"]["code"]) == (int(status), code)


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_has_a_title_a_description_and_a_range(document: Json, name: str) -> None:
    schema = keywords(document, document["components"]["schemas"]["Application"]["properties"][name])
    assert schema["title"]
    assert schema["title"] != name
    assert schema["description"]
    assert schema["x-role"] in set(Role)
    match FIELDS[name].kind:
        case "number" | "integer":
            assert schema["x-unit"] in {"BRL", "months", "years"}
            assert RANGE_KEYWORDS & set(schema)
        case "category":
            assert tuple(schema["enum"]) == FIELDS[name].categories
        case "text":
            assert schema["maxLength"] == 64
        case "flag":
            assert schema["type"] == "boolean"


@pytest.mark.parametrize("name", Decision.model_fields)
def test_a_field_of_a_decision_has_a_title_and_a_description(document: Json, name: str) -> None:
    schema = document["components"]["schemas"]["Decision"]["properties"][name]
    assert schema["description"]
    assert schema["title"]


def test_the_page_of_predict_says_how_to_repeat_what_to_wait_for_and_what_to_do_without_an_answer(
    document: Json,
) -> None:
    text = document["paths"]["/predict"]["post"]["description"]
    for each in ("Idempotency", "Retries", "Time limits", "At 503", "Request id", "application_id", "Retry-After"):
        assert each in text


def test_what_is_answered_without_a_key_bears_no_lock(document: Json) -> None:
    unlocked = {path for path, _, operation in operations(document) if operation.get("security") == []}
    assert unlocked == {"/livez", "/readyz"}
    assert "503" in document["paths"]["/readyz"]["get"]["responses"]


def test_the_policy_of_the_model_in_use_has_its_version(service: RunningService, document: Json) -> None:
    policy = httpx.get(f"{service.url}/model").json()["policy"]
    validator(document, "Policy").validate(policy)
    assert "version" in document["components"]["schemas"]["Policy"]["required"]
    assert policy["version"].startswith("policy-")


def test_a_report_of_an_outcome_is_one_of_two_plain_objects(document: Json) -> None:
    assert "properties" not in document["components"]["schemas"]["OutcomeReport"]
    for own, other in (("decision_id", "application_id"), ("application_id", "decision_id")):
        report = {own: EXAMPLE_DECISION["decision_id"], "outcome": "PAID", "observed_on": "2026-11-01"}
        validator(document, "OutcomeReport").validate(report)
        assert not validator(document, "OutcomeReport").is_valid({**report, other: "other"})
    assert not validator(document, "OutcomeReport").is_valid({"outcome": "PAID", "observed_on": "2026-11-01"})


def test_unknown_fields_are_ruled_out_by_the_document(document: Json) -> None:
    application = document["components"]["schemas"]["Application"]
    assert application["additionalProperties"] is False
    assert set(application["properties"]) == set(ConsorcioApplication.model_fields)


def test_the_example_is_valid_and_is_decided_as_documented(service: RunningService, document: Json) -> None:
    example = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert example == EXAMPLE_APPLICATION
    validator(document, "Application").validate(example)
    answer = httpx.post(f"{service.url}/predict", json=example)
    assert answer.status_code == 200
    validator(document, "Decision").validate(answer.json())


def test_the_example_of_many_is_valid_and_is_decided_as_documented(service: RunningService, document: Json) -> None:
    body = document["paths"]["/predict_many"]["post"]["requestBody"]["content"]["application/json"]
    for item in body["example"]:
        validator(document, "Application").validate(item)
    (decision,) = httpx.post(f"{service.url}/predict_many", json=body["example"]).json()
    validator(document, "Decision").validate(decision)


def test_the_example_of_a_decision_is_valid(document: Json) -> None:
    answer = document["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]
    validator(document, "Decision").validate(answer["example"])


def test_an_error_is_answered_as_documented(service: RunningService, document: Json) -> None:
    answer = httpx.post(f"{service.url}/predict", json={"age": 1, "colour": "blue"})
    validator(document, "ErrorAnswer").validate(answer.json())
    assert set(document["components"]["schemas"]["ErrorAnswer"]["properties"]) == set(ErrorAnswer.model_fields)


# The service held to the document


def test_schemathesis_finds_nothing(service: RunningService, tmp_path: Path) -> None:
    """All checks are on, valid and invalid data, methods that no endpoint declares included."""
    (tmp_path / "schemathesis.toml").write_text(_SCHEMATHESIS, encoding="utf-8")
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "run", f"{service.url}/docs.json"]
    options = ["--mode", "all", "--max-examples", str(CASES_PER_ENDPOINT), "--seed", "20261123"]
    bounds = ["--generation-database", "none", "--request-timeout", "10", "--continue-on-failure"]
    run = subprocess.run(
        [*command, *options, *bounds], cwd=tmp_path, check=False, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stdout + run.stderr


# /predict_many and /outcomes answer a bad item with an error in its place, status 200, so that the others are taken;
# the check takes any 200 for acceptance. test_bad_input.py looks at those errors and at the bodies that are refused.
_SCHEMATHESIS = """
[[operations]]
include-name = ["POST /predict_many", "POST /outcomes"]
checks.negative_data_rejection.enabled = false
"""


# The page


class References(HTMLParser):
    """What a page refers to: each `src` and `href`."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in {"src", "href"} and value]


@pytest.fixture(scope="session")
def page(service: RunningService) -> httpx.Response:
    return httpx.get(f"{service.url}/")


def references(page: httpx.Response) -> list[str]:
    parser = References()
    parser.feed(page.text)
    return [urljoin(str(page.url), each) for each in parser.found]


def test_the_page_is_html_that_a_browser_may_load_from_its_own_host_only(page: httpx.Response) -> None:
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert not re.search(r"https?:|\*|unsafe-eval|script-src[^;]*unsafe-inline", policy)


def test_everything_that_the_page_refers_to_is_served_by_the_service(
    service: RunningService, page: httpx.Response
) -> None:
    assert len(references(page)) >= 3
    for reference in references(page):
        assert reference.startswith(f"{service.url}/")
        assert httpx.get(reference).status_code == 200, reference


def test_neither_the_page_nor_our_scripts_name_another_host(service: RunningService, page: httpx.Response) -> None:
    ours = [each for each in references(page) if each.startswith(f"{service.url}/pages/")]
    assert ours
    for text in [page.text, *(httpx.get(each).text for each in ours)]:
        assert ANOTHER_HOST.findall(re.sub(r"//.*$", "", text, flags=re.MULTILINE)) == []
        assert "http" not in text
        assert "googletagmanager" not in text


def test_the_page_has_no_script_of_its_own_in_line(page: httpx.Response) -> None:
    assert re.findall(r"<script(?![^>]*\bsrc=)", page.text) == []
    assert re.findall(r"\son\w+=", page.text) == []
