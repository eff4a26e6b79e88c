"""Reports of browsers, in the shapes that Chromium was seen to send and that the specifications give."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ingest.adapters.browser_reports import BROWSER_REPORTS
from ingest.refusal import RequestError
from schemas.errors import error_class, fingerprint
from tests.support.wire import RECEIVED_AT, fields, request

LEGACY = {
    "csp-report": {
        "blocked-uri": "https://evil.example/x.js",
        "disposition": "enforce",
        "document-uri": "https://shop.example/cart",
        "effective-directive": "script-src-elem",
        "referrer": "https://shop.example/",
        "status-code": 200,
        "violated-directive": "script-src-elem 'self'",
        "line-number": 3,
    }
}


def report(type_: str, body: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "age": 1500,
        "type": type_,
        "url": "https://shop.example/cart",
        "user_agent": "Mozilla/5.0",
        "body": body,
    } | more


def read(body: Any) -> list[dict[str, Any]]:
    return [fields(item) for item in BROWSER_REPORTS.read(request("/v1/reports", body)).items]


def test_a_csp_violation_in_both_shapes() -> None:
    modern = {
        "blockedURL": "https://evil.example/x.js",
        "disposition": "enforce",
        "documentURL": "https://shop.example/cart",
        "effectiveDirective": "script-src-elem",
        "referrer": "https://shop.example/",
        "statusCode": 200,
        "lineNumber": 3,
    }
    (new,) = read([report("csp-violation", modern)])
    (old,) = read(LEGACY)
    for found in (new, old):
        assert (
            found.items()
            >= {
                "type": "csp_violation",
                "kind": "error",
                "url": "https://shop.example/cart",
                "referrer": "https://shop.example/",
                "message": "script-src-elem blocked https://evil.example/x.js",
            }.items()
        )
        assert (
            found["props"].items()
            >= {
                "effective_directive": "script-src-elem",
                "blocked_uri": "https://evil.example/x.js",
                "disposition": "enforce",
                "status_code": 200,
                "line_number": 3,
                "error_type": "script-src-elem evil.example",
            }.items()
        )
    assert new["ts"] == RECEIVED_AT - timedelta(milliseconds=1500)
    assert new["user_agent"] == "Mozilla/5.0"
    assert "ts" not in old


def test_violations_of_one_host_are_one_error() -> None:
    def of(blocked: str) -> str:
        (found,) = read([report("csp-violation", {"effectiveDirective": "img-src", "blockedURL": blocked})])
        return fingerprint("csp", found["type"], found["message"], found["props"])

    assert of("https://a.example/1.js") == of("https://a.example/2.js") != of("https://b.example/1.js")
    assert of("inline") != of("eval")


def test_a_network_error() -> None:
    body = {"elapsed_time": 60000, "method": "GET", "phase": "connection", "status_code": 0, "type": "tcp.timed_out"}
    (found,) = read([report("network-error", body | {"referrer": "https://shop.example/"})])
    assert (found["type"], found["kind"]) == ("network_error", "error")
    assert found["message"] == "tcp.timed_out GET https://shop.example/cart"
    assert found["referrer"] == "https://shop.example/"
    assert found["props"].items() >= {"type": "tcp.timed_out", "phase": "connection"}.items()


def test_a_failed_answer_is_an_http_error() -> None:
    (found,) = read([report("network-error", {"type": "http.error", "status_code": 502, "method": "POST"})])
    assert found["type"] == "http_error"
    assert found["props"].items() >= {"status": 502, "request_path": "/cart"}.items()
    assert error_class(found["type"], found["props"]) == "http_5xx"


def test_a_sampled_success_is_no_error() -> None:
    (found,) = read([report("network-error", {"type": "ok", "status_code": 200})])
    assert (found["type"], found["kind"]) == ("network_ok", "clickstream")


@pytest.mark.parametrize(
    ("type_", "body", "expected", "message"),
    [
        ("crash", {"reason": "oom"}, "crash", "oom"),
        ("crash", {}, "crash", "crash"),
        ("deprecation", {"id": "WebSQL", "message": "gone"}, "deprecation", "gone"),
        ("intervention", {"id": "HeavyAd", "message": "heavy"}, "intervention", "heavy"),
        ("permissions-policy-violation", {"message": "no camera"}, "permissions_policy_violation", "no camera"),
    ],
)
def test_other_reports(type_: str, body: dict[str, Any], expected: str, message: str) -> None:
    (found,) = read([report(type_, body)])
    assert (found["type"], found["kind"], found["message"]) == (expected, "error", message)


def test_an_impossible_age_is_not_believed() -> None:
    for age in (-1, 1e12, "x", None):
        (found,) = read([report("crash", {}, age=age)])
        assert "ts" not in found


def test_reports_of_one_body_are_judged_one_by_one() -> None:
    items = BROWSER_REPORTS.read(request("/v1/reports", [report("crash", {}), 1, {}, report("crash", {})])).items
    assert [type(item).__name__ for item in items] == ["Draft", "Refusal", "Refusal", "Draft"]


@pytest.mark.parametrize("body", [b"", b"x", b"{", b"1"])
def test_a_body_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        BROWSER_REPORTS.read(request("/v1/reports", body))
    assert caught.value.status == 400


def test_the_key_is_in_the_address() -> None:
    assert BROWSER_REPORTS.key(request("/v1/reports", query="writeKey=wk")) == b"wk"
    assert BROWSER_REPORTS.key(request("/api/42/security", query="sentry_key=wk")) == b"wk"
