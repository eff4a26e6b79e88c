"""Dead click: a click after which the page did not change, as the client saw it.

PostHog's rule (dead-clicks-autocapture.ts): no change of the page within 2500 ms; the same node within 1 s once. Only a
client with the page before it can tell, so a click without `effect_ms` says nothing; null says that nothing happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from processors.domain.fact import Fact
from processors.domain.friction.element import is_text_field, tag_of
from processors.domain.friction.signal import Signal

_QUIET_TAGS: Final = frozenset({"select", "option", "canvas", "html", "body"})
_OUTSIDE: Final = ("mailto:", "tel:", "sms:")


def find(facts: Sequence[Fact], thresholds: Mapping[str, float]) -> Iterator[Signal]:
    """Dead clicks among `facts`; thresholds: effect_ms, same_ms."""
    counted: dict[tuple[object, ...], int] = {}
    for fact in facts:
        if fact.type != "dead_click" and (fact.type != "click" or fact.props is None):
            continue
        if not _is_dead(fact, thresholds["effect_ms"]):
            continue
        if is_text_field(fact) or tag_of(fact) in _QUIET_TAGS or _leads_outside(fact):
            continue
        node = (fact.place, fact.element) if fact.element else (fact.place, fact.x, fact.y)
        if node in counted and fact.ts - counted[node] < thresholds["same_ms"]:
            continue
        counted[node] = fact.ts
        yield Signal("dead_click", fact, fact, {"effect_ms": fact.number("effect_ms"), "tag": tag_of(fact)})


def _is_dead(fact: Fact, limit_ms: float) -> bool:
    waited = fact.number("effect_ms")
    if waited is not None:
        return waited >= limit_ms
    if fact.type == "dead_click":
        return True
    return fact.props is not None and "effect_ms" in fact.props and fact.props["effect_ms"] is None


def _leads_outside(fact: Fact) -> bool:
    if fact.props is None:
        return False
    target = fact.text("target").lower()
    return (
        target not in ("", "_self")
        or fact.props.get("download") is True
        or fact.text("href").lower().startswith(_OUTSIDE)
    )
