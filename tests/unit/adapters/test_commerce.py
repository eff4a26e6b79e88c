"""Foreign names of e-commerce events and properties."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.adapters.commerce import commerce_props, type_of_name
from schemas.event import KIND_OF_TYPE


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("Product Viewed", "product_viewed"),
        ("Product Added", "product_added"),
        ("product added", "product_added"),
        ("add_to_cart", "product_added"),
        ("Product Removed", "product_removed"),
        ("Cart Viewed", "cart_viewed"),
        ("Checkout Started", "checkout_started"),
        ("checkout-started", "checkout_started"),
        ("Started Order", "checkout_started"),
        ("begin_checkout", "checkout_started"),
        ("Viewed Checkout Step", "checkout_step_viewed"),
        ("Completed Checkout Step", "checkout_step_completed"),
        ("add_shipping_info", "shipping"),
        ("Payment Info Entered", "payment"),
        ("Coupon Denied", "coupon_denied"),
        ("Order Completed", "order_completed"),
        ("purchase", "order_completed"),
        ("Order Refunded", "order_refunded"),
        ("Products Searched", "search"),
        ("Payment Failed", "payment_failed"),
        ("My Own Event", "My Own Event"),
        ("", ""),
    ],
)
def test_a_name_in_any_spelling(name: str, type_: str) -> None:
    assert type_of_name(name, {}) == type_
    assert type_ in KIND_OF_TYPE or type_ == name


@pytest.mark.parametrize(
    ("props", "type_"),
    [
        ({"step": 2, "shipping_method": "post"}, "shipping"),
        ({"step": 2, "delivery_method": "post"}, "shipping"),
        ({"step": 3, "shipping_method": "post", "payment_method": "card"}, "payment"),
        ({"step": 1}, "checkout_step_completed"),
    ],
)
def test_a_completed_step_is_named_by_what_it_carries(props: dict[str, Any], type_: str) -> None:
    assert type_of_name("Checkout Step Completed", props) == type_
    assert type_of_name("Checkout Step Viewed", props) == "checkout_step_viewed"


@pytest.mark.parametrize(
    ("type_", "props", "checkout", "order"),
    [
        ("checkout_started", {"order_id": "o1"}, "o1", "o1"),
        ("checkout_step_completed", {"checkout_id": "c1"}, "c1", None),
        ("order_completed", {"checkout_id": "c1", "order_id": "o1"}, "c1", "o1"),
        ("order_completed", {"checkout_id": "", "order_id": "o1"}, "o1", "o1"),
        ("order_completed", {"checkout_id": True, "order_id": "o1"}, "o1", "o1"),
        ("order_completed", {"transaction_id": 17}, "17", None),
        ("payment", {"order_id": ["o1"]}, None, ["o1"]),
        ("page_view", {"order_id": "o1"}, None, "o1"),
    ],
)
def test_the_checkout_has_one_name(type_: str, props: dict[str, Any], checkout: object, order: object) -> None:
    found = commerce_props(type_, props)
    assert (found.get("checkout_id"), found.get("order_id")) == (checkout, order)


@pytest.mark.parametrize(
    ("props", "value"),
    [
        ({"value": 3, "total": 4}, 3),
        ({"value": "no number", "total": "4.50"}, "4.50"),
        ({"value": "nan", "revenue": 5}, 5),
        ({"price": 2.5, "quantity": 2}, 5.0),
        ({"price": "2.5"}, 2.5),
        ({"price": 1e308, "quantity": "x"}, 1e308),
        ({"price": 1e308, "quantity": 10}, None),
        ({"value": True}, True),
        ({"value": 10**400}, 10**400),
        ({}, None),
    ],
)
def test_the_money_at_stake(props: dict[str, Any], value: object) -> None:
    assert commerce_props("order_completed", props).get("value") == value
