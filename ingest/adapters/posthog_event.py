"""One PostHog event, made one of ours, or several: `$web_vitals` carries up to four metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ingest.adapters.bodies import moment_of
from ingest.adapters.commerce import commerce_props, type_of_name
from ingest.adapters.fields import cut_id, event, part, text
from ingest.adapters.posthog_elements import clicked
from ingest.adapters.stacks import innermost_frames
from ingest.adapters.values import array, number, string
from ingest.decode import Item
from ingest.refusal import Refusal
from schemas.event import ID_MAX_CHARS

_TYPES: Final = {
    "$pageview": "page_view",
    "$screen": "page_view",
    "$pageleave": "page_leave",
    "$rageclick": "rage_click",
    "$dead_click": "dead_click",
    "$identify": "identify",
    "$set": "identify",
    "$create_alias": "alias",
    "$groupidentify": "group",
}
_AUTOCAPTURED: Final = {"click": "click", "submit": "form_submit", "change": "form_field"}

_FIELDS: Final = {
    "url": "$current_url",
    "path": "$pathname",
    "referrer": "$referrer",
    "title": "title",
    "device": "$device_type",
    "browser": "$browser",
    "os": "$os",
    "release": "$app_version",
    "user_agent": "$raw_user_agent",
    "ip": "$ip",
}
"""Our field by PostHog's property."""

_NOT_KEPT: Final = frozenset(
    {
        *(*_FIELDS.values(), "token", "distinct_id", "$device_id", "$user_id", "$session_id", "$insert_id"),
        *("$lib", "$lib_version", "$elements", "$elements_chain", "$exception_list", "$time", "$is_identified"),
        *("$set_once", "$process_person_profile", "$geoip_disable", "$config_defaults", "$host"),
    }
)
"""Properties that become fields, or say something about the library only."""

_VITALS: Final = ("LCP", "INP", "CLS", "FCP", "TTFB")
_SERVER_LIBRARIES: Final = ("posthog-python", "posthog-node", "posthog-go", "posthog-ruby", "posthog-php", "posthog-rs")


def events_of(data: Mapping[str, Any], library: str = "") -> Sequence[Item]:
    """Our events for one of PostHog's. `library`, "name/version", is what the request says where the event does not."""
    props = part(data, "properties")
    name = text(data.get("event"))
    if name is None:
        uuid = cut_id(data.get("uuid")) or ""
        return (Refusal("missing_type", "event", "The event has no `event`, which is its name.", uuid),)
    if lib := text(props.get("$lib")):
        library = f"{lib}/{text(props.get('$lib_version')) or ''}"
    is_server = library.partition("/")[0] in _SERVER_LIBRARIES
    fields = _common(data, props, is_server)
    kept = {key: value for key, value in props.items() if key not in _NOT_KEPT and not key.startswith("$sdk_debug")}
    kept["library"] = library.rstrip("/") or None
    if name == "$web_vitals":
        return _vitals(kept, fields)
    if name == "$exception":
        return (_exception(props, kept, fields, "exception" if is_server else "js_error"),)
    if name == "$autocapture":
        type_ = _AUTOCAPTURED.get(string(props.get("$event_type")), "$autocapture")
    else:
        type_ = _TYPES.get(name, type_of_name(name, props))
    if name in ("$autocapture", "$rageclick", "$dead_click"):
        element, found = clicked(props)
        fields["element"] = element
        kept |= found
    if name == "$screen":
        fields["page"] = text(props.get("$screen_name"))
    if type_ == "identify":
        kept = {**kept, **part(kept.pop("$set", None)), **part(data, "$set")}
    if type_ != name and not name.startswith("$"):
        kept.setdefault("event", name)
    return (event(type_, commerce_props(type_, kept), **fields),)


def _common(data: Mapping[str, Any], props: Mapping[str, Any], is_server: bool) -> dict[str, Any]:
    """The fields that every event has.

    A browser's `distinct_id` changes when its visitor logs in, its `$device_id` does not: the latter is the visitor.
    A server knows its users, unless it says that an event makes no person's profile.
    """
    who = cut_id(data.get("distinct_id"), props.get("distinct_id"))
    device = cut_id(props.get("$device_id"))
    makes_profile = props.get("$process_person_profile", part(data, "options").get("process_person_profile"))
    is_user = props.get("$is_identified") is True or (is_server and device is None and makes_profile is not False)
    fields: dict[str, Any] = {ours: text(props.get(theirs)) for ours, theirs in _FIELDS.items()}
    if fields["referrer"] == "$direct":
        fields["referrer"] = None
    if fields["device"]:
        fields["device"] = fields["device"].lower()
    return fields | {
        "event_id": text(data.get("uuid"), props.get("$insert_id")),
        "timestamp": moment_of(data.get("timestamp"), props.get("$time")),
        "visitor_id": device or who,
        "user_id": cut_id(props.get("$user_id")) or (who if is_user else None),
        "session_id": cut_id(data.get("session_id"), props.get("$session_id")),
    }


def _vitals(kept: dict[str, Any], fields: dict[str, Any]) -> Sequence[Item]:
    """One event for each metric; the first keeps the uuid, so that a retry is recognised, the others add their name."""
    uuid = fields["event_id"]
    rest = {name: value for name, value in kept.items() if not name.startswith("$web_vitals_")}
    found: list[Item] = []
    for metric in _VITALS:
        value = number(kept.get(f"$web_vitals_{metric}_value"))
        if value is None:
            continue
        details = part(kept, f"$web_vitals_{metric}_event")
        event_id = uuid if not found or uuid is None else f"{uuid[: ID_MAX_CHARS - 8]}:{metric}"
        props = {"name": metric, "value": value} | {name: text(details.get(name)) for name in ("id", "rating")}
        found.append(event("web_vital", rest | props, **(fields | {"event_id": event_id})))
    return found or (event("web_vital", rest, **fields),)


def _exception(props: Mapping[str, Any], kept: dict[str, Any], fields: dict[str, Any], type_: str) -> Item:
    """The first exception of the list is the one that was caught, those behind it are its causes."""
    thrown = part(next(iter(array(props.get("$exception_list"))), None))
    found = {
        "error_type": text(thrown.get("type"), props.get("$exception_type")),
        "handled": part(thrown, "mechanism").get("handled"),
        "mechanism": part(thrown, "mechanism").get("type"),
        "frames": innermost_frames(part(thrown, "stacktrace").get("frames")) or None,
    }
    message = text(thrown.get("value"), props.get("$exception_message"))
    return event(type_, kept | found, message=message, **fields)
