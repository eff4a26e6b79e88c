"""When nothing can change any more: sessions and attempts past their lateness, and the facts that only those need."""

from __future__ import annotations

from collections.abc import Sequence

from processors.domain.fact import Fact
from processors.domain.funnels.attempt import Attempt
from processors.domain.rules import Rules
from processors.domain.session import Session


def session_final_at(session: Session, rules: Rules) -> int:
    """Receipt time (Unix ms) after which no late fact can change `session`."""
    return session.last_received + rules.link_ms + rules.lateness_ms


def attempt_final_at(attempt: Attempt, rules: Rules) -> int:
    """Receipt time (Unix ms) after which nothing can change `attempt`: no step within its window, however late."""
    return attempt.quiet_received + rules.link_ms + attempt.plan.window_ms + rules.lateness_ms


def final_before(
    facts: Sequence[Fact], sessions: Sequence[Session], attempts: Sequence[Attempt], frontier: int, rules: Rules
) -> int | None:
    """The event time before which nothing can change any more: sessions and attempts that are final.

    A final one that reaches past the cut is kept whole, and so moves the cut back to its own start.
    """
    if not facts or (len(sessions) == 1 and frontier < session_final_at(sessions[0], rules)):  # by far the most
        return None
    spans: list[tuple[int, int]] = []
    cut = facts[-1].ts + 1
    for session in sessions:
        spans.append((session.started, session.ended))
        if frontier < session_final_at(session, rules):
            cut = min(cut, session.started)
    for attempt in attempts:
        spans.append((attempt.started, attempt.last_seen))
        if frontier < attempt_final_at(attempt, rules):
            cut = min(cut, attempt.started)
    moved = True
    while moved:
        moved = False
        for start, end in spans:
            if start < cut <= end:
                cut, moved = start, True
    return cut if cut > facts[0].ts else None
