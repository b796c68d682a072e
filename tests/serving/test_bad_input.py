"""Bad input at the wire: a 4xx in the one error shape, no applicant's value anywhere, the service unharmed."""

import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.support.consorcio import EXAMPLE_APPLICATION, FIELDS
from benchmarks.support.waiting import wait_for
from credit_scoring.application.schemas import ErrorAnswer, Fault, ItemError
from credit_scoring.decisions.ids import is_id, new_id
from credit_scoring.decisions.outcomes import EXAMPLE_OUTCOME
from credit_scoring.decisions.reviews import EXAMPLE_REVIEW
from credit_scoring.serving.bodies import MOST_ADVISED
from credit_scoring.serving.problem_kinds import KINDS
from tests.conftest import RunningService, start_service, stop, wait_until_ready

JSON_TYPE = {"content-type": "application/json"}
ENDPOINTS = ["/predict", "/predict_many"]

# Values that appear nowhere else, so that each can be looked for in every answer and in the log.
NUMBER = 987654321.25
TEXT = "Segredo-7f3a91c4"
DIGITS = "98765432125" * 37
MARKERS = ("987654321", "Segredo", "segredo", "7f3a91c4")

Json = dict[str, Any]

# What makes an application bad -> the fields that are at fault. Each is valid JSON.
BAD_APPLICATIONS: dict[str, tuple[Json, set[str]]] = {
    "text for a number": ({"monthly_income": TEXT}, {"monthly_income"}),
    "a number in quotes": ({"monthly_income": "987654321.25"}, {"monthly_income"}),
    "a number for text": ({"application_id": NUMBER}, {"application_id"}),
    "a flag for a number": ({"credit_letter_value": True}, {"credit_letter_value"}),
    "a number for a flag": ({"has_negative_record": 1}, {"has_negative_record"}),
    "a text for a flag": ({"has_negative_record": TEXT}, {"has_negative_record"}),
    "a fraction of a month": ({"term_months": 48.5}, {"term_months"}),
    "an array for a number": ({"monthly_income": [NUMBER]}, {"monthly_income"}),
    "an object for text": ({"application_id": {TEXT: TEXT}}, {"application_id"}),
    "an unknown category": ({"housing": TEXT}, {"housing"}),
    "a category in lower case": ({"housing": "owner"}, {"housing"}),
    "an empty category": ({"housing": ""}, {"housing"}),
    "null for a required field": ({"age": None, "credit_letter_value": None}, {"age", "credit_letter_value"}),
    "a minor": ({"age": 17}, {"age"}),
    "too old": ({"age": 987654321}, {"age"}),
    "no letter value": ({"credit_letter_value": 0}, {"credit_letter_value"}),
    "a negative income": ({"monthly_income": -NUMBER}, {"monthly_income"}),
    "a term too short": ({"term_months": 0}, {"term_months"}),
    "a term too long": ({"term_months": 421}, {"term_months"}),
    "a tenure too long": ({"job_tenure_years": 60.01}, {"job_tenure_years"}),
    "an id too long": ({"application_id": TEXT * 5}, {"application_id"}),
    "a letter value of 400 digits": ({"credit_letter_value": int(DIGITS)}, {"credit_letter_value"}),
    "an income of 400 digits": ({"monthly_income": int(DIGITS)}, {"monthly_income"}),
    "an age of 400 digits": ({"age": int(DIGITS)}, {"age"}),
    "a term of minus 400 digits": ({"term_months": -int(DIGITS)}, {"term_months"}),
    "an unknown field": ({"favourite_colour": TEXT}, {"favourite_colour"}),
    "a forbidden field": ({"sexo": TEXT}, {"sexo"}),
    "forbidden fields in other words": ({"Religião": TEXT, "skin-color": TEXT}, {"Religião", "skin-color"}),
    "a field in the wrong case": ({"Age": 37}, {"Age"}),
    "many faults": (
        {"age": 17, "term_months": TEXT, "monthly_income": -NUMBER, "housing": TEXT, "raca": TEXT, "colour": TEXT},
        {"age", "term_months", "monthly_income", "housing", "raca", "colour"},
    ),
}

