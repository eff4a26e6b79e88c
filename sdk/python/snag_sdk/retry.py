"""When to send again. Pure: answers and chances in, seconds out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final, Literal

Outcome = Literal["sent", "retry", "refused"]

# Segment's clients retry these; the rest of 4xx says that the request itself is wrong and stays wrong.
_RETRIED_4XX: Final = frozenset({408, 410, 425, 429, 460})
_FINAL_5XX: Final = frozenset({501, 505, 511})


def outcome(status: int) -> Outcome:
    """What an HTTP status means for a batch; 0 stands for no answer at all."""
    if 200 <= status < 300:
        return "sent"
    if status == 0 or status in _RETRIED_4XX or (status >= 500 and status not in _FINAL_5XX):
        return "retry"
    return "refused"


@dataclass(frozen=True)
class RetryPolicy:
    """Up to `retries` further tries; the wait doubles from `first_s` to at most `longest_s`, half of it by chance."""

    retries: int = 10
    first_s: float = 0.5
    longest_s: float = 60.0

    def wait_s(self, attempt: int, retry_after_s: float | None, chance: Callable[[], float]) -> float | None:
        """Seconds until try `attempt` + 1 (the first is 1), None to give up; `chance` gives numbers from 0 to 1.

        The collector's Retry-After is kept to the letter when it asks for more.
        """
        if attempt > self.retries:
            return None
        doubled = min(self.first_s * 2.0 ** (attempt - 1), self.longest_s)
        wait = doubled * (0.5 + 0.5 * chance())
        return max(wait, retry_after_s) if retry_after_s is not None else wait


def read_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds in a Retry-After header: a number or an HTTP date (RFC 9110, 10.2.3); None if absent or unreadable."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (TypeError, ValueError):
        return None
