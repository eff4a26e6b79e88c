"""Other vendors' names of e-commerce events and their properties, and the types and properties we know."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from ingest.adapters.fields import text
from schemas.event import KIND_OF_TYPE
from schemas.event_types import EVENT_TYPES

_OTHER_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "product_viewed": ("viewed_product", "view_item", "product_view"),
    "product_added": ("added_product", "add_to_cart", "added_to_cart"),
    "product_removed": ("removed_product", "remove_from_cart", "removed_from_cart"),
    "cart_viewed": ("viewed_cart", "view_cart"),
    "checkout_started": ("started_order", "begin_checkout", "initiate_checkout", "started_checkout"),
    "checkout_step_viewed": ("viewed_checkout_step",),
    "checkout_step_completed": ("completed_checkout_step", "checkout_step"),
    "shipping": ("add_shipping_info", "shipping_info_entered"),
    "payment": ("add_payment_info",),
    "coupon_applied": ("applied_coupon",),
    "coupon_denied": ("denied_coupon",),
    "payment_failed": ("trns_error", "transaction_error", "failed_payment"),
    "order_completed": ("completed_order", "purchase", "transaction"),
    "order_refunded": ("refunded_order", "refund"),
    "search": ("product_searched", "searched_products", "view_search_results"),
    "login": ("logged_in", "user_signed_in", "user_logged_in"),
    "login_failed": ("failed_login", "sign_in_failed"),
}
"""Beside the names that `schemas.event_types` gives: Segment's older ones, PostHog's habits, GA4's recommended events,
Snowplow's e-commerce actions; each in lower case with underscores."""

_TYPE_OF_NAME: Final[dict[str, str]] = {
    **{type_: type_ for type_ in EVENT_TYPES},
    **{known.segment.lower().replace(" ", "_"): type_ for type_, known in EVENT_TYPES.items() if known.segment},
    **{name: type_ for type_, names in _OTHER_NAMES.items() for name in names},
}
_SEPARATORS: Final = re.compile(r"[\s\-.:/]+")

_VALUE_NAMES: Final = ("value", "total", "revenue", "cart_value", "cart_total", "total_value")
_CHECKOUT_NAMES: Final = ("checkout_id", "checkoutId", "order_id", "orderId", "transaction_id", "transactionId")


def type_of_name(name: str, props: Mapping[str, Any]) -> str:
    """Our type for a foreign event's `name`, however it is spelled: "Product Added", "product added", "add_to_cart".

    A completed checkout step that names a payment method is `payment`, else one with a shipping method `shipping`:
    Segment and Snowplow number their steps, and what they carry is all that says which is which. A name that is not
    known stays as it is.
    """
    type_ = _TYPE_OF_NAME.get(_SEPARATORS.sub("_", name.strip()).lower(), name)
    if type_ == "checkout_step_completed":
        if props.get("payment_method"):
            return "payment"
        if props.get("shipping_method") or props.get("delivery_method"):
            return "shipping"
    return type_


def commerce_props(type_: str | None, props: Mapping[str, Any]) -> dict[str, Any]:
    """`props` of a checkout event with `value` (the money at stake) and `checkout_id`, as far as they are said.

    Segment's Checkout Started carries an `order_id`, its steps a `checkout_id`, Order Completed both: `checkout_id` is
    there in all of them, and what was sent stays beside it, so that Order Completed joins one to the other.
    """
    found = dict(props)
    if KIND_OF_TYPE.get(type_ or "") != "checkout":
        return found
    if _number(found.get("value")) is None and (value := _value(found)) is not None:
        found["value"] = value
    checkout = text(*map(found.get, _CHECKOUT_NAMES))
    if checkout is not None:
        found["checkout_id"] = checkout
    return found


def _value(props: Mapping[str, Any]) -> Any:
    for name in _VALUE_NAMES:
        if _number(value := props.get(name)) is not None:
            return value
    price, quantity = _number(props.get("price")), _number(props.get("quantity"))
    return _number(price * (1 if quantity is None else quantity)) if price is not None else None


def _number(value: Any) -> float | None:
    """The finite number in `value`; shops often send money as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
