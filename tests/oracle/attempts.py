"""Funnel attempts of raw events, from the definition in the funnel's TOML and the documented clocks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.oracle.events import Happening, by_visitor, moment
from tests.oracle.funnel import Definition, fits_any, money_names, property_text, step_numbers
from tests.oracle.signals import DEFAULT_THRESHOLDS, Friction, Thresholds, found_in
from tests.oracle.spans import spans
from tests.oracle.traits import traits

AttemptKey = tuple[str, str, str, datetime]

_TRAITS = ("device", "browser", "os", "country", "release")


@dataclass
class Try:
    """One attempt as a scan found it.

    `reached`: (step, event) by time. `left`: gone before a later fact; `back`: came back after that. `over`: nothing
    can be added. `excluded`: what took it out.
    """

    funnel: Definition
    reached: list[tuple[int, Happening]]
    last_seen: int
    quiet_received: int
    money: float | None = None
    currency: str = ""
    groups: dict[str, str] = field(default_factory=dict)
    left: bool = False
    back: bool = False
    over: bool = False
    excluded: str = ""

    @property
    def complete(self) -> bool:
        """Whether everything that must be reached was."""
        steps = [n for n, _ in self.reached]
        if self.funnel.get("order") == "any":
            return all(s.get("optional") or n in steps for n, s in enumerate(self.funnel["steps"]))
        return steps[-1] == len(self.funnel["steps"]) - 1

    def read(self, h: Happening) -> None:
        """Take money and groups from an event of a step."""
        self.money = next((h.numbers[n] for n in money_names(self.funnel) if n in h.numbers), self.money)
        self.currency = property_text(h, self.funnel.get("currency", "currency")) or self.currency
        for name in self.funnel.get("breakdown", ()):
            text = property_text(h, name)
            if text:
                self.groups.setdefault(name, text)

    def state(self, frontier: int, abandon_ms: float) -> str:
        """Where it stands when everything received up to `frontier` (Unix ms) has been seen."""
        if self.excluded:
            return "excluded"
        if self.complete:
            return "recovered" if self.back else "converted"
        if self.left or frontier - self.quiet_received >= abandon_ms:
            return "abandoned"
        hesitates = frontier - self.reached[-1][1].received >= self.funnel.get("stall_after_s", 120) * 1000
        return "stalled" if hesitates else "open"

    def ripe(self, frontier: int) -> bool:
        """Whether it is old enough to count in rates."""
        return frontier - self.reached[0][1].received >= self.funnel.get("ripe_after_s", 1800) * 1000


def attempts(
    events: Iterable[Mapping[str, Any]],
    funnels: Sequence[Definition],
    *,
    frontier: int,
    abandon_s: float = 1800,
    idle_s: float = 1800,
    max_s: float = 86_400,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> dict[AttemptKey, dict[str, Any]]:
    """Attempt rows by (site, funnel, attempt_id, started_at), without `version`.

    `funnels`: TOML definitions as read by tomllib. `frontier`: Unix ms up to which everything received has been seen.
    Stalls are told by the funnels' own `stall_after_s`: fewer times than are needed to learn from.
    """
    found: dict[AttemptKey, dict[str, Any]] = {}
    for (site, visitor, session), happenings in by_visitor(events).items():
        who = visitor or session
        if not who:
            continue
        visits = spans(who, happenings, idle_s, max_s)
        friction = [f for span in visits for f in found_in(span.happenings, thresholds)]
        for funnel in funnels:
            for attempt in tries(happenings, funnel, abandon_s * 1000):
                start = attempt.reached[0][1]
                began_in = next(span for span in visits if start in span.happenings)
                described = traits(began_in.happenings)
                name = f"{funnel['name']}|{funnel.get('version', 1)}|{who}|{start.id}"
                id_ = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
                state = attempt.state(frontier, abandon_s * 1000)
                found[site, funnel["name"], id_, moment(start.at)] = {
                    "visitor_id": visitor,
                    "session_id": began_in.session_id,
                    "is_bot": any(h.is_bot for h in began_in.happenings),
                    "state": state,
                    "ripe": attempt.ripe(frontier),
                    "stalled_after_s": funnel.get("stall_after_s", 120) if state == "stalled" else 0.0,
                    **{name: described[name] for name in _TRAITS},
                    **_progress(attempt),
                    **_trouble(attempt, happenings, friction),
                }
    return found


def tries(happenings: Sequence[Happening], funnel: Definition, abandon_ms: float) -> list[Try]:
    """The attempts in one visitor's happenings, by start."""
    steps_of = {h.id: step_numbers(h, funnel) for h in happenings}
    ordered = sorted(happenings, key=lambda h: (h.at, min(steps_of[h.id], default=-1), h.id))
    found: list[Try] = []
    at = 0
    while at < len(ordered):
        step = _opening(steps_of[ordered[at].id], funnel)
        if step is None:
            at += 1
        else:
            attempt, at = _follow(ordered, at, step, steps_of, funnel, abandon_ms)
            found.append(attempt)
    return found


def _opening(steps: Sequence[int], funnel: Definition) -> int | None:
    """The step with which an event that is `steps` opens an attempt."""
    if funnel.get("order") == "any":
        return min(steps, default=None)
    return next((n for n in sorted(steps) if all(s.get("optional") for s in funnel["steps"][:n])), None)


def _onward(attempt: Try, steps: Sequence[int], funnel: Definition) -> int | None:
    """The step to which an event that is `steps` takes the attempt."""
    done = [n for n, _ in attempt.reached]
    if funnel.get("order") == "any":
        return min((n for n in steps if n not in done), default=None)
    ahead = [n for n in steps if n > done[-1]]
    return ahead[0] if ahead and all(s.get("optional") for s in funnel["steps"][done[-1] + 1 : ahead[0]]) else None


