"""What can go wrong with an event; each reaches the `on_error` callback, none is raised into the caller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

SHUT_DOWN: Final = "the client was shut down while the collector was away"


class SnagError(Exception):
    """Events that will not be delivered, and why. The text names the cause and the fix."""


class QueueFullError(SnagError):
    """The queue held `max_queue_size` events already: the collector is away or slower than the events come."""


class EventRefusedError(SnagError):
    """An event that cannot be sent, or that the collector refused: its code, field and message are in the text."""


class BadAnswerError(SnagError):
    """The collector could not be reached, or refused whole requests, until the retries were used up."""


OnError = Callable[[SnagError, Sequence[dict[str, Any]]], None]
"""Called with the reason and the events that are lost to it, on the sending thread."""
