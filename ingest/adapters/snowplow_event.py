"""One Snowplow payload, made an event of ours.

Source: docs.snowplow.io, "Snowplow tracker protocol"; beside it what the trackers really send.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ingest.adapters.commerce import commerce_props, type_of_name
from ingest.adapters.fields import cut_id, event, part, text
from ingest.adapters.snowplow_commerce import COMMERCE, USED, commerce_event
from ingest.adapters.snowplow_interactions import INTERACTIONS
from ingest.adapters.snowplow_schema import Described, UndescribedError, unpack_contexts, unpack_event
from ingest.adapters.values import moment, present, string
from ingest.decode import Item
from ingest.refusal import Refusal

_SNOWPLOW: Final = "com.snowplowanalytics.snowplow"

_PROPS: Final = {
    **{"p": "platform", "tv": "tracker_version", "tna": "tracker", "aid": "app_id", "vid": "session_index"},
    **{"lang": "language", "tz": "timezone", "res": "screen", "vp": "viewport", "ds": "document"},
    **{"pp_mix": "scroll_x_min", "pp_max": "scroll_x_max", "pp_miy": "scroll_y_min", "pp_may": "scroll_y_max"},
    **{"se_ca": "category", "se_ac": "action", "se_la": "label", "se_pr": "property", "se_va": "value"},
    **{"tr_id": "order_id", "tr_af": "affiliation", "tr_tt": "value", "tr_tx": "tax", "tr_sh": "shipping"},
    **{"tr_cu": "currency", "ti_id": "order_id", "ti_sk": "product_id", "ti_nm": "name", "ti_ca": "category"},
    **{"ti_pr": "price", "ti_qu": "quantity", "ti_cu": "currency"},
}
_FIELDS: Final = ("eid", "url", "page", "refr", "uid", "sid", "ua", "ip", "duid", "nuid", "tnuid", "dtm", "ttm", "stm")
_CONTENT: Final = ("e", "ue_px", "ue_pr", "cx", "co")
_SAY_NOTHING: Final = ("cookie", "cs", "cd")  # whether cookies are on, character set, colour depth
_NO_PROPS: Final = frozenset((*_FIELDS, *_CONTENT, *_SAY_NOTHING))

_TYPES: Final = {"pv": "page_view", "pp": "page_ping", "tr": "order_completed", "ti": "order_item"}


def event_of(payload: Mapping[str, Any]) -> Item:
    """The event in one element of a `payload_data`, or in the query of a pixel: the tracker protocol's names and texts.

    Time is `ttm`, which the site itself vouches for, before `dtm`, the device's clock. The visitor is the domain's id,
    then the network's, then the user.
    """
    try:
        contexts = unpack_contexts(payload)
        described = unpack_event(payload) if payload.get("e") == "ue" else None
    except UndescribedError as error:
        return Refusal("invalid_json", error.field, str(error), cut_id(payload.get("eid")) or "")
    session = next((context.data for context in contexts if context.name == "client_session"), {})
    props = {_PROPS.get(name, name): value for name, value in payload.items() if name not in _NO_PROPS}
    named: dict[str, Any] = {}
    if described is not None:
        type_, own, named = _read(described, contexts)
        props |= own
    elif payload.get("e") == "se":
        type_ = type_of_name(string(payload.get("se_ac")), props)
    else:
        type_ = _TYPES.get(string(payload.get("e")), string(payload.get("e")))
    user = cut_id(payload.get("uid"))
    fields = {
        "event_id": text(payload.get("eid")),
        "ts": moment(payload.get("ttm") or payload.get("dtm")),
        "session_id": cut_id(payload.get("sid"), session.get("sessionId")),
        "visitor_id": cut_id(
            payload.get("duid"), session.get("userId"), payload.get("nuid"), payload.get("tnuid"), user
        ),
        "user_id": user,
        "url": text(payload.get("url")),
        "title": text(payload.get("page")),
        "referrer": text(payload.get("refr")),
        "user_agent": text(payload.get("ua")),
        "ip": text(payload.get("ip")),
    }
    props = present(props | _context_props(contexts))
    return event(type_, commerce_props(type_, props), **(fields | named))


def _read(described: Described, contexts: Sequence[Described]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Type, properties and other fields of a self-describing event."""
    if described.vendor == COMMERCE:
        return commerce_event(described.data, contexts)
    if described.vendor == _SNOWPLOW and (reader := INTERACTIONS.get(described.name)) is not None:
        return reader(described.data)
    return type_of_name(described.name, described.data), described.data, {}


def _context_props(contexts: Sequence[Described]) -> dict[str, Any]:
    """The page view's id, which joins the events of one view; contexts that nothing else reads by schema name."""
    props: dict[str, Any] = {}
    kept: dict[str, list[dict[str, Any]]] = {}
    for context in contexts:
        if context.name == "web_page":
            props["page_view_id"] = context.data.get("id")
        elif context.name != "client_session" and not (context.vendor == COMMERCE and context.name in USED):
            kept.setdefault(context.name, []).append(part(context.data))
    return props | {"contexts": kept}
