"""Segment's HTTP API and that of its browser library; RudderStack's SDKs send the same.

Sources: segment.com/docs, "HTTP API" and "Spec: E-commerce v2"; beside it what the clients really send.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from ingest.adapters.adapter import Adapter, Answer, Request
from ingest.adapters.bodies import Members, check_shared, json_of, moment_of, read_pieces
from ingest.adapters.commerce import commerce_props, type_of_name
from ingest.adapters.fields import cut_id, event, part, text
from ingest.adapters.source import from_browser
from ingest.decode import Item, Submission
from ingest.refusal import Refusal
from schemas.openapi import Verdicts

_CALL_OF_LETTER: Final = {"t": "track", "p": "page", "s": "screen", "i": "identify", "g": "group", "a": "alias"}
_CAMPAIGN: Final = {"name": "utm_campaign", "source": "utm_source", "medium": "utm_medium"} | {
    name: f"utm_{name}" for name in ("term", "content", "id")
}
_PAGE_FIELDS: Final = ("url", "path", "referrer", "title")


def read(request: Request) -> Submission:
    """The events of a call; `/v1/track` and the like say which it is by their path, `/v1/batch` event by event."""
    body = json_of(request)
    members = Members(body, "batch")
    pieces = members.pieces(request.max_events)
    call = request.path.rstrip("/").rpartition("/")[2]
    default_call = _CALL_OF_LETTER.get(call, call)
    shared: Mapping[str, Any] = {}
    if pieces is None:
        pieces = [body]
    else:
        check_shared(request, members.size_bytes("context"), len(pieces))
        shared = part(members.get("context"))
    items = read_pieces(pieces, lambda message: event_of(message, default_call, shared))
    return Submission(
        items,
        lambda: pieces,
        moment_of(members.get("sentAt", "sent_at"), _first_sent_at(pieces)),
        write_key=members.text("writeKey", "write_key").encode(),
        server_side=not from_browser(request) and not any(b'"device"' in piece for piece in pieces[:1]),
    )


def event_of(message: Mapping[str, Any], default_call: str = "", shared: Mapping[str, Any] | None = None) -> Item:
    """Our event for one Segment message; `shared` is the batch's context, under the message's own."""
    context = {**(shared or {}), **part(message.get("context"))}
    call = text(message.get("type")) or default_call
    props = dict(part(message.get("properties")))
    page = part(context.get("page"))
    fields = {name: text(props.get(name), page.get(name)) for name in _PAGE_FIELDS}
    anonymous, user = cut_id(message.get("anonymousId")), cut_id(message.get("userId"))
    reader = _CALLS.get(call.lower())
    if reader is None:
        return Refusal("missing_type", "type", f"{call!r:.40} is no call of Segment's.", _message_id(message) or "")
    if reader is _track and text(message.get("event")) is None:
        return Refusal("missing_type", "event", "The `track` call names no `event`.", _message_id(message) or "")
    type_, named = reader(message, props)
    for name in _PAGE_FIELDS:
        if isinstance(props.get(name), str):
            del props[name]
    return event(
        type_,
        commerce_props(type_, props | _context_props(context)),
        event_id=_message_id(message),
        timestamp=moment_of(message.get("timestamp"), message.get("originalTimestamp")),
        visitor_id=anonymous or user,
        user_id=user,
        session_id=cut_id(context.get("sessionId"), props.get("session_id"), props.get("sessionId")),
        device=text(part(context, "device").get("type")),
        os=text(part(context, "os").get("name")),
        release=text(part(context, "app").get("version")),
        user_agent=text(context.get("userAgent")),
        ip=text(context.get("ip"), message.get("request_ip")),
        **(fields | named),
    )


_Read = Callable[[Mapping[str, Any], dict[str, Any]], tuple[str, dict[str, Any]]]


def _track(message: Mapping[str, Any], props: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    name = text(message.get("event")) or ""
    type_ = type_of_name(name, props)
    if type_ != name:
        props.setdefault("event", name)
    return type_, {"message": text(props.get("message"), props.get("reason"))}


def _page(message: Mapping[str, Any], props: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    _name_page(message, props)
    return "page_view", {}


def _screen(message: Mapping[str, Any], props: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    _name_page(message, props)
    return "page_view", {"page": text(message.get("name"), props.get("name"))}


def _name_page(message: Mapping[str, Any], props: dict[str, Any]) -> None:
    for name in ("name", "category"):
        if value := text(message.get(name)):
            props.setdefault(name, value)


def _identify(message: Mapping[str, Any], props: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    props.update(part(message, "context", "traits") | part(message, "traits"))
    return "identify", {}


def _group(message: Mapping[str, Any], props: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    props.update(part(message, "traits"), group_id=text(message.get("groupId")))
    return "group", {}


def _alias(message: Mapping[str, Any], props: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    props.update(previous_id=text(message.get("previousId"), message.get("from")))
    return "alias", {}


_CALLS: Final[dict[str, _Read]] = {
    **{"track": _track, "page": _page, "screen": _screen},
    **{"identify": _identify, "group": _group, "alias": _alias, "merge": _alias},
}


def _message_id(message: Mapping[str, Any]) -> str | None:
    return text(message.get("messageId"))


def _first_sent_at(pieces: Any) -> Any:
    """RudderStack's node SDK says in each event when it sends it, and in no other place."""
    try:
        return _sent.decode(pieces[0]).sentAt if pieces else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


class _Sent(msgspec.Struct):
    sentAt: str | None = None


_sent: Final = msgspec.json.Decoder(_Sent)


def _context_props(context: Mapping[str, Any]) -> dict[str, Any]:
    """What a context says that an event has no field for: campaign, language, time zone, library."""
    campaign, library = part(context, "campaign"), part(context, "library")
    found: dict[str, Any] = {ours: text(campaign.get(theirs)) for theirs, ours in _CAMPAIGN.items()}
    found["locale"] = text(context.get("locale"))
    found["timezone"] = text(context.get("timezone"))
    if name := text(library.get("name")):
        found["library"] = f"{name}/{text(library.get('version')) or ''}".rstrip("/")
    return {name: value for name, value in found.items() if value is not None}


def answer(_request: Request, _submission: Submission, verdicts: Verdicts) -> Answer:
    """Exactly 200: RudderStack's SDKs send again on any other 2xx. Refused events are listed as on our own route."""
    if verdicts.rejected:
        return Answer(body=msgspec.json.encode({"success": True, "rejected": verdicts.rejected}))
    return _SUCCESS


_SUCCESS: Final = Answer(body=b'{"success":true}')

SEGMENT: Final = Adapter(
    name="segment", read=read, answer=answer, key_in_body=True, key_place="An SDK sends the write key it was given."
)