def _is_excluded(attempt: Try, h: Happening, funnel: Definition) -> str:
    names = [funnel["steps"][n]["name"] for n, _ in attempt.reached]
    for exclusion in funnel.get("exclude", ()):
        after, before = exclusion.get("after"), exclusion.get("before")
        between = (not after or after in names) and (not before or before not in names)
        if between and fits_any(h, exclusion["any_of"]):
            return str(exclusion["name"])
    return ""


def _follow(  # noqa: PLR0917  a helper of one caller
    ordered: Sequence[Happening],
    start: int,
    opening: int,
    steps_of: Mapping[str, Sequence[int]],
    funnel: Definition,
    abandon_ms: float,
) -> tuple[Try, int]:
    """The attempt that begins at `start`, and where the search for the next begins."""
    first = ordered[start]
    order = funnel.get("order", "ordered")
    ends_at = first.at + funnel.get("window_h", 24) * 3_600_000
    attempt = Try(funnel, [(opening, first)], first.at, first.received)
    attempt.read(first)
    for n in range(start + 1, len(ordered)):
        now, steps = ordered[n], steps_of[ordered[n].id]
        gap = now.at - ordered[n - 1].at
        attempt.left = attempt.left or gap > abandon_ms or now.at > ends_at
        if not attempt.left:
            attempt.last_seen, attempt.quiet_received = now.at, max(attempt.quiet_received, now.received)
        if now.at > ends_at:
            if _opening(steps, funnel) is not None:
                return attempt, n
            continue
        if not attempt.left and (excluded := _is_excluded(attempt, now, funnel)):
            attempt.excluded = excluded
            return attempt, n + 1
        onward = _onward(attempt, steps, funnel)
        if onward is not None:
            attempt.reached.append((onward, now))
            attempt.back, attempt.left = attempt.back or attempt.left, False
            attempt.last_seen, attempt.quiet_received = now.at, max(attempt.quiet_received, now.received)
        elif attempt.left and steps and (order == "any" or 0 in steps):
            return attempt, n
        elif order == "strict" and not attempt.left and steps and attempt.reached[-1][0] not in steps:
            attempt.left = True
            if _opening(steps, funnel) is not None:
                return attempt, n
            attempt.read(now)
            return attempt, n + 1
        if steps:
            attempt.read(now)
        if attempt.complete:
            return attempt, n + 1
        if fits_any(now, funnel.get("leave", ())):
            attempt.left = True
    return attempt, len(ordered)


def _progress(attempt: Try) -> dict[str, Any]:
    names = [step["name"] for step in attempt.funnel["steps"]]
    times = {n: moment(h.at) for n, h in attempt.reached}
    here, at = attempt.reached[-1]
    return {
        "funnel_version": attempt.funnel.get("version", 1),
        "steps": names,
        "step_times": [times.get(n) for n in range(len(names))],
        "step_reached": here + 1,
        "step_name": names[here],
        "last_step_at": moment(at.at),
        "last_seen_at": moment(attempt.last_seen),
        "seconds_on_step": max(0, attempt.last_seen - at.at) / 1000,
        "excluded_by": attempt.excluded,
        "value": attempt.money or 0.0,
        "currency": attempt.currency,
        "breakdown": attempt.groups,
    }


def stays(attempt: Try) -> Iterator[tuple[int, int, float]]:
    """Each step that was stood on with its begin and end (Unix ms, exclusive); a completed funnel's last is not."""
    for n, (step, h) in enumerate(attempt.reached):
        if n + 1 < len(attempt.reached):
            yield step, h.at, attempt.reached[n + 1][1].at
        elif not attempt.complete:
            yield step, h.at, attempt.last_seen + 1


def _trouble(attempt: Try, happenings: Sequence[Happening], friction: Sequence[Friction]) -> dict[str, Any]:
    """Friction and errors on each step, and of the step where the attempt stands in detail."""
    count = len(attempt.funnel["steps"])
    per_step: list[tuple[dict[str, int], dict[str, int]]] = [({}, {}) for _ in range(count)]
    here: tuple[list[Friction], list[Happening]] = ([], [])
    for step, begin, end in stays(attempt):
        signals = [f for f in friction if begin <= f.at.at < end]
        errors = [h for h in happenings if h.kind == "error" and begin <= h.at < end]
        per_step[step] = (_counts(f.signal for f in signals), _counts(h.text("error_class") for h in errors))
        if step == attempt.reached[-1][0]:
            here = (signals, errors)
    signals, errors = here
    causes = [(f.at.at, f.at.id, f.signal) for f in signals]
    causes += [(h.at, h.id, f"error:{h.text('error_class')}") for h in errors]
    prints = list(dict.fromkeys(h.text("fingerprint") for h in sorted(errors, key=lambda h: (h.at, h.id))))[:10]
    told = any(a or b for a, b in per_step)
    return {
        "friction": _counts(f.signal for f in signals),
        "errors": _counts(h.text("error_class") for h in errors),
        "error_counts": {p: sum(h.text("fingerprint") == p for h in errors) for p in prints},
        "error_messages": {p: _message(next(h for h in errors if h.text("fingerprint") == p)) for p in prints},
        "step_friction": [a for a, _ in per_step] if told else [],
        "step_errors": [b for _, b in per_step] if told else [],
        "first_cause": min(causes)[2] if causes else "",
        "first_cause_at": moment(min(causes)[0]) if causes else None,
    }


def _counts(names: Iterable[str]) -> dict[str, int]:
    listed = list(names)
    return {name: listed.count(name) for name in set(listed)}


def _message(h: Happening) -> str:
    return f"{h.text('error_class')}: {h.text('message')[:200]}"
