"""Snowplow's e-commerce accelerator: an action in the event, its details in the contexts beside it.

Source: the tracker's own plugin (browser-plugin-snowplow-ecommerce 4.10).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ingest.adapters.commerce import type_of_name
from ingest.adapters.fields import text
from ingest.adapters.snowplow_schema import Described
from ingest.adapters.values import number, string

COMMERCE: Final = "com.snowplowanalytics.snowplow.ecommerce"
"""The vendor of the accelerator's schemas."""

USED: Final = frozenset({"product", "cart", "checkout_step", "transaction", "transaction_error", "refund", "promotion"})
"""The contexts that make up an action's properties."""

_RENAMED: Final = {"transaction_id": "order_id", "refund_amount": "value"}
_SHIPPING: Final = ("delivery_method", "delivery_provider", "shipping_postcode", "shipping_full_address")
_ADDRESSES: Final = ("shipping_full_address", "billing_full_address")


def commerce_event(data: dict[str, Any], contexts: Sequence[Described]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Type, properties and other fields of an e-commerce action, whose details are in `contexts`."""
    kind = string(data.get("type"))
    props: dict[str, Any] = {"list": data.get("name"), "products": []}
    for context in contexts:
        if context.vendor != COMMERCE:
            continue
        if context.name == "product":
            props["products"].append(_product(context.data))
        elif context.name in USED:
            props |= {_RENAMED.get(name, name): value for name, value in context.data.items()}
    for name in _ADDRESSES:  # that an address was asked for may explain a drop; where somebody lives does not
        if name in props:
            props[name] = True
    if kind == "checkout_step":
        return _type_of_step(props), props, {}
    if kind == "trns_error":
        return "payment_failed", props, {"message": text(props.get("error_description"), props.get("error_code"))}
    if kind == "add_to_cart" and "total_value" not in props:
        props["value"] = _sum_of(props["products"])
    return type_of_name(kind, props), props, {}


def _type_of_step(props: dict[str, Any]) -> str:
    """What a numbered step is: the first one starts the checkout, others are known by what is filled in on them."""
    if number(props.get("step")) == 1:
        return "checkout_started"
    type_ = type_of_name("checkout_step_completed", props)
    if type_ == "checkout_step_completed" and any(props.get(name) for name in _SHIPPING):
        return "shipping"
    return type_


def _product(data: dict[str, Any]) -> dict[str, Any]:
    return {("product_id" if name == "id" else name): value for name, value in data.items()}


def _sum_of(products: Sequence[dict[str, Any]]) -> float | None:
    """Price times quantity (one, if not said) over the products; None when a price is missing."""
    total = 0.0
    for product in products:
        price, quantity = number(product.get("price")), number(product.get("quantity", 1))
        if price is None or quantity is None:
            return None
        total += price * quantity
    return total or None
