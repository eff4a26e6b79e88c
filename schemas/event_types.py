"""The typed table of event types: each with its kind, the properties that are understood, and its names elsewhere.

Everything in `props` is kept; only what stands here is read. Money is in the currency's main unit, durations in ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

Kind = Literal["clickstream", "error", "checkout"]


class EventType(msgspec.Struct, frozen=True, kw_only=True):
    """One event type. `props`: what each understood property means; `segment` and `snowplow`: its name there."""

    kind: Kind
    props: Mapping[str, str] = {}
    segment: str = ""
    snowplow: str = ""


_MONEY: Final = {
    "value": "money at stake: the cart's or order's worth",
    "total": "total shown to the customer, everything included (else `revenue`, else `value`)",
    "revenue": "Segment's name of the order's worth",
    "shipping": "shipping cost, when it is shown",
    "currency": "ISO 4217 code",
}
_ORDER: Final = _MONEY | {"order_id": "the shop's order number", "tax": "tax", "coupon": "coupon code in use"}
_STEP: Final = _MONEY | {
    "step": "number or name of the step",
    "checkout_id": "the checkout's id",
    "account_type": "`guest checkout` or `existing user` (Snowplow's values)",
    "payment_method": "card, paypal, ..",
    "shipping_method": "standard, express, ..",
}
_COUPON: Final = {"coupon": "coupon code", "coupon_id": "Segment's name of it", "coupon_code": "Snowplow's name of it"}
_PRODUCT: Final = {"product_id": "product", "value": "price times quantity", "currency": "ISO 4217 code"}
_CLICK: Final = {
    "effect_ms": "time until the page changed (DOM, request, scroll, selection); null: not within the client's wait",
    "input_type": "type of an input element",
    "tag": "lower-case tag name of the element clicked, or the nearest link or button around it",
    "text": "the control's short label",
    "href": "where a link leads",
    "target": "a link's target, such as _blank",
    "download": "true for a download link",
    "editable": "true where text can be selected or typed",
}
_FORM: Final = {"form": "the form's id or name (else `element`, else the path)"}
_FIELD: Final = _FORM | {"field": "the field's name, never its value"}

_DURATION: Final = "from the request's beginning to this event"

EVENT_TYPES: Final[dict[str, EventType]] = {
    "page_view": EventType(kind="clickstream", segment="page", snowplow="page_view"),
    "page_ping": EventType(
        kind="clickstream",
        props={"scroll_y_max": "px scrolled down since the last ping"},
        snowplow="page_ping",
    ),
    "page_leave": EventType(kind="clickstream", props={"depth": "percent of the page seen, 0 to 100"}),
    "click": EventType(kind="clickstream", props=_CLICK, snowplow="link_click, button_click"),
    "dead_click": EventType(kind="clickstream", props=_CLICK),
    "cursor_thrash": EventType(
        kind="clickstream",
        props={
            "turns": "changes of direction within 225 ms",
            "acceleration": "mean acceleration over them, px/ms^2",
        },
    ),
    "scroll": EventType(kind="clickstream", props={"depth": "percent of the page above the lower edge, 0 to 100"}),
    "search": EventType(
        kind="clickstream",
        props={
            "query": "what was searched for",
            "results": "number of results",
            "total_results": "Snowplow's name of it",
        },
        segment="Products Searched",
        snowplow="site_search",
    ),
    "web_vital": EventType(
        kind="clickstream",
        props={
            "name": "LCP, INP, CLS, FCP or TTFB",
            "value": "ms; CLS has no unit",
            "id": "the metric's id of one page load",
        },
        snowplow="web_vitals",
    ),
    "form_start": EventType(kind="clickstream", props=_FIELD, snowplow="focus_form"),
    "form_field": EventType(kind="clickstream", props=_FIELD, snowplow="change_form"),
    "form_submit": EventType(kind="clickstream", props=_FORM, snowplow="submit_form"),
    "form_success": EventType(kind="clickstream", props=_FORM),
    "form_abandon": EventType(
        kind="clickstream",
        props=_FIELD | {"filled": "number of fields filled", "total": "number of fields"},
    ),
    "help_opened": EventType(kind="clickstream", props={"channel": "help, faq, chat, phone or email"}),
    "registration_required": EventType(kind="clickstream"),
    "identify": EventType(kind="clickstream", segment="identify"),
    "login": EventType(kind="clickstream", segment="Signed In"),
    "login_failed": EventType(kind="error", props={"reason": "why it was refused"}),
    "js_error": EventType(
        kind="error",
        props={
            "error_type": "the exception's type",
            "frames": "[{file, function, line, in_app}], where it was thrown first",
            "stack": "the stack's text as Chrome, Firefox or Safari give it",
        },
        snowplow="application_error",
    ),
    "resource_error": EventType(kind="error", props={"src": "the address that did not load"}),
    "http_error": EventType(
        kind="error",
        props={"status": "HTTP status", "request_path": "the request's path", "duration_ms": _DURATION},
    ),
    "network_error": EventType(
        kind="error",
        props={
            "type": "as in a NEL report, such as tcp.timed_out",
            "url": "the request's address",
            "duration_ms": _DURATION,
        },
    ),
    "csp_violation": EventType(
        kind="error", props={"effective_directive": "the directive violated", "blocked_uri": "what was blocked"}
    ),
    "form_error": EventType(kind="error", props=_FIELD),
    "payment_failed": EventType(
        kind="error",
        props={
            "error_type": "`soft` (may work when tried again) or `hard`; else the error's type",
            "error_code": "the processor's code, such as insufficient_funds",
            "payment_method": "card, paypal, ..",
            "resolution": "what the customer was told to do",
        },
        snowplow="transaction_error",
    ),
    "exception": EventType(
        kind="error",
        props={
            "error_type": "the exception's type",
            "frames": "[{file, function, line, in_app}], where it was thrown first",
            "handled": "whether the program caught it",
        },
    ),
    "session_health": EventType(
        kind="clickstream",
        props={
            "sid": "Sentry's id of a session; its last update counts",
            "status": "ok, exited, crashed, abnormal or unhandled",
            "errors": "errors so far",
            "crashed": "of several sessions at once: how many; likewise exited, errored, abnormal, unhandled",
        },
    ),
    "crash": EventType(kind="error", props={"error_type": "the exception's type", "stack": "the stack's text"}),
    "product_viewed": EventType(kind="checkout", props=_PRODUCT, segment="Product Viewed", snowplow="product_view"),
    "product_added": EventType(kind="checkout", props=_PRODUCT, segment="Product Added", snowplow="add_to_cart"),
    "product_removed": EventType(
        kind="checkout", props=_PRODUCT, segment="Product Removed", snowplow="remove_from_cart"
    ),
    "cart_viewed": EventType(kind="checkout", props=_MONEY, segment="Cart Viewed"),
    "checkout_started": EventType(kind="checkout", props=_STEP, segment="Checkout Started"),
    "checkout_step_viewed": EventType(
        kind="checkout", props=_STEP, segment="Checkout Step Viewed", snowplow="checkout_step"
    ),
    "checkout_step_completed": EventType(kind="checkout", props=_STEP, segment="Checkout Step Completed"),
    "shipping": EventType(kind="checkout", props=_STEP),
    "payment": EventType(kind="checkout", props=_STEP, segment="Payment Info Entered"),
    "coupon_entered": EventType(kind="checkout", props=_COUPON, segment="Coupon Entered"),
    "coupon_applied": EventType(kind="checkout", props=_COUPON, segment="Coupon Applied"),
    "coupon_removed": EventType(kind="checkout", props=_COUPON, segment="Coupon Removed"),
    "coupon_denied": EventType(
        kind="checkout", props=_COUPON | {"reason": "why it was refused"}, segment="Coupon Denied"
    ),
    "order_completed": EventType(kind="checkout", props=_ORDER, segment="Order Completed", snowplow="transaction"),
    "order_refunded": EventType(kind="checkout", props=_ORDER, segment="Order Refunded", snowplow="refund"),
}
"""Types every part knows; a client may send others, then it names the kind itself (default: clickstream)."""
