import datetime
import json
from email.utils import format_datetime

import pytest

from sessions.engine.errors import ERRORS
from sessions.providers.failures import code_for, code_in_stream, complaint_in, retry_after


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (300, "redirect_refused"), (301, "redirect_refused"), (307, "redirect_refused"), (308, "redirect_refused"),
        (400, "bad_request"), (401, "provider_auth"), (402, "quota_exceeded"), (403, "provider_denied"),
        (404, "model_not_found"), (405, "bad_request"), (408, "provider_error"), (413, "context_too_long"),
        (422, "bad_request"), (429, "rate_limited"), (500, "provider_error"), (503, "provider_error"),
        (529, "provider_error"), (599, "provider_error"),
    ],
)  # fmt: skip
def test_a_status_alone_has_a_code(status: int, code: str) -> None:
    assert code_for(status, "", schema_asked=True) == code
    assert code in ERRORS


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (429, "You exceeded your current quota. insufficient_quota", "quota_exceeded"),
        (429, "You exceeded your current quota, retry in 8 s", "rate_limited"),
        (400, "Your credit balance is too low to access the API", "quota_exceeded"),
        (400, "This model's maximum context length is 4096 tokens", "context_too_long"),
        (400, "prompt is too long: 210000 tokens > 200000 maximum", "context_too_long"),
        (400, "the request exceeds the available context size", "context_too_long"),
        (400, "API key not valid. Please pass a valid API key.", "provider_auth"),
        (400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported", "schema_unsupported"),
        (400, "llama2 does not support tools", "schema_unsupported"),
        (422, "json_schema: extra fields not permitted", "schema_unsupported"),
        (400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.", "bad_request"),
        (400, "Unsupported value: 'temperature' does not support 0.3", "temperature_unsupported"),
    ],
)
def test_a_complaint_says_more_than_its_status(status: int, message: str, code: str) -> None:
    body = json.dumps({"error": {"message": message, "type": "invalid_request_error"}}).encode()
    assert code_for(status, complaint_in(body), schema_asked=True) == code


def test_a_complaint_about_schemas_means_nothing_when_none_was_asked() -> None:
    assert code_for(400, "response_format is wrong", schema_asked=False) == "bad_request"


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"7", b'"text"', b"<html>", b"\xff\xfe", b'{"error": null}', b'{"error": []}', b"[[[]]]"],
)
def test_any_body_is_a_complaint(body: bytes) -> None:
    assert isinstance(complaint_in(body), str)


def test_what_a_complaint_echoes_is_not_read() -> None:
    body = json.dumps({"error": {"message": "no", "input": "context length"}}).encode()
    assert "context" not in complaint_in(body)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0), ("0", 0.0), ("1.5", 1.5), ("99999999", 99_999_999.0), ("-3", None), ("nan", None), ("inf", None),
        ("1e999", None), ("", None), ("soon", None), ("Mon, 99 Foo 2026", None), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)  # fmt: skip
def test_a_wait_is_a_finite_number_of_seconds_or_nothing(value: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": value}) == seconds


def test_a_wait_may_be_a_date() -> None:
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=100)
    seconds = retry_after({"Retry-After": format_datetime(later, usegmt=True)})
    assert seconds is not None
    assert 90 < seconds <= 100


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": 429, "message": "slow down"}, "rate_limited"),
        ({"code": 502, "message": "upstream"}, "provider_error"),
        ({"type": "rate_limit_error", "message": "slow down"}, "rate_limited"),
        ({"type": "overloaded_error", "message": "Overloaded"}, "provider_error"),
        ({"type": "invalid_request_error", "message": "prompt is too long"}, "context_too_long"),
        ({"type": "invalid_request_error", "message": "no"}, "bad_request"),
        ("something broke", "provider_error"),
        (True, "provider_error"),
        (["x"], "provider_error"),
    ],
)
def test_an_error_object_in_a_stream_has_a_code(error: object, code: str) -> None:
    assert code_in_stream(error, schema_asked=True) == code
