"""Help sought: help, FAQ, chat, mail or phone looked for in the middle of the checkout."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from processors.domain.fact import Fact
from processors.domain.friction.checkout import checkouts
from processors.domain.friction.element import tag_of
from processors.domain.friction.signal import Signal

# Not the bare word "contact": a checkout's contact step and its fields are called that.
_HELP: Final = re.compile(
    r"(?<![a-z])(?:help|faqs?|support|contact[-_ ]us|(?:live)?chat|customer[-_ ]service)(?![a-z])", re.IGNORECASE
)
_CONTACT_PAGE: Final = re.compile(r"(?:https?://[^/]+)?/contact/?", re.IGNORECASE)
_CONTROLS: Final = frozenset({"a", "button", "summary", ""})  # a click on a hint under a field is none
_CALLS: Final = ("tel:", "mailto:", "sms:")


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Help sought among `facts`; threshold: merge_ms, within which one search for help is one signal."""
    last: Fact | None = None
    for fact, _ in checkouts(facts):
        if not _seeks_help(fact):
            continue
        if last is None or fact.ts - last.ts > thresholds["merge_ms"]:
            yield Signal("help_sought", fact, fact, {"seen_by": fact.type, "channel": _channel(fact) or fact.place})
        last = fact


def _channel(fact: Fact) -> str:
    if fact.type == "help_opened":
        return fact.text("channel")
    return fact.text("href") if fact.type == "click" else ""


def _seeks_help(fact: Fact) -> bool:
    if fact.type == "help_opened":
        return True
    if fact.type == "page_view":
        return _is_help_page(fact.place)
    if fact.type != "click" or tag_of(fact) not in _CONTROLS:
        return False
    href = fact.text("href")
    named = _HELP.search(fact.element) or _HELP.search(fact.text("text"))
    return named is not None or href.lower().startswith(_CALLS) or _is_help_page(href)


def _is_help_page(address: str) -> bool:
    return _HELP.search(address) is not None or _CONTACT_PAGE.fullmatch(address) is not None