# Bodies that are no JSON at all, or not the JSON that either endpoint takes.
UNREADABLE: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n\t ",
    "cut off": f'{{"monthly_income": {NUMBER}, "age": '.encode(),
    "two values": b"{} {}",
    "a comment": b"// 987654321\n{}",
    "single quotes": f"{{'application_id': '{TEXT}'}}".encode(),
    "a bare word": TEXT.encode(),
    "null": b"null",
    "a text": f'"{TEXT}"'.encode(),
    "a number": b"987654321.25",
    "a flag": b"true",
    "invalid UTF-8": b'{"application_id": "' + TEXT.encode() + b'\xff\xfe"}',
    "UTF-16": json.dumps(EXAMPLE_APPLICATION).encode("utf-16"),
    "a lone surrogate": f'[{{"application_id": "{TEXT}\\ud800"}}]'.encode(),
    "a lone surrogate as a name": b'{"\\udfff": 987654321.25}',
    "a raw control character": b'{"application_id": "Segredo\x01"}',
    "a number of 5,000 digits": b'{"age": ' + b"987654321" * 556 + b"}",
    "20,000 open brackets": b"[" * 20_000,
    "2,000 nested arrays": b"[" * 2_000 + b"]" * 2_000,
    "2,000 nested objects": b'{"age":' * 2_000 + b"1" + b"}" * 2_000,
}

# Numbers that JSON does not have, or that no float can hold.
NOT_FINITE = ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"]


@pytest.fixture(autouse=True)
def unharmed(service: RunningService) -> Iterator[None]:
    """After each test the service decides the example as ever and its log holds no applicant's value."""
    yield
    assert httpx.post(f"{service.url}/predict", json=EXAMPLE_APPLICATION).status_code == 200
    assert_no_value_in(service.log_text())


def post(service: RunningService, path: str, body: bytes, headers: dict[str, str] = JSON_TYPE) -> httpx.Response:
    return httpx.post(f"{service.url}{path}", content=body, headers=headers, timeout=30)


