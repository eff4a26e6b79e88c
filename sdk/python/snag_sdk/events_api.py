"""The calls that make events, the same on every kind of client."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import Any

from snag_sdk.delivery import tell
from snag_sdk.errors import EventRefusedError, SnagError
from snag_sdk.event import encode, exception_fields, make_event
from snag_sdk.options import Options


class EventsApi(ABC):
    """`track` and its relatives. None of them blocks or raises: a loss goes to `on_error`."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def track(self, event: str, *, props: dict[str, Any] | None = None, **fields: Any) -> bool:
        """Something happened: `track("checkout_started", visitor_id="v1", session_id="s1", props={"value": 50})`.

        `fields`: visitor_id, session_id, user_id, event_id, timestamp, url, path, referrer, title, message, release,
        .. as in the collector's schema. True when it was queued (in `sync_mode`: when it is on its way for good).
        """
        if not self.options.enabled:
            return False
        try:
            made = make_event(event, props=props, **fields)
            if self.options.release and "release" not in made:
                made["release"] = self.options.release
            sent = self.options.before_send(made) if self.options.before_send else made
            if sent is None:
                return False
            return self._enqueue(encode(sent))
        except SnagError as error:
            tell(self.options.on_error, error, [])
        except Exception as error:  # a wrong argument or a failing before_send must not break the program around us
            tell(self.options.on_error, EventRefusedError(f"event {event!r} could not be made: {error!r}."), [])
        return False

    def page(self, url: str, *, props: dict[str, Any] | None = None, **fields: Any) -> bool:
        """A page was viewed."""
        return self.track("page_view", url=url, props=props, **fields)

    def identify(self, visitor_id: str, user_id: str, *, traits: dict[str, Any] | None = None, **fields: Any) -> bool:
        """The visitor is known to be this user from now on."""
        return self.track("identify", visitor_id=visitor_id, user_id=user_id, props=traits, **fields)

    def capture_exception(
        self, error: BaseException | None = None, *, props: dict[str, Any] | None = None, **fields: Any
    ) -> bool:
        """An exception (by default the one being handled): its class, message and frames, no values of variables."""
        error = error if error is not None else sys.exc_info()[1]
        if error is None:
            return False
        message, details = exception_fields(error)
        fields = {"kind": "error", "message": message, **fields}
        return self.track(fields.pop("type", "server_error"), props={**details, **(props or {})}, **fields)

    @abstractmethod
    def _enqueue(self, event: bytes) -> bool:
        """Take an encoded event; False when there is no room."""
