"""Funnel attempts of raw events, from the definition in the funnel's TOML and three clocks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.oracle.events import Happening, by_visitor, moment
from tests.oracle.sessions import traits
from tests.oracle.signals import DEFAULT_THRESHOLDS, Friction, Thresholds, found_in
from tests.oracle.spans import spans

AttemptKey = tuple[str, str, str, datetime]


@dataclass
class _Try:
    """One attempt as a scan found it. `left`: silent for too long before a later fact; `back`: came back after that."""

    reached: list[Happening]
    value: float
    last_seen: int
    quiet_received: int
    left: bool = False
    back: bool = False


def attempts(
    events: Iterable[Mapping[str, Any]],
    funnels: Sequence[Mapping[str, Any]],
    *,
    frontier: int,
    abandon_s: float = 1800,
    idle_s: float = 1800,
    max_s: float = 86_400,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> dict[AttemptKey, dict[str, Any]]:
    """Attempt rows by (site, funnel, attempt_id, started_at), without `version`.

    `funnels`: TOML definitions as read by tomllib. `frontier`: Unix ms up to which everything received has been seen.
    """
    found: dict[AttemptKey, dict[str, Any]] = {}
    for (site, visitor, session), happenings in by_visitor(events).items():
        who = visitor or session
        if not who:
            continue
        visits = spans(who, happenings, idle_s, max_s)
        friction = [f for span in visits for f in found_in(span.happenings, thresholds)]
        for funnel in funnels:
            for attempt in _tries(happenings, funnel, abandon_s * 1000):
                start = attempt.reached[0]
                began_in = next(span for span in visits if start in span.happenings)
                described = traits(began_in.happenings)
                del described["referrer"], described["user_id"]
                id_ = hashlib.blake2b(f"{funnel['name']}|{who}|{start.at}".encode(), digest_size=8).hexdigest()
                found[site, funnel["name"], id_, moment(start.at)] = {
                    "visitor_id": visitor,
                    "session_id": began_in.session_id,
                    "is_bot": any(h.is_bot for h in began_in.happenings),
                    "state": _state(attempt, funnel, frontier, abandon_s * 1000),
                    **described,
                    **_progress(attempt, funnel),
                    **_causes(attempt, funnel, happenings, friction),
                }
    return found


def _tries(happenings: Sequence[Happening], funnel: Mapping[str, Any], abandon_ms: float) -> Iterator[_Try]:
    types = [step["type"] for step in funnel["steps"]]
    ordered = sorted(happenings, key=lambda h: (h.at, types.index(h.type) if h.type in types else -1, h.id))
    at = 0
    while at < len(ordered):
        if ordered[at].type == types[0]:
            attempt, at = _follow(ordered, at, types, funnel, abandon_ms)
            yield attempt
        else:
            at += 1


def _follow(
    ordered: Sequence[Happening], start: int, types: Sequence[str], funnel: Mapping[str, Any], abandon_ms: float
) -> tuple[_Try, int]:
    """The attempt that begins at `start`, and where the search for the next begins."""
    first = ordered[start]
    money = funnel.get("value", "value")
    ends_at = first.at + funnel.get("window_h", 24) * 3_600_000
    attempt = _Try([first], first.numbers.get(money, 0.0), first.at, first.received)
    for n in range(start + 1, len(ordered)):
        now = ordered[n]
        attempt.left = attempt.left or now.at - ordered[n - 1].at > abandon_ms
        restart = now.type == types[0] and (attempt.left or now.at > ends_at)
        if restart:
            return attempt, n
        advance = now.at <= ends_at and now.type == types[len(attempt.reached)]
        if advance:
            attempt.reached.append(now)
            attempt.back, attempt.left = attempt.back or attempt.left, False
        if not attempt.left:
            attempt.last_seen = now.at
            attempt.quiet_received = max(attempt.quiet_received, now.received)
        if now.type in types and now.at <= ends_at:
            attempt.value = now.numbers.get(money, attempt.value)
        if len(attempt.reached) == len(types):
            return attempt, n + 1
    return attempt, len(ordered)


def _state(attempt: _Try, funnel: Mapping[str, Any], frontier: int, abandon_ms: float) -> str:
    if len(attempt.reached) == len(funnel["steps"]):
        return "recovered" if attempt.back else "converted"
    if attempt.left or frontier - attempt.quiet_received >= abandon_ms:
        return "abandoned"
    hesitates = frontier - attempt.reached[-1].received >= funnel.get("stall_after_s", 120) * 1000
    return "stalled" if hesitates else "open"


def _progress(attempt: _Try, funnel: Mapping[str, Any]) -> dict[str, Any]:
    names = [step["name"] for step in funnel["steps"]]
    times = [moment(h.at) for h in attempt.reached]
    return {
        "funnel_version": funnel.get("version", 1),
        "steps": names,
        "step_times": [*times, *[None] * (len(names) - len(times))],
        "step_reached": len(times),
        "step_name": names[len(times) - 1],
        "last_step_at": times[-1],
        "value": attempt.value,
    }


def _causes(
    attempt: _Try, funnel: Mapping[str, Any], happenings: Sequence[Happening], friction: Sequence[Friction]
) -> dict[str, Any]:
    """Friction and errors on the step where the attempt stands; none for one that is complete."""
    if len(attempt.reached) == len(funnel["steps"]):
        return {"friction": {}, "errors": {}, "first_cause": "", "first_cause_at": None}
    begin, end = attempt.reached[-1].at, attempt.last_seen
    signals = [f for f in friction if begin <= f.at.at <= end]
    errors = [h for h in happenings if h.kind == "error" and begin <= h.at <= end]
    causes = [(f.at.at, f.at.id, f.signal) for f in signals]
    causes += [(h.at, h.id, f"error:{h.text('error_class')}") for h in errors]
    classes = [h.text("error_class") for h in errors]
    return {
        "friction": {name: sum(1 for f in signals if f.signal == name) for name in {f.signal for f in signals}},
        "errors": {name: classes.count(name) for name in set(classes)},
        "first_cause": min(causes)[2] if causes else "",
        "first_cause_at": moment(min(causes)[0]) if causes else None,
    }
