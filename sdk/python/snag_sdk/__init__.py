"""Snag for Python: queue events without blocking, deliver each of them once."""

from snag_sdk.aio import AsyncClient
from snag_sdk.client import Client
from snag_sdk.errors import BadAnswerError, EventRefusedError, QueueFullError, SnagError

__all__ = ["AsyncClient", "BadAnswerError", "Client", "EventRefusedError", "QueueFullError", "SnagError"]
