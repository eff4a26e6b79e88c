"""GA4's event names and parameters, made an event of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ingest.adapters.commerce import commerce_props, type_of_name
from ingest.adapters.fields import cut_id, event, text
from ingest.adapters.values import present
from ingest.decode import Item
from ingest.refusal import Refusal

_FIELDS: Final = ("session_id", "event_id", "page_location", "page_title", "page_referrer")
_PROPS: Final = {
    "transaction_id": "order_id",
    "items": "products",
    "search_term": "query",
    "shipping_tier": "shipping_method",
    "payment_type": "payment_method",
    "form_id": "form",
    "first_field_id": "field",
    "link_url": "href",
    "percent_scrolled": "depth",
}


def event_of(name: str, params: Mapping[str, Any], **common: Any) -> Item:
    """The event of `name` with `params`; `common` are fields that hold for all events of the request."""
    if not name.strip():
        return Refusal("missing_type", "name", "The event has no name (`name`, in a tag's request `en`).")
    props = present({_PROPS.get(param, param): value for param, value in params.items() if param not in _FIELDS})
    type_ = type_of_name(name, props)
    fields = {
        "event_id": text(params.get("event_id")),
        "session_id": cut_id(params.get("session_id")),
        "url": text(params.get("page_location")),
        "title": text(params.get("page_title")),
        "referrer": text(params.get("page_referrer")),
    }
    return event(type_, commerce_props(type_, props), **(common | {key: v for key, v in fields.items() if v}))
