"""The table of friction rules: id, version, thresholds with their source, and the weight of each in the score.

The weights are a stated prior, an opinion like everybody's (nobody publishes a calibrated score; semantics differ by
shop): a failed payment and an error under the hand weigh most, a hint such as scrolling to and fro least. The points
each rule gave stand beside the total, so that other weights can be tried on old rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.friction_rule import FrictionRule, Override, RuleError, override

__all__ = ["FRICTION_RULES", "SCORE_MAX", "SCORE_VERSION", "FrictionRule", "RuleError", "rules_with"]

SCORE_VERSION: Final = 2
"""Rises when a weight or cap changes; stands in every session's row."""

SCORE_MAX: Final = 100.0

_CLICK: Final = ("tag", "text", "input_type", "editable")
_MONEY: Final = ("total", "value", "revenue", "shipping", "currency")
_PAYMENT: Final = ("error_type", "error_code", "payment_method")
_CHECKOUT: Final = ("checkout_started", "checkout_step_viewed", "checkout_step_completed", "shipping", "payment")
_CONTROLS: Final = (".carousel", ".swiper", ".slick-arrow", ".datepicker", ".calendar", ".stepper", "[role=spinbutton]")

_TABLE: Final = (
    FrictionRule(
        id="rage_click",
        version=2,
        about="Several clicks in a row on one spot.",
        triggers=frozenset({"click"}),
        thresholds={"clicks": 3, "gap_ms": 1000, "distance_px": 30},
        weight=12,
        cap=3,
        source="PostHog rageclick.ts: 3 clicks, each < 1000 ms and < 30 px (Manhattan) from the one before",
        excludes="Text fields (a triple click selects), steppers and pagers (+, -, <, >, next, previous), carousels, "
        "calendars: the makers' own lists (PostHog 1.382.0, sentry-javascript#8300)",
        reads={"click": _CLICK},
        ignore=(".snag-no-rage", ".ph-no-rageclick", *_CONTROLS),
    ),
    FrictionRule(
        id="dead_click",
        version=1,
        about="A click after which the page did not change. Only the client can see that, and must say so.",
        triggers=frozenset({"click", "dead_click"}),
        thresholds={"effect_ms": 2500, "same_ms": 1000},
        weight=6,
        cap=4,
        source="PostHog dead-clicks-autocapture.ts: nothing within 2500 ms; the same node within 1 s once",
        excludes="Text fields, select, canvas, html; links that open elsewhere, download, call or mail "
        "(PostHog, Datadog computeFrustration.ts)",
        reads=dict.fromkeys(("click", "dead_click"), ("effect_ms", "href", "target", "download", *_CLICK)),
        ignore=(".snag-no-dead",),
    ),
    FrictionRule(
        id="error_click",
        version=3,
        about="A click that a technical error follows at once, on the same page. A request that failed counts from its "
        "beginning, `duration_ms` before it was told.",
        triggers=frozenset({"click"}),
        thresholds={"delay_ms": 1000, "early_ms": 50},
        weight=15,
        cap=3,
        source="Datadog error click: an error during the click's action; what begins within 1 s is the action here. "
        "early_ms is for durations that are rounded or measured by another clock",
        excludes="Refused fields, payments and passwords: they have rules of their own",
        reads=dict.fromkeys(("http_error", "network_error"), ("duration_ms",)),
    ),
    FrictionRule(
        id="thrashed_cursor",
        version=1,
        about="The cursor shaken to and fro. Only the client can see that, and must say so.",
        triggers=frozenset({"cursor_thrash"}),
        thresholds={"turns": 4, "acceleration": 0.008, "merge_ms": 5000},
        weight=4,
        cap=2,
        source="OpenReplay: every 225 ms, more than 4 changes of direction and more than 0.008 px/ms^2",
        excludes="What follows on the same page within merge_ms: one shaking is one signal",
        reads={"cursor_thrash": ("turns", "acceleration")},
    ),
    FrictionRule(
        id="quick_back",
        version=2,
        about="From a page to another and at once back, because the other was not what was looked for.",
        triggers=frozenset({"page_view"}),
        thresholds={"dwell_ms": 5000},
        weight=6,
        cap=3,
        source="Clarity's quick back; its threshold is unpublished, OpenReplay users take 5 s",
    ),
    FrictionRule(
        id="page_loop",
        version=1,
        about="Round in circles between two pages (A-B-A-B), or the same page loaded again and again.",
        triggers=frozenset({"page_view"}),
        thresholds={"views": 4, "refreshes": 3, "span_ms": 300_000, "repeat_ms": 1000},
        weight=8,
        cap=2,
        source="Own prior: two full rounds, or three reloads, within 5 minutes",
        excludes="Views of one page within repeat_ms of each other: clients that report twice",
    ),
    FrictionRule(
        id="form_retry",
        version=1,
        about="The same form sent again without success in between.",
        triggers=frozenset({"form_submit"}),
        thresholds={"attempts": 2, "gap_ms": 1000},
        weight=10,
        cap=3,
        source="Own prior. Success: form_success, login, a checkout step, or a view of another page",
        excludes="Double clicks: sent again within gap_ms",
        reads={"form_submit": ("form",), "form_success": ("form",)},
    ),
    FrictionRule(
        id="repeated_field_error",
        version=1,
        about="The same field refused again.",
        triggers=frozenset({"form_error"}),
        thresholds={"errors": 2, "gap_ms": 1000},
        weight=10,
        cap=3,
        source="Own prior; Contentsquare's older friction score counted validation errors too",
        excludes="The same refusal reported again within gap_ms",
        reads={"form_error": ("form", "field"), "form_success": ("form",)},
    ),
    FrictionRule(
        id="form_abandonment",
        version=1,
        about="A form begun and left without sending it, with the field touched last.",
        triggers=frozenset({"form_start", "form_field", "form_abandon", "form_error"}),
        thresholds={"fields": 0},
        weight=8,
        cap=2,
        source="Zuko: started is any interaction, abandoned is started and never completed. `fields`: touched at least",
        excludes="Forms sent later in the session after all; never a field's value",
        reads={
            **dict.fromkeys(("form_start", "form_field", "form_error"), ("form", "field")),
            **dict.fromkeys(("form_submit", "form_success"), ("form",)),
            "form_abandon": ("form", "field", "filled", "total"),
        },
    ),
    FrictionRule(
        id="slow_page",
        version=1,
        about="The page's main content came late (LCP).",
        triggers=frozenset({"web_vital"}),
        thresholds={"lcp_ms": 4000},
        weight=6,
        cap=3,
        source="web-vitals: LCP above 4000 ms is poor",
        reads={"web_vital": ("name", "value", "id")},
    ),
    FrictionRule(
        id="slow_interaction",
        version=1,
        about="The page answered a click or key late (INP).",
        triggers=frozenset({"web_vital"}),
        thresholds={"inp_ms": 500},
        weight=5,
        cap=3,
        source="web-vitals: INP above 500 ms is poor",
        reads={"web_vital": ("name", "value", "id")},
    ),
    FrictionRule(
        id="layout_shift",
        version=1,
        about="The page jumped under the reader's eyes (CLS).",
        triggers=frozenset({"web_vital"}),
        thresholds={"cls": 0.25},
        weight=3,
        cap=2,
        source="web-vitals: CLS above 0.25 is poor",
        reads={"web_vital": ("name", "value", "id")},
    ),
    FrictionRule(
        id="slow_step",
        version=1,
        about="A checkout step that took much longer than most need.",
        triggers=frozenset(_CHECKOUT),
        thresholds={"step_ms": 300_000},
        weight=5,
        cap=2,
        source="Own prior: p95 of lognormal step times with a median of 75 s (sigma 0.8) is 280 s",
        reads=dict.fromkeys(("checkout_step_viewed", "checkout_step_completed"), ("step",)),
    ),
    FrictionRule(
        id="coupon_denied",
        version=1,
        about="A coupon refused.",
        triggers=frozenset({"coupon_denied"}),
        thresholds={},
        weight=8,
        cap=2,
        source="Segment e-commerce v2: Coupon Denied",
        reads={"coupon_denied": ("coupon", "coupon_id", "coupon_code", "reason")},
    ),
    FrictionRule(
        id="surprise_cost",
        version=1,
        about="At payment the total is above the one shown before, or shipping appears for the first time.",
        triggers=frozenset({"payment", "order_completed"}),
        thresholds={"share": 0.1, "least": 1},
        weight=15,
        cap=1,
        source="Baymard: extra costs are the first reason to leave (39 to 61 %). `share` of the earlier total, and at "
        "least `least` in the currency's main unit: own prior",
        excludes="Totals before the cart changed, totals in another currency",
        reads=dict.fromkeys(("cart_viewed", *_CHECKOUT, "order_completed"), _MONEY),
    ),
    FrictionRule(
        id="forced_registration",
        version=1,
        about="An account is asked for in the middle of the checkout.",
        triggers=frozenset(_CHECKOUT),
        thresholds={},
        weight=12,
        cap=1,
        source="Baymard: 19 to 35 % leave because an account was asked for",
        excludes="Checkouts that say `account_type` = `guest checkout`",
        reads={
            **dict.fromkeys(_CHECKOUT, ("account_type",)),
            **dict.fromkeys(("registration_required", "page_view", "form_start"), ()),
        },
    ),
    FrictionRule(
        id="payment_failed_soft",
        version=1,
        about="A payment refused that may work when tried again.",
        triggers=frozenset({"payment_failed"}),
        thresholds={},
        weight=20,
        cap=3,
        source="Snowplow's transaction_error: error_type soft or hard; else by the processor's code (Stripe's names)",
        reads={"payment_failed": _PAYMENT},
    ),
    FrictionRule(
        id="payment_failed_hard",
        version=1,
        about="A payment refused for good: card expired, stolen, unknown.",
        triggers=frozenset({"payment_failed"}),
        thresholds={},
        weight=30,
        cap=2,
        source="Snowplow's transaction_error: error_type soft or hard; else by the processor's code (Stripe's names)",
        reads={"payment_failed": _PAYMENT},
    ),
    FrictionRule(
        id="help_sought",
        version=1,
        about="Help, FAQ, chat, mail or phone looked for in the middle of the checkout.",
        triggers=frozenset(_CHECKOUT),
        thresholds={"merge_ms": 30_000},
        weight=8,
        cap=2,
        source="Own prior. It follows trouble more often than it makes it",
        excludes="What follows within merge_ms: the click on a help link and the view of its page are one",
        reads={"help_opened": ("channel",), "click": ("href", "text"), "page_view": ()},
        ignore=(".snag-no-help",),
    ),
    FrictionRule(
        id="search_without_result",
        version=1,
        about="A search that found nothing.",
        triggers=frozenset({"search"}),
        thresholds={"typing_ms": 2000},
        weight=4,
        cap=3,
        source="Own prior; Snowplow's site_search carries total_results",
        excludes="Searches followed by another within typing_ms: search as you type",
        reads={"search": ("query", "results", "total_results")},
    ),
    FrictionRule(
        id="stuck_login",
        version=1,
        about="Login refused again and again without success in between.",
        triggers=frozenset({"login_failed"}),
        thresholds={"failures": 2},
        weight=20,
        cap=1,
        source="Own prior: one refusal is a typing error",
        reads={"login_failed": ("reason",)},
    ),
    FrictionRule(
        id="excessive_scroll",
        version=1,
        about="Up and down the page, again and again, without finding it.",
        triggers=frozenset({"scroll"}),
        thresholds={"turns": 6, "least_percent": 20},
        weight=3,
        cap=2,
        source="Clarity's excessive scrolling, numbers unpublished; own prior: 6 turns of at least 20 % of the page",
        reads={"scroll": ("depth",)},
    ),
)

FRICTION_RULES: Final[dict[str, FrictionRule]] = {rule.id: rule for rule in _TABLE}


def rules_with(overrides: Mapping[str, Override]) -> dict[str, FrictionRule]:
    """The rules with thresholds and ignore lists replaced by `overrides`. Raises RuleError for an unknown one."""
    return override(FRICTION_RULES, overrides)
