"""The row of a friction signal: where it was, which rule found it, and what that rule measured."""

from __future__ import annotations

import msgspec

from processors.domain.friction.signal import Signal
from schemas.event import from_ms
from schemas.rows import FrictionSignalRow, SessionRow
from schemas.rules import FrictionRule

_evidence = msgspec.json.Encoder(order="deterministic")


def signal_row(signal: Signal, who: str, session: SessionRow, rule: FrictionRule) -> FrictionSignalRow:
    """The row of a `signal` that `rule` found in the session with the row `session`; `who` names the visitor.

    Its time is that of the fact that names it, so that no later fact moves the row. Left to the caller: its version.
    """
    return FrictionSignalRow(
        site=session.site,
        signal=signal.signal,
        signal_id=signal.signal_id(who),
        ts=from_ms(signal.first.ts),
        visitor_id=session.visitor_id,
        version=0,
        rule_version=rule.version,
        session_id=session.session_id,
        path=signal.first.path,
        page=signal.first.page,
        element=signal.first.element,
        evidence=_evidence.encode({**signal.evidence, "thresholds": rule.thresholds}).decode(),
        is_bot=session.is_bot,
    )
