"""What browsers report by themselves, without any script on the page: Reporting API, Network Error Logging, CSP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from ingest.adapters.adapter import Adapter, Answer, Request
from ingest.adapters.bodies import pieces_of, read_pieces
from ingest.adapters.credentials import query_key, standard_key
from ingest.adapters.fields import event, part, text
from ingest.adapters.values import number, present, snake_case, string
from ingest.decode import Item, Submission
from ingest.paths import path_of
from schemas.openapi import Verdicts

_MAX_AGE_MS: Final = 7 * 24 * 3600 * 1000.0  # browsers throw reports away after two days; what says more is made up


def _read(request: Request) -> Submission:
    pieces = pieces_of(request)
    return Submission(items=read_pieces(pieces, lambda report: _event_of(report, request)), originals=lambda: pieces)


def _event_of(report: dict[str, Any], request: Request) -> Item:
    """The event of one report: an element of a Reporting API body, or a whole legacy CSP body."""
    if "csp-report" in report:
        legacy = part(report, "csp-report")
        body = {_camel(name): value for name, value in legacy.items()}
        body |= {"documentURL": legacy.get("document-uri"), "blockedURL": legacy.get("blocked-uri")}
        report = {"type": "csp-violation", "url": legacy.get("document-uri"), "body": body}
    body = part(report, "body")
    reader = _READERS.get(string(report.get("type")), _other)
    type_, own, named = reader(report, body)
    props = {snake_case(name): value for name, value in body.items()} | own
    age_ms = number(report.get("age")) or 0.0
    return event(
        type_,
        present(props),
        **{
            "kind": "error",
            "ts": request.received_at - timedelta(milliseconds=age_ms) if 0 < age_ms <= _MAX_AGE_MS else None,
            "url": text(report.get("url")),
            "user_agent": text(report.get("user_agent")),
            **named,
        },
    )


_Read = tuple[str, dict[str, Any], dict[str, Any]]  # type, properties and other fields of an event


def _csp(report: dict[str, Any], body: dict[str, Any]) -> _Read:
    directive = string(body.get("effectiveDirective")) or string(body.get("violatedDirective")).partition(" ")[0]
    blocked = string(body.get("blockedURL"))
    # One cause is a directive and who was blocked, not the path of each of that host's scripts.
    cause = f"{directive} {_host(blocked)}".strip()
    props = {"error_type": cause, "effective_directive": directive, "blocked_uri": blocked, "blocked_url": None}
    fields = {
        "url": text(body.get("documentURL"), report.get("url")),
        "referrer": text(body.get("referrer")),
        "message": f"{directive} blocked {blocked}".strip(),
    }
    return "csp_violation", props, fields


def _network(report: dict[str, Any], body: dict[str, Any]) -> _Read:
    kind = string(body.get("type"))
    url = text(body.get("url"), report.get("url")) or ""
    props = {"error_type": kind, "url": url, "request_path": path_of(url)}
    message = f"{kind} {string(body.get('method'))} {url}".strip()
    fields: dict[str, Any] = {"url": url, "referrer": text(body.get("referrer")), "message": message}
    if kind == "ok":  # a sampled success: the denominator of the failures, not one of them
        return "network_ok", props, fields | {"kind": "clickstream"}
    if kind == "http.error":
        return "http_error", props | {"status": body.get("status_code")}, fields
    return "network_error", props, fields


def _crash(_report: dict[str, Any], body: dict[str, Any]) -> _Read:
    reason = string(body.get("reason")) or "crash"
    return "crash", {"error_type": reason}, {"message": reason}


def _other(report: dict[str, Any], body: dict[str, Any]) -> _Read:
    """Deprecations, interventions, violations of other policies."""
    type_ = snake_case(string(report.get("type")))
    return type_, {"error_type": body.get("id")}, {"message": text(body.get("message"))}


_READERS: Final[dict[str, Callable[[dict[str, Any], dict[str, Any]], _Read]]] = {
    "csp-violation": _csp,
    "network-error": _network,
    "crash": _crash,
}


def _host(url: str) -> str:
    """The host of a blocked URL, or the word that stands for one: inline, eval, data."""
    try:
        return urlsplit(url).netloc or url.partition(":")[0][:100]
    except ValueError:
        return ""


def _camel(name: str) -> str:
    first, *rest = name.split("-")
    return first + "".join(part.capitalize() for part in rest)


def _key(request: Request) -> bytes:
    return query_key(request.query, b"sentry_key") or standard_key(request.headers, request.query)


def _answer(_request: Request, _submission: Submission, _verdicts: Verdicts) -> Answer:
    return Answer(body=b"{}")


BROWSER_REPORTS: Final = Adapter(name="reports", read=_read, answer=_answer, key=_key, prefers_spool=True)
