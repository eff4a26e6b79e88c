"""From a visitor's facts to rows: sessions, funnel attempts and friction signals, all at once and from scratch.

Recomputing from the set is what makes rows exact under disorder, repeats and crashes; facts of one visitor are few.
A version is the length of the row's stretch of facts * 16 + the stage of life, so it rises with every fact that may
change the row and with every change made by silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

from processors.domain.fact import Fact
from processors.domain.finality import attempt_final_at, final_before, session_final_at
from processors.domain.friction.row import signal_row
from processors.domain.friction.signal import Signal
from processors.domain.funnels.attempt import Attempt, find_attempts
from processors.domain.funnels.cohort import ONE, ONE_WITH_ERROR, SESSIONS, CohortKey, Tally, add, count_attempt
from processors.domain.funnels.patience import StepTimes
from processors.domain.funnels.row import attempt_row
from processors.domain.funnels.standing import standing
from processors.domain.rules import Rules
from processors.domain.session import Session, sessionise
from processors.domain.session_row import (
    CHECKOUT_FUNNEL,
    Traits,
    session_row,
    tell_checkout,
    traits_of,
)
from processors.domain.stretch import Stretch, find_stretches, length_at
from processors.domain.visitor import ATTEMPT, SESSION, SIGNAL, RowId, Visitor
from schemas.event import from_ms
from schemas.products import RATES
from schemas.rows import FrictionSignalRow, FunnelAttemptRow, SessionRow

Row = SessionRow | FunnelAttemptRow | FrictionSignalRow

_STAGES: Final = 16  # room for the stages of life between two facts: 6 of a session, 8 of an attempt
_STAGE_DELETED: Final = _STAGES - 1


class StepTime(NamedTuple):
    """A step newly passed: (funnel, its version, step index), how long it took, and when that was known (Unix ms)."""

    step: tuple[str, int, int]
    seconds: float
    received: int


@dataclass(slots=True)
class Snapshot:
    """All rows that hold for a visitor, what it adds to shared counts, and when silence changes something next.

    `next_change`: the least receipt time (Unix ms) at which a row changes or facts may be let go without any new fact.
    `ends`: whether that change is that the whole visitor may be let go.
    `cut`: facts with an earlier event time can never matter again; None when there are none. `patience` and
    `step_times`: how long open attempts may take, and what was learnt of how long steps take.
    """

    rows: dict[RowId, Row] = field(default_factory=dict)
    counted: dict[CohortKey, Tally] = field(default_factory=dict)
    next_change: int | None = None
    ends: bool = False
    cut: int | None = None
    stretches: list[Stretch] = field(default_factory=list)
    patience: dict[str, tuple[int, int]] | None = None
    step_times: list[StepTime] = field(default_factory=list)

    def version(self, at: int, stage: int) -> int:
        """Version of a row whose time is `at` (Unix ms)."""
        return length_at(self.stretches, at) * _STAGES + stage


@dataclass(slots=True)
class _Visit:
    """A session with what is known of it."""

    session: Session
    row: SessionRow
    traits: Traits
    stage: int


def take_snapshot(visitor: Visitor, frontier: int, rules: Rules, times: StepTimes) -> Snapshot:
    """The rows of `visitor` when everything received up to `frontier` (Unix ms) has been seen. Pure.

    `times`: how long steps usually take in this partition.
    """
    facts = visitor.in_order()
    who = visitor.visitor_id or (facts[0].session_id if facts else "")
    snapshot = Snapshot(stretches=_stretches(visitor, facts, rules))
    visits: list[_Visit] = []
    signals: list[Signal] = []
    changes: list[int] = []  # of what is open
    rates = RATES in rules.products
    ends: list[int] = []  # of what has come to rest
    for session in sessionise(who, facts, rules.session):
        found = rules.finders.find(session.facts)
        signals += found
        closes_at = session.last_received + rules.session.idle_ms
        closed = session.superseded or frontier >= closes_at
        if closed:
            ends.append(session_final_at(session, rules))
        else:
            changes.append(closes_at)
        traits = traits_of(session.facts)
        row = session_row(session, found, traits, rules.friction)
        row.site, row.visitor_id = visitor.site, visitor.visitor_id
        row.state = "closed" if closed else "open"
        row.version = snapshot.version(session.started, 0)
        visits.append(_Visit(session, row, traits, int(closed)))
        snapshot.rows[RowId(SESSION, "", row.session_id, session.started)] = row
        if rates and not row.is_bot:
            add(snapshot.counted, session.started, SESSIONS, ONE_WITH_ERROR if row.errors else ONE)
        for signal in found:
            found_row = signal_row(signal, who, row, rules.friction[signal.signal])
            found_row.version = snapshot.version(signal.first.ts, 0)
            snapshot.rows[RowId(SIGNAL, signal.signal, found_row.signal_id, signal.first.ts)] = found_row
    types = {fact.type for fact in facts} if rules.plans else set()
    plans = [plan for plan in rules.plans if plan.may_be_tried_by(types)]
    attempts = [attempt for plan in plans for attempt in find_attempts(who, facts, plan, rules.abandon)]
    if attempts:
        signals.sort(key=lambda signal: (signal.at.order, signal.signal))
        ends += [attempt_final_at(attempt, rules) for attempt in attempts]
        changes += _add_attempts(snapshot, visitor, attempts, visits, facts, signals, frontier, rules, times)
    for visit in visits:
        visit.row.version += visit.stage
    if not changes and ends:
        snapshot.next_change, snapshot.ends = max(ends), True
    else:
        snapshot.next_change = min((at for at in [*changes, *ends] if at > frontier), default=None)
    snapshot.cut = final_before(facts, [visit.session for visit in visits], attempts, frontier, rules)
    return snapshot


def _add_attempts(  # noqa: PLR0917  a part of take_snapshot
    snapshot: Snapshot,
    visitor: Visitor,
    attempts: Sequence[Attempt],
    visits: Sequence[_Visit],
    facts: Sequence[Fact],
    signals: Sequence[Signal],
    frontier: int,
    rules: Rules,
    times: StepTimes,
) -> list[int]:
    """Add the attempts' rows and counts; the receipt times (Unix ms) at which silence changes them next."""
    changes: list[int] = []
    visit_of = {fact.event_id: visit for visit in visits for fact in visit.session.facts}
    for attempt in attempts:
        patience_ms = _patience_ms(visitor, attempt, rules, times)
        now = standing(attempt, frontier, patience_ms, rules.abandon)
        if now.next_change is not None:
            changes.append(now.next_change)
        if now.undecided:
            snapshot.patience = snapshot.patience or {}
            snapshot.patience[attempt.attempt_id] = (attempt.step, patience_ms)
        began_in = visit_of[attempt.reached[0].fact.event_id]
        row = attempt_row(attempt, now, patience_ms, facts, signals)
        _describe(row, visitor, began_in)
        row.version = snapshot.version(attempt.started, now.stage)
        snapshot.rows[RowId(ATTEMPT, row.funnel, row.attempt_id, attempt.started)] = row
        if attempt.funnel.name == CHECKOUT_FUNNEL:
            for visit in {id(v): v for v in (visit_of[r.fact.event_id] for r in attempt.reached)}.values():
                visit.stage = tell_checkout(visit.row, attempt, now) * 2 + (visit.row.state == "closed")
        if not row.is_bot:
            count_attempt(snapshot.counted, attempt, now)
            snapshot.step_times += _passed(attempt, visitor.learnt, rules)
    return changes


