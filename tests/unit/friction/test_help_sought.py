"""Help sought: in the middle of the checkout, whichever way."""

from __future__ import annotations

import pytest

from processors.domain.fact import Fact
from tests.unit.friction.facts import fact, find

START = fact(0, "checkout_started")


@pytest.mark.parametrize(
    ("sought", "channel"),
    [
        (fact(1, "help_opened", channel="chat"), "chat"),
        (fact(1, path="/help/returns"), "/help/returns"),
        (fact(1, path="/FAQ"), "/FAQ"),
        (fact(1, path="/contact"), "/contact"),
        (fact(1, "click", href="tel:+49123"), "tel:+49123"),
        (fact(1, "click", href="MailTo:shop@shop.example"), "MailTo:shop@shop.example"),
        (fact(1, "click", href="sms:+49123"), "sms:+49123"),
        (fact(1, "click", text="Need help?"), "/a"),
        (fact(1, "click", element="footer > a.live-chat"), "/a"),
        (fact(1, "click", tag="a", href="https://shop.example/contact/"), "https://shop.example/contact/"),
    ],
)
def test_help_sought_in_the_checkout(sought: Fact, channel: str) -> None:
    (found,) = find("help_sought", START, sought)
    assert found.evidence == {"seen_by": sought.type, "channel": channel}
    assert find("help_sought", sought) == []


@pytest.mark.parametrize(
    "other",
    [
        fact(1, path="/checkout/contact"),
        fact(1, path="/helpful-hints"),
        fact(1, "click", element="form#contact > button"),
        fact(1, "click", element="input.help"),
        fact(1, "click", element="span.help-block"),
        fact(1, "click", element="div.snag-no-help > a.help"),
        fact(1, "scroll"),
    ],
)
def test_what_only_looks_like_it(other: Fact) -> None:
    assert find("help_sought", START, other) == []


def test_a_link_and_its_page_are_one_search_for_help() -> None:
    sought = [
        fact(1_000, "click", text="FAQ"),
        fact(2_000, path="/faq"),
        fact(32_000, path="/faq"),
        fact(62_001, path="/faq"),
    ]
    assert [found.at.ts for found in find("help_sought", START, *sought)] == [1_000, 62_001]
