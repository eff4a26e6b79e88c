"""Everything a simulated visitor can send, as templates: what is the same for all events of a kind is encoded once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from schemas.errors import error_class, fingerprint
from schemas.event import KIND_OF_TYPE
from snag.simulator.calibration import CAMPAIGNS, SHOP

SHOP_URL: Final = "https://shop.example"
SITE: Final = "shop"

CATEGORIES: Final = ("shoes", "jackets", "bags", "sale")
PRODUCTS: Final = 500
PATHS: Final = (
    "/",
    *(f"/c/{name}" for name in CATEGORIES),
    *(f"/p/{number}" for number in range(PRODUCTS)),
    "/cart",
    "/checkout",
    "/checkout/shipping",
    "/checkout/payment",
    "/checkout/done",
    "/checkout/register",
)
HOME: Final = 0
FIRST_CATEGORY: Final = 1
FIRST_PRODUCT: Final = 1 + len(CATEGORIES)
CART: Final = FIRST_PRODUCT + PRODUCTS
CHECKOUT, SHIPPING, PAYMENT, DONE, REGISTER = range(CART + 1, CART + 6)

ELEMENTS: Final = ("#add-to-cart", "nav > a.category", "button.filter", "img.zoom", "a.size-guide", "button.sort")
STEP_EVENTS: Final = ("checkout_started", "shipping", "payment", "order_completed")
SOFT_CODES: Final = ("insufficient_funds", "card_declined", "processing_error")
HARD_CODES: Final = ("expired_card", "stolen_card")

_MONEY: Final = b'{"value":%%.2f,"total":%%.2f,"shipping":%.2f,"currency":"EUR"}' % SHOP.shipping_cost
_FIRST_ONLY: Final = b"%.0a"  # takes the second number and writes nothing


@dataclass(frozen=True)
class Variant:
    """One template. `props`: encoded; of a `numbered` one they (or `x` and `y`) hold places for two numbers.

    `product`: the page's product is named in `props`; `request`: the page's path under /api is.
    """

    type: str
    props: bytes = b""
    element: str = ""
    message: str = ""
    query: str = ""
    numbered: bool = False
    product: bool = False
    request_status: int = 0


def _click(element: str, props: bytes = b"") -> Variant:
    return Variant("click", props, element, numbered=True)


def _props(**props: Any) -> bytes:
    return orjson.dumps(props)


def _refused(code: str, *, hard: bool) -> Variant:
    props = _props(error_type="hard" if hard else "soft", error_code=code, payment_method="card")
    return Variant("payment_failed", props, message="The card was declined")


def _campaign_query(source: str, medium: str, name: str) -> str:
    return f"?utm_source={source}&utm_medium={medium}&utm_campaign={name}" if name else ""


_TABLE: Final[dict[str, Variant]] = {
    **{f"entry_{n}": Variant("page_view", query=_campaign_query(*campaign)) for n, campaign in enumerate(CAMPAIGNS)},
    "page_view": Variant("page_view"),
    "page_leave": Variant("page_leave"),
    "product_viewed": Variant("product_viewed", product=True),
    **{f"click_{n}": _click(element) for n, element in enumerate(ELEMENTS)},
    **{
        f"click_error_{n}": Variant("js_error", _props(error_type="TypeError"), message=f"{element} handler failed")
        for n, element in enumerate(ELEMENTS)
    },
    "click_continue": _click("button.continue"),
    "dead_click": _click("div.size-table", b'{"tag":"div","effect_ms":null}'),
    "dead_continue": _click("button.continue", b'{"tag":"button","effect_ms":null}'),
    **{f"search_{n}": Variant("search", _props(query=name, results=12)) for n, name in enumerate(CATEGORIES)},
    **{f"search_empty_{n}": Variant("search", _props(query=name, results=0)) for n, name in enumerate(CATEGORIES)},
    "js_error": Variant("js_error", _props(error_type="TypeError"), message="Cannot read properties of undefined"),
    "http_500": Variant("http_error", request_status=500),
    "http_404": Variant("http_error", request_status=404),
    "http_503": Variant("http_error", request_status=503),
    "form_error": Variant("form_error", _props(form="address", field="postcode"), message="Please check this field"),
    "form_start": Variant("form_start", _props(form="address", field="name")),
    "form_field": Variant("form_field", _props(form="address", field="postcode")),
    "form_submit": Variant("form_submit", _props(form="address")),
    "cursor_thrash": Variant("cursor_thrash", _props(turns=7, acceleration=0.013)),
    "scroll_down": Variant("scroll", _props(depth=85)),
    "scroll_up": Variant("scroll", _props(depth=20)),
    "lcp": Variant("web_vital", b'{"name":"LCP","value":%d}' + _FIRST_ONLY, numbered=True),
    "inp": Variant("web_vital", b'{"name":"INP","value":%d}' + _FIRST_ONLY, numbered=True),
    "cls": Variant("web_vital", b'{"name":"CLS","value":%.3f}' + _FIRST_ONLY, numbered=True),
    "login": Variant("login"),
    "login_failed": Variant("login_failed", _props(reason="wrong_password"), message="Wrong password"),
    "registration_required": Variant("registration_required"),
    "coupon_denied": Variant(
        "coupon_denied", _MONEY[:-1] + b',"coupon":"WELCOME10","reason":"expired"}', numbered=True
    ),
    "help_opened": Variant("help_opened", _props(channel="chat")),
    **{f"refused_{code}": _refused(code, hard=False) for code in SOFT_CODES},
    **{f"refused_{code}": _refused(code, hard=True) for code in HARD_CODES},
    "product_added": Variant("product_added", b'{"value":%.2f,"currency":"EUR"}' + _FIRST_ONLY, numbered=True),
    "cart_viewed": Variant("cart_viewed", _MONEY, numbered=True),
    **{step: Variant(step, _MONEY, numbered=True) for step in STEP_EVENTS},
}
_NAMES: Final = tuple(_TABLE)
_NUMBER: Final = {name: number for number, name in enumerate(_NAMES)}


def number_of(name: str) -> int:
    """The number of the variant `name`. Raises KeyError."""
    return _NUMBER[name]


class Templates(dict[int, tuple[bytes, bool]]):
    """By variant * len(PATHS) + path: the event's own fields, encoded, and whether two numbers are to be put in.

    `extra` are variants after those of the table (an incident's own errors). With `as_kept` the fields that the
    collector adds are there too: such lines are for Kafka, not for the collector.
    """

    def __init__(self, extra: Iterable[Variant] = (), *, as_kept: bool = False) -> None:
        super().__init__()
        self.variants = (*_TABLE.values(), *extra)
        self.kinds = [KIND_OF_TYPE[variant.type] for variant in self.variants]
        self._as_kept = as_kept

    def __missing__(self, key: int) -> tuple[bytes, bool]:
        number, path = divmod(key, len(PATHS))
        made = self[key] = (self._make(self.variants[number], PATHS[path]), self.variants[number].numbered)
        return made

    def _make(self, variant: Variant, path: str) -> bytes:
        fields: dict[str, Any] = {
            "kind": KIND_OF_TYPE[variant.type],
            "type": variant.type,
            "url": SHOP_URL + path + variant.query,
            "path": path,
        }
        if variant.message:
            fields["message"] = variant.message
        if variant.element:
            fields["element"] = variant.element
        props = variant.props
        if variant.product:
            props = _props(product_id=path.removeprefix("/p/"))
        elif variant.request_status:
            props = _props(status=variant.request_status, request_path=f"/api{path}")
        if self._as_kept:
            fields["page"] = path
            if fields["kind"] == "error":
                known = orjson.loads(props or b"{}")
                fields["error_class"] = error_class(variant.type, known)
                fields["fingerprint"] = fingerprint(fields["error_class"], variant.type, variant.message, known)
        encoded = orjson.dumps(fields)[1:-1]
        if variant.type == "click":
            encoded += b',"x":%d,"y":%d'
        return encoded + (b',"props":' + props if props else b"") + b","


TABLE_SIZE: Final = len(_TABLE)