def _patience_ms(visitor: Visitor, attempt: Attempt, rules: Rules, times: StepTimes) -> int:
    """How long the step where `attempt` stands may take: what was known when the visitor reached it."""
    known = (visitor.patience or {}).get(attempt.attempt_id)
    if known is not None and known[0] == attempt.step:
        return known[1]
    return times.patience_ms(visitor.site, attempt.funnel, attempt.step, rules.abandon.abandon_ms)


def _passed(attempt: Attempt, learnt: int, rules: Rules) -> list[StepTime]:
    """Steps passed by facts received after `learnt` (Unix ms), unless the visitor had gone away in between."""
    funnel = attempt.funnel
    found: list[StepTime] = []
    for before, after in pairwise(attempt.reached):
        took_ms = after.fact.ts - before.fact.ts
        if after.fact.received > learnt and took_ms <= rules.abandon.abandon_ms:
            found.append(StepTime((funnel.name, funnel.version, before.step), took_ms / 1000, after.fact.received))
    return found


def _describe(row: FunnelAttemptRow, visitor: Visitor, began_in: _Visit) -> None:
    """Describe an attempt by the session it began in: what other sessions say may be gone before it is."""
    traits = began_in.traits
    row.site, row.visitor_id = visitor.site, visitor.visitor_id
    row.session_id, row.is_bot = began_in.row.session_id, began_in.row.is_bot
    row.device, row.browser, row.os = traits.device, traits.browser, traits.os
    row.country, row.release = traits.country, traits.release


def _stretches(visitor: Visitor, facts: Sequence[Fact], rules: Rules) -> list[Stretch]:
    """The stretches of a visitor's `facts` (in event order); how far one alone reaches is of no account."""
    if facts and visitor.before is None and facts[-1].ts - facts[0].ts <= rules.link_ms:  # by far the most
        return [Stretch(facts[0].ts, len(facts), facts[-1].ts + rules.link_ms)]
    return find_stretches(facts, visitor.before, rules.link_ms, rules.window_after)


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
