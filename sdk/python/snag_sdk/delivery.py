"""A batch on its way: what its request is, and what each answer means for it. No I/O, no waiting."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from snag_sdk.errors import BadAnswerError, EventRefusedError, OnError, SnagError
from snag_sdk.retry import RetryPolicy, outcome
from snag_sdk.transport import Answer

_log = logging.getLogger("snag_sdk")


@dataclass
class Delivery:
    """One batch of encoded events until it is delivered or given up."""

    events: Sequence[bytes]
    policy: RetryPolicy
    on_error: OnError
    tries: int = field(default=0)

    def body(self) -> bytes:
        """The request's body. `sent_at` is now, so that the collector can tell how far our clock is off."""
        sent_at = datetime.now(UTC).isoformat(timespec="milliseconds").encode()
        return b'{"sent_at":"' + sent_at + b'","batch":[' + b",".join(self.events) + b"]}"

    def after(self, answer: Answer) -> float | None:
        """Take in the answer to a try: seconds until the next, or None when the batch is done with.

        What is lost is told to `on_error`: single events that the collector refused, or the whole batch.
        """
        self.tries += 1
        result = outcome(answer.status)
        if result == "sent":
            self._tell_rejected(answer.rejected)
            return None
        wait_s = None
        if result == "retry":
            wait_s = self.policy.wait_s(self.tries, answer.retry_after_s, random.random)
        if wait_s is None:
            said = f"answered {answer.status}" if answer.status else "could not be reached"
            error = BadAnswerError(f"the collector {said} after {self.tries} tries: {answer.detail}".rstrip(": "))
            tell(self.on_error, error, self.events)
        return wait_s

    def _tell_rejected(self, verdicts: Sequence[dict[str, Any]]) -> None:
        for verdict in verdicts:
            index = verdict.get("index")
            if isinstance(index, int) and 0 <= index < len(self.events):
                code, where, why = (verdict.get(name, "") for name in ("code", "field", "message"))
                text = f"the collector refused an event: {code} {where}: {why}"
                tell(self.on_error, EventRefusedError(text), self.events[index : index + 1])


def tell(on_error: OnError, error: SnagError, events: Sequence[bytes]) -> None:
    """Call `on_error` with the events as dicts; what it raises must not stop the delivery of others."""
    try:
        on_error(error, [json.loads(event) for event in events])
    except Exception:
        _log.exception("on_error failed")