def refused(answer: httpx.Response, status: int) -> list[Fault]:
    """The faults of an answer that has this status, the one error shape, and no applicant's value."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert_no_value_in(answer.text)
    error = ErrorAnswer.model_validate(answer.json())
    assert (error.status, error.instance) == (status, answer.headers["x-request-id"])
    assert (error.title, KINDS[error.code].status) == (KINDS[error.code].title, status)
    return faults_in(answer.json())


def faults_in(answer: Json) -> list[Fault]:
    assert set(answer) in ({*ErrorAnswer.model_fields}, {*ItemError.model_fields})
    assert all(set(fault) == {*Fault.model_fields} for fault in answer["faults"])
    checked = ItemError.model_validate(answer)
    assert checked.code
    assert checked.detail
    assert all(fault.message and fault.code for fault in checked.faults)
    return checked.faults


def assert_no_value_in(text: str) -> None:
    assert [marker for marker in MARKERS if marker in text] == []


# Bad applications


@pytest.mark.parametrize("kind", BAD_APPLICATIONS)
def test_a_bad_application_is_refused_with_every_fault_at_once(service: RunningService, kind: str) -> None:
    changes, fields = BAD_APPLICATIONS[kind]
    faults = refused(post(service, "/predict", json.dumps({**EXAMPLE_APPLICATION, **changes}).encode()), 400)
    assert {fault.field for fault in faults} == fields


@pytest.mark.parametrize("kind", BAD_APPLICATIONS)
def test_a_bad_application_among_many_gets_its_faults_in_its_place(service: RunningService, kind: str) -> None:
    changes, fields = BAD_APPLICATIONS[kind]
    items = [EXAMPLE_APPLICATION, {**EXAMPLE_APPLICATION, **changes}, EXAMPLE_APPLICATION]
    answer = post(service, "/predict_many", json.dumps(items).encode())
    assert answer.status_code == 200
    assert_no_value_in(answer.text)
    before, bad, after = answer.json()
    assert {fault.field for fault in faults_in(bad)} == fields
    assert before["risk_probability"] == after["risk_probability"]


def test_every_bad_application_at_once_leaves_the_good_ones_decided(service: RunningService) -> None:
    bad = [{**EXAMPLE_APPLICATION, **changes} for changes, _ in BAD_APPLICATIONS.values()]
    answer = post(service, "/predict_many", json.dumps([*bad, EXAMPLE_APPLICATION]).encode())
    assert_no_value_in(answer.text)
    *errors, decision = answer.json()
    assert decision["decision"] in {"APROVADO", "NEGADO"}
    assert [{fault.field for fault in faults_in(error)} for error in errors] == [
        fields for _, fields in BAD_APPLICATIONS.values()
    ]


def test_an_empty_object_lacks_each_required_field(service: RunningService) -> None:
    faults = refused(post(service, "/predict", b"{}"), 400)
    required = {name for name, field in FIELDS.items() if field.required}
    assert {(fault.field, fault.code) for fault in faults} == {(name, "missing") for name in required}


def test_an_unknown_field_is_answered_with_the_known_ones(service: RunningService) -> None:
    (fault,) = refused(post(service, "/predict", json.dumps({**EXAMPLE_APPLICATION, "income": TEXT}).encode()), 400)
    assert fault.code == "unknown_field"
    assert all(name in fault.message for name in FIELDS)


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_misspelt_field_is_answered_with_the_one_that_was_meant(service: RunningService, path: str) -> None:
    misspelt = {**EXAMPLE_APPLICATION, "monthly_incom": 1, "Good_Type": TEXT}
    answer = post(service, path, json.dumps(misspelt if path == "/predict" else [misspelt]).encode())
    found = refused(answer, 400) if path == "/predict" else faults_in(answer.json()[0])
    assert {fault.field: fault.message for fault in found} == {
        "monthly_incom": "Unknown field; did you mean monthly_income?",
        "Good_Type": "Unknown field; did you mean good_type?",
    }


def test_a_misspelt_name_of_any_request_is_answered_with_the_one_that_was_meant(service: RunningService) -> None:
    review = f"/decisions/{new_id()}/review"
    asked: dict[str, tuple[Json, str]] = {
        "/outcomes": ({**EXAMPLE_OUTCOME, "observd_on": TEXT}, "observed_on"),
        review: ({**EXAMPLE_REVIEW, "reviwer": TEXT}, "reviewer"),
        "/what_if": ({"application": EXAMPLE_APPLICATION, "lever": [TEXT]}, "levers"),
    }
    for path, (body, meant) in asked.items():
        (fault,) = refused(post(service, path, json.dumps(body).encode()), 400)
        assert (fault.code, fault.message) == ("unknown_field", f"Unknown field; did you mean {meant}?")
    (fault,) = faults_in(post(service, "/outcomes", json.dumps([asked["/outcomes"][0]]).encode()).json()[0])
    assert fault.message == "Unknown field; did you mean observed_on?"
    nested = {"application": {**EXAMPLE_APPLICATION, "Good_Type": TEXT}}
    (fault,) = refused(post(service, "/what_if", json.dumps(nested).encode()), 400)
    assert (fault.field, fault.message) == ("application.Good_Type", "Unknown field; did you mean good_type?")


def test_a_misspelt_parameter_is_answered_with_the_one_that_was_meant_and_a_gateways_own_is_let_be(
    service: RunningService,
) -> None:
    body = json.dumps(EXAMPLE_APPLICATION).encode()
    (fault,) = refused(post(service, "/predict?reason=true", body), 400)
    assert (fault.code, fault.message) == ("query", "reason: Unknown parameter; did you mean reasons?")
    assert post(service, "/predict?utm_source=app", body).status_code == 200
    found = ErrorAnswer.model_validate(httpx.get(f"{service.url}/decisions?limits=5").json())
    assert found.detail.startswith("limits: Unknown field; did you mean limit?")


def test_a_stray_field_of_a_source_is_not_answered_with_the_fields_of_an_application(service: RunningService) -> None:
    sources = {"monthly_income": {"source": "x", "colour": TEXT}}
    (fault,) = refused(post(service, "/predict", json.dumps({**EXAMPLE_APPLICATION, "sources": sources}).encode()), 400)
    assert (fault.field, fault.message) == ("sources.monthly_income.colour", "Unknown field")


def test_in_an_array_misspelt_fields_are_compared_with_the_known_ones_for_the_first_items_only(
    service: RunningService,
) -> None:
    misspelt = {**EXAMPLE_APPLICATION, "monthly_incom": 1}
    answers = post(service, "/predict_many", json.dumps([misspelt] * (MOST_ADVISED + 5)).encode()).json()
    messages = [each["faults"][0]["message"] for each in answers]
    assert messages == ["Unknown field; did you mean monthly_income?"] * MOST_ADVISED + ["Unknown field"] * 5


@pytest.mark.parametrize("name", ["sexo", "gender", "race", "cor da pele", "Religião", "political_party", "saúde"])
def test_a_forbidden_field_is_refused_with_the_law_that_forbids_it(service: RunningService, name: str) -> None:
    (fault,) = refused(post(service, "/predict", json.dumps({**EXAMPLE_APPLICATION, name: TEXT}).encode()), 400)
    assert fault.code == "forbidden_field"
    assert "Lei 12.414/2011" in fault.message


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("name", ["credit_letter_value", "monthly_income", "age"])
@pytest.mark.parametrize("number", NOT_FINITE)
def test_a_number_that_is_not_finite_is_refused(service: RunningService, number: str, name: str, path: str) -> None:
    body = json.dumps({**EXAMPLE_APPLICATION, name: TEXT}).replace(f'"{TEXT}"', number).encode()
    if path == "/predict":
        assert {fault.field for fault in refused(post(service, path, body), 400)} <= {name, ""}
        return
    answer = post(service, path, b"[" + body + b"]")
    assert_no_value_in(answer.text)
    errors = [answer.json()] if answer.status_code == 400 else answer.json()
    assert {fault.field for error in errors for fault in faults_in(error)} <= {name, ""}


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_field_given_twice_is_refused(service: RunningService, path: str) -> None:
    """Which of two ages counts is anyone's guess, and the applicant's credit hangs on it."""
    body = json.dumps(EXAMPLE_APPLICATION).replace('"age": 37', '"age": 17, "age": 37').encode()
    answer = post(service, path, body if path == "/predict" else b"[" + body + b"]")
    answers = [answer.json()] if answer.status_code == 400 or path == "/predict" else answer.json()
    assert [each["code"] for each in answers] == ["repeated_field"]


# Bodies that cannot be read


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_unreadable_body_is_refused(service: RunningService, kind: str, path: str) -> None:
    faults = refused(post(service, path, UNREADABLE[kind]), 400)
    assert [fault.field for fault in faults] == [""]


@pytest.mark.parametrize(("path", "body"), [("/predict", b"[]"), ("/predict", b"[{}]"), ("/predict_many", b"{}")])
def test_an_array_is_not_an_application_nor_an_object_many(service: RunningService, path: str, body: bytes) -> None:
    (fault,) = refused(post(service, path, body), 400)
    assert fault.field == ""


@pytest.mark.parametrize("item", ["null", "[]", "987654321.25", f'"{TEXT}"', "true", "[[987654321.25]]"])
def test_an_item_that_is_no_object_gets_an_error_in_its_place(service: RunningService, item: str) -> None:
    answer = post(service, "/predict_many", f"[{item}]".encode())
    assert answer.status_code == 200
    assert_no_value_in(answer.text)
    (error,) = answer.json()
    assert [fault.field for fault in faults_in(error)] == [""]


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
    ],
)
def test_another_content_type_is_a_415(service: RunningService, content_type: str | None, path: str) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    body = json.dumps({**EXAMPLE_APPLICATION, "application_id": TEXT}).encode()
    refused(post(service, path, body, headers), 415)


# Bodies that are too large


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_body_of_10_mb_is_a_413(service: RunningService, path: str) -> None:
    refused(post(service, path, json.dumps({"application_id": TEXT * 625_000}).encode()), 413)


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_body_of_10_mb_that_does_not_tell_its_length_is_a_413(service: RunningService, path: str) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(160):
            yield TEXT.encode() * 4096

    refused(httpx.post(f"{service.url}{path}", content=pieces(), headers=JSON_TYPE, timeout=30), 413)


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_length_of_thousands_of_digits_is_a_413(service: RunningService, path: str) -> None:
    with closing(HTTPConnection(httpx.URL(service.url).netloc.decode(), timeout=30)) as connection:
        connection.request("POST", path, b"{}", {**JSON_TYPE, "Content-Length": "2".zfill(5000)})
        assert connection.getresponse().status == 413


@pytest.mark.parametrize(("path", "status"), [("/predict", 413), ("/predict_many", 400)])
@pytest.mark.parametrize("tail", [b"", b"]" * 100_000], ids=["open", "closed"])
def test_100000_brackets_are_refused(service: RunningService, tail: bytes, path: str, status: int) -> None:
    refused(post(service, path, b"[" * 100_000 + tail), status)


def test_thousands_of_faults_do_not_make_a_long_answer(service: RunningService) -> None:
    body = json.dumps({f"unknown_{number}": TEXT for number in range(1_500)}).encode()
    answer = post(service, "/predict", body)
    assert refused(answer, 400)
    assert len(answer.content) < 64 * 1024


def test_only_the_first_of_many_unknown_fields_is_answered_with_the_known_ones(service: RunningService) -> None:
    body = json.dumps({**EXAMPLE_APPLICATION, **{f"unknown_{number}": 1 for number in range(40)}}).encode()
    first, *others = refused(post(service, "/predict", body), 400)
    assert all(name in first.message for name in FIELDS)
    assert {fault.message for fault in others} == {"Unknown field"}


# Bodies of too many parts: refused before anything is built from them

REVIEW = f"/decisions/{new_id()}/review"
OBJECT_ROUTES = ["/predict", "/outcomes", REVIEW]
ARRAY_ROUTES = ["/predict_many", "/outcomes"]


def fields(count: int) -> bytes:
    return json.dumps({f"u{number}": 1 for number in range(count)}).encode()


def nested(count: int) -> bytes:
    return b'{"age": [' + b", ".join([b'{"a": {}}'] * count) + b"]}"


@pytest.mark.parametrize("path", OBJECT_ROUTES)
@pytest.mark.parametrize("body", [fields(81), fields(5_000), nested(90), nested(5_000)], ids=len)
def test_an_object_of_too_many_fields_has_one_fault(service: RunningService, body: bytes, path: str) -> None:
    (fault,) = refused(post(service, path, body), 400)
    assert (fault.code, fault.field) == ("too_long", "")
    assert ("80 fields" if path == "/predict" else "64 fields") in fault.message


@pytest.mark.parametrize("path", [REVIEW, *ARRAY_ROUTES])
@pytest.mark.parametrize("body", [fields(150_000), nested(100_000)], ids=["unknown fields", "nested objects"])
@pytest.mark.parametrize("around", [b"%b", b"[%b]", b"[%b, {}]"])
def test_more_parts_than_any_good_body_has_are_one_fault(
    service: RunningService, around: bytes, body: bytes, path: str
) -> None:
    (fault,) = refused(post(service, path, around % body), 400)
    assert (fault.code, fault.field) == ("too_long", "")


@pytest.mark.parametrize("path", ARRAY_ROUTES)
def test_an_item_of_too_many_fields_has_one_fault_in_its_place(service: RunningService, path: str) -> None:
    answer = post(service, path, b"[" + fields(81) + b", {}]")
    assert answer.status_code == 200
    large, empty = answer.json()
    most = 80 if path == "/predict_many" else 64
    assert [fault.message for fault in faults_in(large)] == [f"At most {most} fields, found 81"]
    assert {fault.code for fault in faults_in(empty)} == {"missing"}


def test_colons_and_brackets_in_texts_are_no_fields(service: RunningService) -> None:
    application = {**EXAMPLE_APPLICATION, "application_id": ':{["\\' * 12}
    assert post(service, "/predict", json.dumps(application).encode()).status_code == 200
    several = [{**application, "application_id": None}] * 100 + [application]
    answer = post(service, "/predict_many", json.dumps(several).encode())
    assert all("decision" in each for each in answer.json())
    step = {**EXAMPLE_REVIEW, "reason": "::{[" * 500}
    assert post(service, REVIEW, json.dumps(step).encode()).status_code == 404


TERSE_ITEMS = {
    "numbers": b"1",
    "nothings": b"{}",
    "unknown fields": b'{"a":1}',
    "many unknown fields": fields(64),
    "forbidden fields": b'{"sexo":1,"cor":1,"raca":1}',
    "minors": b'{"age":1,"credit_letter_value":1}',
}


@pytest.mark.parametrize("path", ARRAY_ROUTES)
@pytest.mark.parametrize("item", TERSE_ITEMS.values(), ids=TERSE_ITEMS)
@pytest.mark.parametrize("count", [1, 10, 100, 1000])
def test_an_answer_to_many_is_never_thirty_times_as_long_as_the_request(
    service: RunningService, count: int, item: bytes, path: str
) -> None:
    """What a single answer may be long, however short the request, apart."""
    body = b"[" + b",".join([item] * count) + b"]"
    answer = post(service, path, body)
    assert answer.status_code == 200
    assert len(answer.json()) == count
    assert all(set(each) == {"code", "detail", "faults"} for each in answer.json())
    assert len(answer.content) < max(30 * len(body), 16 * 1024)


def test_past_the_faults_that_an_answer_lists_the_good_are_still_decided(service: RunningService) -> None:
    answer = post(service, "/predict_many", json.dumps([{}] * 900 + [EXAMPLE_APPLICATION]).encode())
    *errors, decision = answer.json()
    assert errors[0]["faults"]
    assert errors[-1] == {"code": "too_many", "detail": "Send fewer", "faults": []}
    assert decision["decision"] in {"APROVADO", "NEGADO"}


def test_1001_applications_are_too_many(service: RunningService) -> None:
    (fault,) = refused(post(service, "/predict_many", json.dumps([EXAMPLE_APPLICATION] * 1001).encode()), 400)
    assert "1,000" in fault.message


# Bodies that do not arrive


@contextmanager
def half_sent(service: RunningService, path: str) -> Iterator[HTTPConnection]:
    """A connection on which a request is announced and only the first half of its body is sent."""
    body = json.dumps({**EXAMPLE_APPLICATION, "application_id": TEXT}).encode()
    with closing(HTTPConnection(httpx.URL(service.url).netloc.decode(), timeout=30)) as connection:
        connection.putrequest("POST", path)
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[: len(body) // 2])
        yield connection


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_body_that_stops_arriving_is_a_408(service: RunningService, path: str) -> None:
    with half_sent(service, path) as connection:
        answer = connection.getresponse()
        text = answer.read().decode()
    assert answer.status == 408
    assert_no_value_in(text)
    faults_in(json.loads(text))


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_client_that_leaves_in_the_middle_of_its_body_harms_nobody(service: RunningService, path: str) -> None:
    with half_sent(service, path):
        pass
    assert "Traceback" not in service.log_text()


# The log, when it is told to say more


def test_the_access_log_tells_of_a_request_without_its_values(model_tag: str, tmp_path: Path) -> None:
    switches = {"CREDIT_SCORING_ACCESS_LOG": "true", "CREDIT_SCORING_TRACING": "true"}
    running = start_service(
        "credit_scoring.service:CreditScoring", tmp_path, CREDIT_SCORING_MODEL=model_tag, **switches
    )
    try:
        wait_until_ready(running)
        for changes, _ in BAD_APPLICATIONS.values():
            post(running, "/predict", json.dumps({**EXAMPLE_APPLICATION, **changes}).encode())
        for body in UNREADABLE.values():
            refused(post(running, "/predict", body), 400)
        good = {**EXAMPLE_APPLICATION, "application_id": TEXT, "monthly_income": NUMBER}
        named = post(running, "/predict", json.dumps(good).encode(), {**JSON_TYPE, "X-Request-ID": "loja-9"})
        unnamed = post(running, "/predict", json.dumps(good).encode(), {**JSON_TYPE, "X-Request-ID": "not safe"})
        assert (named.status_code, unnamed.status_code) == (200, 200)
        assert is_id(unnamed.headers["x-request-id"])
        in_order = rf"path=/predict,.*status=200.* request=loja-9 .*\n.* request={unnamed.headers['x-request-id']} "
        wait_for(lambda: re.search(in_order, running.log_text()), "the lines of the access log")
        assert_no_value_in(running.log_text())
    finally:
        stop(running.process)
