"""Facts and findings, as the tests of the friction rules write them."""

from __future__ import annotations

from typing import Any

import msgspec

from processors.domain.fact import CHECKOUT, CLICKSTREAM, ERROR, Fact
from processors.domain.friction import Finders
from processors.domain.friction.signal import Signal
from processors.domain.rules import Rules
from schemas.event_types import EVENT_TYPES
from schemas.rules import FRICTION_RULES
from tests.unit.test_domain_fact import make_fact

_READER = Rules(funnels=()).reader
_KINDS = {"clickstream": CLICKSTREAM, "error": ERROR, "checkout": CHECKOUT}


def fact(at: int, type_: str = "page_view", path: str = "/a", **props: Any) -> Fact:
    """A fact of `type_` at `at` ms on `path`; `element`, `message`, `x` and `y` are fields, all else properties.

    The properties are read as a worker reads them: one that no rule asks for is not there.
    """
    fields = {name: props.pop(name) for name in ("element", "message", "x", "y") if name in props}
    kind = _KINDS[EVENT_TYPES[type_].kind]
    read = _READER.read(type_, msgspec.Raw(msgspec.json.encode(props)))
    return make_fact(at, type_, event_id=f"e{at:012d}{type_}", kind=kind, path=path, page=path, props=read, **fields)


def clicks(*at: int, **fields: Any) -> list[Fact]:
    """Clicks on one spot."""
    return [make_fact(ms, "click", **{"x": 10.0, "y": 10.0, **fields}) for ms in at]


def error(at: int, **fields: Any) -> Fact:
    """A script's error."""
    return make_fact(at, "js_error", error_class="js", fingerprint="f", message="boom", **fields)


def view(at: int, page: str) -> Fact:
    """A page view by a client that sends no path."""
    return make_fact(at, page=page)


def find(signal: str, *facts: Fact) -> list[Signal]:
    """The signals of one rule among `facts`, with the settings as they come."""
    ordered = sorted(facts, key=lambda fact: fact.order)
    return [found for found in Finders(FRICTION_RULES).find(ordered) if found.signal == signal]
