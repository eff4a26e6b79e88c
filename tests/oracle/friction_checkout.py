"""What goes wrong in a checkout, restated: slow steps, coupons, costs, accounts, payments, help."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import urlsplit

from tests.oracle.events import Happening
from tests.oracle.friction import STEPS, Friction, Limits, Session, checkouts, of_type, tag

_ANOTHER_CARD = {
    "card_not_supported",
    "currency_not_supported",
    "expired_card",
    "fraudulent",
    "incorrect_number",
    "invalid_account",
    "invalid_expiry_month",
    "invalid_expiry_year",
    "invalid_number",
    "lost_card",
    "merchant_blacklist",
    "new_account_information_available",
    "pickup_card",
    "restricted_card",
    "revocation_of_all_authorizations",
    "revocation_of_authorization",
    "security_violation",
    "stolen_card",
    "stop_payment_order",
    "transaction_not_allowed",
}
_REGISTRATION = ("register", "registration", "signup", "sign-up", "createaccount", "create-account")
_HELP = ["help", "faq", "faqs", "support", "chat", "livechat"]
_HELP += [f"{a}{sign}{b}" for a, b in (("contact", "us"), ("customer", "service")) for sign in "-_ "]


def slow_steps(session: Session, limits: Limits) -> Iterator[Friction]:
    taken: list[Happening] = []
    for h in of_type(session, *STEPS):
        if not taken or taken[-1].type == "order_completed" or _step(h) != _step(taken[-1]):
            taken.append(h)
    for a, b in pairwise(taken):
        if a.type != "order_completed" and b.at - a.at > limits["step_ms"]:
            yield Friction("slow_step", a, b, {"step": _step(a), "next": _step(b), "elapsed_ms": b.at - a.at})


def _step(h: Happening) -> str:
    named = h.prop_text("step") if h.type.startswith("checkout_step") else ""
    return " ".join([h.type, *([named.rstrip()] if named.rstrip() else [])])


def denied_coupons(session: Session, _: Limits) -> Iterator[Friction]:
    for h in of_type(session, "coupon_denied"):
        coupon = h.prop_text("coupon", "coupon_id", "coupon_code")
        yield Friction("coupon_denied", h, h, {"coupon": coupon, "reason": h.prop_text("reason") or h.text("message")})


def surprise_costs(session: Session, limits: Limits) -> Iterator[Friction]:
    changes = ("product_added", "product_removed", "coupon_applied", "coupon_removed", "order_completed")
    carts: list[list[Happening]] = [[]]
    for h in session:
        carts[-1].append(h)
        if h.type in changes:
            carts.append([])
    for cart in carts:
        found = (_surprise(cart[:n], h, limits) for n, h in enumerate(cart) if h.type in ("payment", "order_completed"))
        yield from [friction for friction in found if friction is not None][:1]


def _surprise(before: Session, h: Happening, limits: Limits) -> Friction | None:
    showing = of_type(before, "cart_viewed", *STEPS[:4])
    amounts = [x for x in showing if x.numbers.keys() & {"total", "value", "revenue"}]
    shown, now = _like_with_like(amounts[0], h) if amounts else (0.0, 0.0)
    told = [x.numbers["shipping"] for x in showing if "shipping" in x.numbers]
    shipping = h.prop_number("shipping")
    is_late = (shipping or 0) > 0 and all(cost <= 0 for cost in told) and (now - shown > 0 or 0 in told)
    if is_late or now - shown > max(limits["share"] * shown, limits["least"]):
        kind = "shipping" if is_late else "total"
        return Friction("surprise_cost", h, h, {"kind": kind, "shown": shown, "now": now, "shipping": shipping})
    return None


def _like_with_like(a: Happening, b: Happening) -> tuple[float, float]:
    currencies = {a.prop_text("currency"), b.prop_text("currency")} - {""}
    if len(currencies) == 2:
        return 0.0, 0.0
    for name in ("total", "revenue"):
        if name in a.numbers and name in b.numbers:
            return a.numbers[name], b.numbers[name]
    with_total = [h for h in (a, b) if "total" in h.numbers]
    mixed = len(with_total) == 1 and with_total[0].numbers["total"] == with_total[0].numbers.get("value")
    if "value" in a.numbers and "value" in b.numbers and not mixed:
        return a.numbers["value"], b.numbers["value"]
    return 0.0, 0.0


def forced_registrations(session: Session, _: Limits) -> Iterator[Friction]:
    for checkout in checkouts(session):
        for n, h in enumerate(checkout):
            if any(_account(x).startswith("guest") for x in checkout[: n + 1]):
                break
            on_page = h.type in ("page_view", "form_start") and _names(h.place, _REGISTRATION, "/_.-", "/_.?-")
            if on_page or h.type == "registration_required":
                yield Friction("forced_registration", h, h, {"seen_by": h.type})
                break


def _account(h: Happening) -> str:
    return h.prop_text("account_type").lower() if h.type in STEPS[:5] else ""


def _names(text: str, words: tuple[str, ...], before: str, after: str) -> bool:
    """Whether one of `words` stands in `text`, alone or between such signs."""
    text = text.lower()
    for word in words:
        for at in (m.start() for m in re.finditer(re.escape(word), text)):
            end = at + len(word)
            if (at == 0 or text[at - 1] in before) and (end == len(text) or text[end] in after):
                return True
    return False


def soft_refusals(session: Session, _: Limits) -> Iterator[Friction]:
    yield from _refusals("payment_failed_soft", session, hard=False)


def hard_refusals(session: Session, _: Limits) -> Iterator[Friction]:
    yield from _refusals("payment_failed_hard", session, hard=True)


def _refusals(signal: str, session: Session, *, hard: bool) -> Iterator[Friction]:
    for n, h in enumerate(of_type(session, "payment_failed"), 1):
        said, code = h.prop_text("error_type").lower(), h.prop_text("error_code").lower()
        is_hard = said == "hard" or (said != "soft" and (said in _ANOTHER_CARD or code in _ANOTHER_CARD))
        if is_hard == hard:
            measured = {"code": h.prop_text("error_code", "error_type"), "method": h.prop_text("payment_method")}
            yield Friction(signal, h, h, {**measured, "failure": n, "message": h.text("message")})


def help_sought(session: Session, limits: Limits) -> Iterator[Friction]:
    seeking = [h for checkout in checkouts(session) for h in checkout if _seeks_help(h)]
    for before, h in zip([None, *seeking], seeking, strict=False):
        if before is None or h.at - before.at > limits["merge_ms"]:
            href = h.prop_text("href") if h.type == "click" else ""
            channel = (h.prop_text("channel") if h.type == "help_opened" else "") or href or h.place
            yield Friction("help_sought", h, h, {"seen_by": h.type, "channel": channel})


def _seeks_help(h: Happening) -> bool:
    if h.type == "page_view":
        return _says_help(h.place) or _is_contact_page(h.place)
    if h.type == "click" and tag(h) in ("a", "button", "summary", ""):
        href = h.prop_text("href")
        calls = href.lower().startswith(("tel:", "mailto:", "sms:"))
        said = any(_says_help(text) for text in (h.text("element"), href, h.prop_text("text")))
        return calls or said or _is_contact_page(href)
    return h.type == "help_opened"


def _is_contact_page(address: str) -> bool:
    parts = urlsplit(address.lower())
    of_a_site = bool(parts.netloc) == (parts.scheme in ("http", "https"))
    return parts.path.rstrip("/") == "/contact" and of_a_site and not parts.query and not parts.fragment


def _says_help(text: str) -> bool:
    """Whether a word for help stands in `text` with no letter right before or after it."""
    text = text.lower()
    ends = [(m.start(), m.end()) for word in _HELP for m in re.finditer(re.escape(word), text)]
    return any(
        not re.match("[a-z]", text[max(0, start - 1) : start]) and not re.match("[a-z]", text[end : end + 1])
        for start, end in ends
    )
