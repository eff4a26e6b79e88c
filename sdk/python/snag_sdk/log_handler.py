"""A handler for `logging`: what a program logs as an error becomes an error event."""

from __future__ import annotations

import logging
from typing import Any, Final

from snag_sdk.event import exception_fields
from snag_sdk.events_api import EventsApi

_OWN: Final = "snag_sdk"


class SnagHandler(logging.Handler):
    """`logging.getLogger().addHandler(SnagHandler(client))`: records of level ERROR and above, with their traceback.

    Ids of the visitor may stand on the record: `log.error("..", extra={"visitor_id": "v1"})`.
    """

    def __init__(self, client: EventsApi, level: int = logging.ERROR) -> None:
        super().__init__(level)
        self._client = client

    def emit(self, record: logging.LogRecord) -> None:
        """Queue one record. The SDK's own are left out: a collector that is away must not feed itself."""
        if record.name.partition(".")[0] == _OWN:
            return
        try:
            self._report(record)
        except Exception:  # such as arguments that do not fit the message: told as every handler of `logging` does
            self.handleError(record)

    def _report(self, record: logging.LogRecord) -> None:
        props: dict[str, Any] = {"logger": record.name, "level": record.levelname.lower()}
        if record.exc_info and record.exc_info[1] is not None:
            props |= exception_fields(record.exc_info[1])[1]
        ids = {name: getattr(record, name, None) for name in ("visitor_id", "session_id", "user_id")}
        self._client.track("server_error", kind="error", message=record.getMessage(), props=props, **ids)
