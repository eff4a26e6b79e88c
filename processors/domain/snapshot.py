"""From a visitor's facts to rows: sessions, funnel attempts and friction signals, all at once and from scratch.

Recomputing from the set is what makes rows exact under disorder, repeats and crashes; facts of one visitor are few.
A version is the length of the row's stretch of facts * 8 + the stage of life, so it rises with every fact that may
change the row and with every change made by silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from processors.domain import fact as facts_
from processors.domain.fact import Fact
from processors.domain.friction import count_signals, find_signals
from processors.domain.friction.score import score
from processors.domain.friction.signal import Signal
from processors.domain.funnel import Attempt, find_attempts, standing, window_after
from processors.domain.rules import Rules
from processors.domain.session import Session, sessionise
from processors.domain.stretch import Stretch, find_stretches, length_at
from processors.domain.visitor import ATTEMPT, SESSION, SIGNAL, CohortKey, RowId, Visitor
from schemas.event import from_ms
from schemas.rows import AttemptState, FrictionSignalRow, FunnelAttemptRow, SessionRow
from schemas.rules import SCORE_VERSION

Row = SessionRow | FunnelAttemptRow | FrictionSignalRow

_STAGES: Final = 8  # room for the stages of life below between two facts
_STAGE_OF_STATE: Final[Mapping[AttemptState, int]] = {
    "open": 0,
    "stalled": 1,
    "abandoned": 2,
    "converted": 3,
    "recovered": 3,
}
_STAGE_DELETED: Final = _STAGES - 1
_MINUTE_MS: Final = 60_000
_ENGAGED_MS: Final = 10_000  # GA4: longer than 10 s, a key event, or two views
_ENGAGED_VIEWS: Final = 2

_evidence = msgspec.json.Encoder(order="deterministic")


@dataclass
class Snapshot:
    """All rows that hold for a visitor, what it adds to shared counts, and when silence changes something next.

    `next_change`: the least receipt time (Unix ms) at which a row changes or facts may be let go without any new fact.
    `cut`: facts with an earlier event time can never matter again; None when there are none.
    """

    rows: dict[RowId, Row] = field(default_factory=dict)
    counted: dict[CohortKey, tuple[int, int]] = field(default_factory=dict)
    next_change: int | None = None
    cut: int | None = None
    stretches: list[Stretch] = field(default_factory=list)

    def version(self, at: int, stage: int) -> int:
        """Version of a row whose time is `at` (Unix ms)."""
        return length_at(self.stretches, at) * _STAGES + stage


def take_snapshot(visitor: Visitor, frontier: int, rules: Rules) -> Snapshot:
    """The rows of `visitor` when everything received up to `frontier` (Unix ms) has been seen. Pure."""
    facts = visitor.in_order()
    who = visitor.visitor_id or (facts[0].session_id if facts else "")
    snapshot = Snapshot(stretches=stretches_of(visitor, facts, rules))
    sessions = sessionise(who, facts, rules.session)
    signals: list[Signal] = []
    changes: list[int] = []
    for session in sessions:
        found = find_signals(session.facts, rules.friction)
        signals += found
        closes_at = session.last_received + rules.session.idle_ms
        closed = session.superseded or frontier >= closes_at
        changes.append(_session_final_at(session, rules) if closed else closes_at)
        row = _session_row(visitor, session, found, rules=rules)
        row.state = "closed" if closed else "open"
        row.version = snapshot.version(session.started, int(closed))
        snapshot.rows[RowId(SESSION, "", row.session_id, session.started)] = row
        if not row.is_bot:
            _count(snapshot.counted, (session.started, "", 0), passed=row.errors > 0)
        for signal in found:
            signal_row = _signal_row(visitor, who, signal, row, rules)
            signal_row.version = snapshot.version(signal.first.ts, 0)
            snapshot.rows[RowId(SIGNAL, signal.signal, signal_row.signal_id, signal.first.ts)] = signal_row
    signals.sort(key=lambda signal: (signal.at.order, signal.signal))
    attempts = [a for funnel in rules.funnels for a in find_attempts(who, facts, funnel, rules.abandon)]
    session_of = _session_of(sessions) if attempts else {}
    for attempt in attempts:
        now = standing(attempt, frontier, rules.abandon)
        changes.append(_attempt_final_at(attempt, rules) if now.next_change is None else now.next_change)
        began_in = session_of[attempt.reached[0].event_id]
        attempt_row = _attempt_row(visitor, attempt, facts, signals, began_in)
        attempt_row.state = now.state
        attempt_row.version = snapshot.version(attempt.started, _STAGE_OF_STATE[now.state])
        snapshot.rows[RowId(ATTEMPT, attempt.funnel.name, attempt.attempt_id, attempt.started)] = attempt_row
        if not attempt_row.is_bot:
            _count_steps(snapshot.counted, attempt)
    snapshot.next_change = min((at for at in changes if at > frontier), default=None)
    snapshot.cut = _cut(facts, sessions, attempts, frontier, rules)
    return snapshot


def stretches_of(visitor: Visitor, facts: Sequence[Fact], rules: Rules) -> list[Stretch]:
    """The stretches of a visitor's `facts` (in event order)."""
    return find_stretches(facts, visitor.before, rules.link_ms, lambda fact: window_after(fact, rules.funnels))


