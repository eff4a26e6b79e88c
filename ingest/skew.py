"""Client clocks that are wrong: corrected only when far off, and never so that one client's events change order.

What a request shows of a clock is its error plus the request's delay (`received_at - sent_at`). Correcting each request
by what it shows would so reorder events by the delays (PostHog/posthog#98250). Hence:

- nothing is corrected up to THRESHOLD;
- a correction is a whole multiple of STEP, so that two collectors, or one before and after a restart, mostly agree
  (PostHog's session replay rounds to five minutes too);
- and it stays as it was for a client while its requests show the same clock within MAX_DELAY. Of clients with good
  clocks, nearly all, nothing is remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from ingest.draft import Draft

THRESHOLD: Final = timedelta(minutes=5)
STEP: Final = THRESHOLD
MAX_DELAY: Final = THRESHOLD / 2
"""A request that takes longer is given up by every client; a clock that jumps by more was set."""

_REMEMBERED: Final = 50_000  # clients with wrong clocks at a time; some 10 MB
_NONE: Final = timedelta()

Shift = Callable[[Draft], timedelta]
"""What to add to the client's time of an event."""


class ClockSkews:
    """Remembers the corrections of clients with wrong clocks."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[timedelta, timedelta]] = {}

    def of(self, site: str, sent_at: datetime | None, received_at: datetime, *, otherwise: str) -> Shift | None:
        """How to correct the events of a request; None when its clock is good or it says nothing of it.

        A client is known by the event's visitor, session or user, else by `otherwise`, the request's address.
        """
        if sent_at is None:
            return None
        behind = received_at - sent_at
        if -MAX_DELAY <= behind <= MAX_DELAY:
            return None

        def shift(sent: Draft) -> timedelta:
            who = sent.visitor_id or sent.session_id or sent.user_id or otherwise
            return self._shift((site, who), behind) if who else _rounded(behind)

        return shift

    def _shift(self, client: tuple[str, str], behind: timedelta) -> timedelta:
        known = self._known.get(client)
        if known is not None and abs(behind - known[0]) <= MAX_DELAY:
            return known[1]
        if known is None and len(self._known) >= _REMEMBERED:
            del self._known[next(iter(self._known))]
        shift = _rounded(behind)
        self._known[client] = (behind, shift)
        return shift


def _rounded(behind: timedelta) -> timedelta:
    return STEP * round(behind / STEP) if abs(behind) > THRESHOLD else _NONE
