"""Help sought: help, FAQ, chat, mail or phone looked for in the middle of the checkout."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from processors.domain.fact import Fact
from processors.domain.friction.checkout import checkouts
from processors.domain.friction.signal import Signal

_HELP: Final = re.compile(
    r"(?<![a-z])(?:help|faqs?|support|contact|contact-us|chat|live-?chat)(?![a-z])", re.IGNORECASE
)
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
        return _HELP.search(fact.place) is not None
    if fact.type != "click":
        return False
    href = fact.text("href")
    return href.lower().startswith(_CALLS) or any(
        _HELP.search(text) is not None for text in (fact.element, href, fact.text("text"))
    )