def tombstone(visitor: Visitor, row_id: RowId, snapshot: Snapshot) -> Row:
    """The row that retracts `row_id`: newer than any row of the same facts, older than one that more facts assert."""
    version, at = snapshot.version(row_id.at, _STAGE_DELETED), from_ms(row_id.at)
    if row_id.table == SESSION:
        return SessionRow(
            site=visitor.site,
            visitor_id=visitor.visitor_id,
            session_id=row_id.id,
            started_at=at,
            version=version,
            deleted=1,
        )
    if row_id.table == ATTEMPT:
        return FunnelAttemptRow(
            site=visitor.site,
            funnel=row_id.name,
            attempt_id=row_id.id,
            visitor_id=visitor.visitor_id,
            started_at=at,
            version=version,
            deleted=1,
        )
    return FrictionSignalRow(
        site=visitor.site,
        signal=row_id.name,
        signal_id=row_id.id,
        ts=at,
        visitor_id=visitor.visitor_id,
        version=version,
        deleted=1,
    )


def _session_of(sessions: Iterable[Session]) -> dict[str, Session]:
    """Session by event id."""
    return {fact.event_id: session for session in sessions for fact in session.facts}


def _is_bot(facts: Iterable[Fact]) -> bool:
    return any(fact.is_bot for fact in facts)


class _Traits(NamedTuple):
    """What is known of a visitor's surroundings: of each field the first non-empty value in event order."""

    referrer: str
    device: str
    browser: str
    os: str
    country: str
    release: str
    user_id: str


def _traits(facts: Sequence[Fact]) -> _Traits:
    referrer = device = browser = os = country = release = user_id = ""
    for fact in facts:
        referrer = referrer or fact.referrer
        device = device or fact.device
        browser = browser or fact.browser
        os = os or fact.os
        country = country or fact.country
        release = release or fact.release
        user_id = user_id or fact.user_id
    return _Traits(referrer, device, browser, os, country, release, user_id)


def _first_page(facts: Iterable[Fact]) -> str:
    return next((fact.page for fact in facts if fact.page), "")


def _session_row(visitor: Visitor, session: Session, signals: Sequence[Signal], *, rules: Rules) -> SessionRow:
    facts = session.facts
    traits = _traits(facts)
    views: list[Fact] = []
    errors: dict[str, int] = {}
    clicks = checkout_events = orders = 0
    value = 0.0
    for fact in facts:
        if fact.type == "page_view":
            views.append(fact)
        elif fact.type == "click":
            clicks += 1
        elif fact.kind == facts_.ERROR:
            errors[fact.error_class] = errors.get(fact.error_class, 0) + 1
        elif fact.kind == facts_.CHECKOUT:
            checkout_events += 1
            if fact.type == "order_completed":
                orders += 1
                value += fact.number("value") or 0.0
    given = score(facts, signals, rules.friction)
    engaged = session.ended - session.started > _ENGAGED_MS or orders > 0 or len(views) >= _ENGAGED_VIEWS
    return SessionRow(
        site=visitor.site,
        visitor_id=visitor.visitor_id,
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
        referrer=traits.referrer,
        device=traits.device,
        browser=traits.browser,
        os=traits.os,
        country=traits.country,
        release=traits.release,
        user_id=traits.user_id,
        is_bot=_is_bot(facts),
        engaged=engaged,
        bounced=not engaged,
        friction_score=given.total,
        friction_points=dict(given.points),
        last_step_score=given.last_step,
        score_version=SCORE_VERSION,
        friction=count_signals(signals),
        errors_by_class=errors,
    )


def _signal_row(visitor: Visitor, who: str, signal: Signal, session: SessionRow, rules: Rules) -> FrictionSignalRow:
    """The row of `signal`. Its time is that of the fact that names it, so that no later fact moves the row."""
    rule = rules.friction[signal.signal]
    return FrictionSignalRow(
        site=visitor.site,
        signal=signal.signal,
        signal_id=signal.signal_id(who),
        ts=from_ms(signal.first.ts),
        visitor_id=visitor.visitor_id,
        version=0,
        rule_version=rule.version,
        session_id=session.session_id,
        path=signal.first.path,
        page=signal.first.page,
        element=signal.first.element,
        evidence=_evidence.encode({**signal.evidence, "thresholds": rule.thresholds}).decode(),
        is_bot=session.is_bot,
    )


