"""The row of a session: where it came from, what it saw, how it felt, and what became of its checkout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from processors.domain.campaign import NO_CAMPAIGN, Campaign
from processors.domain.fact import CHECKOUT, ERROR, Fact
from processors.domain.friction import count_signals
from processors.domain.friction.score import score
from processors.domain.friction.signal import Signal
from processors.domain.funnels.attempt import Attempt
from processors.domain.funnels.standing import Standing
from processors.domain.session import Session
from schemas.event import from_ms
from schemas.rows import CheckoutOutcome, SessionRow
from schemas.rules import SCORE_VERSION, FrictionRule

CHECKOUT_FUNNEL: Final = "checkout"
"""The funnel whose attempts are a session's checkout."""

SESSION_PROPERTIES: Final[Mapping[str, tuple[str, ...]]] = {
    "order_completed": ("value", "total", "revenue"),
    "scroll": ("depth",),
    "page_leave": ("depth",),
}
"""Properties that session rows are made of, by type of event."""

STAGES: Final = 6
"""Stages of life between two facts: three of the checkout, each with the session open or closed."""

_ORDER_VALUES: Final = SESSION_PROPERTIES["order_completed"]
_ENGAGED_MS: Final = 10_000  # GA4: longer than 10 s, a key event, or two views
_ENGAGED_VIEWS: Final = 2
_DEPTH_MAX: Final = 100.0

_RANK: Final[Mapping[CheckoutOutcome, int]] = {"": 0, "open": 0, "abandoned": 1, "converted": 2, "recovered": 2}


class Traits(NamedTuple):
    """What is known of the surroundings: of each field the first non-empty value in event order."""

    referrer: str
    device: str
    browser: str
    os: str
    country: str
    release: str
    user_id: str
    campaign: Campaign


def traits_of(facts: Iterable[Fact]) -> Traits:
    """The traits in `facts`, which are in event order."""
    referrer = device = browser = os = country = release = user_id = ""
    campaign: Campaign | None = None
    for fact in facts:
        referrer = referrer or fact.referrer
        device = device or fact.device
        browser = browser or fact.browser
        os = os or fact.os
        country = country or fact.country
        release = release or fact.release
        user_id = user_id or fact.user_id
        campaign = campaign or fact.campaign
    return Traits(referrer, device, browser, os, country, release, user_id, campaign or NO_CAMPAIGN)


def session_row(
    session: Session, signals: Sequence[Signal], traits: Traits, friction: Mapping[str, FrictionRule]
) -> SessionRow:
    """The row of `session` but for its checkout. Left to the caller: whose it is, its state and version."""
    facts = session.facts
    views: list[Fact] = []
    errors: dict[str, int] = {}
    clicks = checkout_events = orders = 0
    value = depth = 0.0
    is_bot = False
    for fact in facts:
        is_bot = is_bot or fact.is_bot
        if fact.type == "page_view":
            views.append(fact)
        elif fact.type == "click":
            clicks += 1
        elif fact.kind == ERROR:
            errors[fact.error_class] = errors.get(fact.error_class, 0) + 1
        elif fact.kind == CHECKOUT:
            checkout_events += 1
            if fact.type == "order_completed":
                orders += 1
                value += fact.number(*_ORDER_VALUES) or 0.0
        elif fact.props is not None and fact.type in {"scroll", "page_leave"}:
            depth = max(depth, fact.number("depth") or 0.0)
    given = score(facts, signals, friction)
    engaged = session.ended - session.started > _ENGAGED_MS or orders > 0 or len(views) >= _ENGAGED_VIEWS
    source, medium, campaign, term, content, click_id = traits.campaign
    return SessionRow(
        site="",
        visitor_id="",
        session_id=session.session_id,
        started_at=from_ms(session.started),
        version=0,
        ended_at=from_ms(session.ended),
        events=len(facts),
        page_views=len(views),
        clicks=clicks,
        errors=sum(errors.values()),
        checkout_events=checkout_events,
        orders=orders,
        value=value,
        entry_page=views[0].page if views else _first_page(facts),
        exit_page=views[-1].page if views else _first_page(reversed(facts)),
        scroll_depth=min(depth, _DEPTH_MAX),
        time_on_page_s=(session.ended - views[0].ts) / len(views) / 1000 if views else 0.0,
        referrer=traits.referrer,
        utm_source=source,
        utm_medium=medium,
        utm_campaign=campaign,
        utm_term=term,
        utm_content=content,
        click_id=click_id,
        device=traits.device,
        browser=traits.browser,
        os=traits.os,
        country=traits.country,
        release=traits.release,
        user_id=traits.user_id,
        is_bot=is_bot,
        engaged=engaged,
        bounced=not engaged,
        friction_score=given.total,
        friction_points=dict(given.points),
        last_step_score=given.last_step,
        score_version=SCORE_VERSION,
        friction=count_signals(signals),
        errors_by_class=errors,
    )


def tell_checkout(row: SessionRow, attempt: Attempt, now: Standing) -> int:
    """Put the session's last attempt at the checkout into its row; returns how far its outcome is decided, 0 to 2."""
    outcome: CheckoutOutcome
    match now.state:
        case "excluded":
            return 0
        case "open" | "stalled":
            outcome = "open"
        case "abandoned" | "converted" | "recovered" as decided:
            outcome = decided
    row.checkout = outcome
    row.checkout_step = attempt.funnel.steps[attempt.step].name
    row.checkout_value = attempt.value or 0.0
    row.checkout_currency = attempt.currency
    return _RANK[outcome]


def _first_page(facts: Iterable[Fact]) -> str:
    return next((fact.page for fact in facts if fact.page), "")
