"""What people do on a page, as Snowplow's own schemas describe it: clicks, forms, searches, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ingest.adapters.fields import part, text
from ingest.adapters.values import array, number, string

Read = tuple[str, dict[str, Any], dict[str, Any]]
"""Type, properties and other fields of an event."""


def _selector(tag: str, id_: object, classes: object) -> str:
    """A CSS selector of an element: `a#buy.primary`."""
    names = "".join(f".{name}" for name in array(classes) if isinstance(name, str) and name)
    return f"{tag}#{id_}{names}" if isinstance(id_, str) and id_ else f"{tag}{names}"


def _link_click(data: dict[str, Any]) -> Read:
    props = {
        "tag": "a",
        "href": data.get("targetUrl"),
        "target": data.get("elementTarget"),
        "text": data.get("elementContent"),
    }
    return "click", props, {"element": _selector("a", data.get("elementId"), data.get("elementClasses"))}


def _button_click(data: dict[str, Any]) -> Read:
    props = {"tag": "button", "text": data.get("label"), "name": data.get("name")}
    return "click", props, {"element": _selector("button", data.get("id"), data.get("classes"))}


def _form_field(type_: str) -> Callable[[dict[str, Any]], Read]:
    def read(data: dict[str, Any]) -> Read:
        # Never the value, which trackers send too: what people type is theirs, and no rule needs it.
        field = text(data.get("elementId"))
        tag = string(data.get("nodeName")).lower()
        input_type = data.get("elementType") or data.get("type")
        props = {"form": data.get("formId"), "field": field, "input_type": input_type}
        return type_, props, {"element": _selector(tag, field, data.get("elementClasses"))}

    return read


def _form_submit(data: dict[str, Any]) -> Read:
    names = [part(element).get("name") for element in array(data.get("elements"))]
    props = {"form": data.get("formId"), "fields": names}
    return "form_submit", props, {"element": _selector("form", data.get("formId"), data.get("formClasses"))}


def _search(data: dict[str, Any]) -> Read:
    query = " ".join(term for term in array(data.get("terms")) if isinstance(term, str))
    return "search", {"query": query, "results": data.get("totalResults"), "filters": data.get("filters")}, {}


def _error(data: dict[str, Any]) -> Read:
    props = {
        "error_type": data.get("exceptionName") or data.get("className"),
        "stack": data.get("stackTrace"),
        "file": data.get("fileName"),
        "line": data.get("lineNumber"),
        "column": data.get("lineColumn"),
    }
    return "js_error", props, {"message": text(data.get("message"))}


def _cart(type_: str) -> Callable[[dict[str, Any]], Read]:
    def read(data: dict[str, Any]) -> Read:
        price, quantity = number(data.get("unitPrice")), number(data.get("quantity"))
        props = {**data, "product_id": data.get("sku"), "price": price}
        if price is not None and quantity is not None:
            props["value"] = price * quantity
        return type_, props, {}

    return read


def _screen_view(data: dict[str, Any]) -> Read:
    return "page_view", {"screen_id": data.get("id")}, {"page": text(data.get("name"))}


INTERACTIONS: Final[dict[str, Callable[[dict[str, Any]], Read]]] = {
    "link_click": _link_click,
    "button_click": _button_click,
    "focus_form": _form_field("form_start"),
    "change_form": _form_field("form_field"),
    "submit_form": _form_submit,
    "site_search": _search,
    "application_error": _error,
    "add_to_cart": _cart("product_added"),
    "remove_from_cart": _cart("product_removed"),
    "screen_view": _screen_view,
}
"""Who reads the data of an event, by the schema's name (vendor com.snowplowanalytics.snowplow)."""