def _attempt_row(
    visitor: Visitor, attempt: Attempt, facts: Sequence[Fact], signals: Sequence[Signal], began_in: Session
) -> FunnelAttemptRow:
    """The row of `attempt`, described by the session it began in: what other sessions say may be gone before it is."""
    steps = attempt.funnel.steps
    traits = _traits(began_in.facts)
    times = [from_ms(fact.ts) for fact in attempt.reached]
    on_step = [s for s in signals if not attempt.complete and attempt.last_step <= s.at.ts <= attempt.last_seen]
    errors = [
        fact
        for fact in facts
        if not attempt.complete and fact.kind == facts_.ERROR and attempt.last_step <= fact.ts <= attempt.last_seen
    ]
    by_class: dict[str, int] = {}
    for fact in errors:
        by_class[fact.error_class] = by_class.get(fact.error_class, 0) + 1
    causes = [(s.at.order, s.signal) for s in on_step] + [(f.order, f"error:{f.error_class}") for f in errors]
    (cause_order, cause) = min(causes, default=((0, ""), ""))
    return FunnelAttemptRow(
        site=visitor.site,
        funnel=attempt.funnel.name,
        attempt_id=attempt.attempt_id,
        visitor_id=visitor.visitor_id,
        started_at=from_ms(attempt.started),
        version=0,
        funnel_version=attempt.funnel.version,
        session_id=began_in.session_id,
        steps=[step.name for step in steps],
        step_times=[*times, *([None] * (len(steps) - len(times)))],
        step_reached=len(times),
        step_name=steps[len(times) - 1].name,
        last_step_at=times[-1],
        value=attempt.value,
        friction=count_signals(on_step),
        errors=by_class,
        first_cause=cause,
        first_cause_at=from_ms(cause_order[0]) if cause else None,
        device=traits.device,
        browser=traits.browser,
        os=traits.os,
        country=traits.country,
        release=traits.release,
        is_bot=_is_bot(began_in.facts),
    )


def _count(counted: dict[CohortKey, tuple[int, int]], key: CohortKey, *, passed: bool) -> None:
    minute = (key[0] - key[0] % _MINUTE_MS, key[1], key[2])
    entered, so_far = counted.get(minute, (0, 0))
    counted[minute] = (entered + 1, so_far + passed)


def _count_steps(counted: dict[CohortKey, tuple[int, int]], attempt: Attempt) -> None:
    """Each step entered, by the minute of entry; passed when the next came before the step counts as stalled."""
    stall_ms = attempt.funnel.stall_after_s * 1000
    for i, fact in enumerate(attempt.reached[: len(attempt.funnel.steps) - 1]):
        following = attempt.reached[i + 1].ts if i + 1 < len(attempt.reached) else None
        passed = following is not None and following - fact.ts <= stall_ms
        _count(counted, (fact.ts, attempt.funnel.name, i), passed=passed)


def _session_final_at(session: Session, rules: Rules) -> int:
    """Receipt time (Unix ms) after which no late fact can change `session`."""
    return session.last_received + rules.link_ms + rules.lateness_ms


def _attempt_final_at(attempt: Attempt, rules: Rules) -> int:
    """Receipt time (Unix ms) after which nothing can change `attempt`: no step within its window, however late."""
    window_ms = int(attempt.funnel.window_h * 3_600_000)
    return attempt.quiet_received + rules.link_ms + window_ms + rules.lateness_ms


def _cut(
    facts: Sequence[Fact], sessions: Sequence[Session], attempts: Sequence[Attempt], frontier: int, rules: Rules
) -> int | None:
    """The event time before which nothing can change any more: sessions and attempts that are final.

    A final one that reaches past the cut is kept whole, and so moves the cut back to its own start.
    """
    if not facts:
        return None
    spans: list[tuple[int, int]] = []
    cut = facts[-1].ts + 1
    for session in sessions:
        spans.append((session.started, session.ended))
        if frontier < _session_final_at(session, rules):
            cut = min(cut, session.started)
    for attempt in attempts:
        spans.append((attempt.started, attempt.last_seen))
        if frontier < _attempt_final_at(attempt, rules):
            cut = min(cut, attempt.started)
    moved = True
    while moved:
        moved = False
        for start, end in spans:
            if start < cut <= end:
                cut, moved = start, True
    return cut if cut > facts[0].ts else None
