"""What is refused, as values: one event, or a whole request."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.openapi import EVENT_CODES, REQUEST_CODES, EventCode, Problem, RequestCode


@dataclass(frozen=True)
class Refusal:
    """One event that is not taken: which rule it broke (`code`), where (`field`), what was seen (`cause`)."""

    code: EventCode
    field: str
    cause: str
    event_id: str = ""

    @property
    def message(self) -> str:
        """What is wrong and how to mend it."""
        return f"{self.cause} {EVENT_CODES[self.code]}"


class RequestError(Exception):
    """A request that is refused as a whole. `detail` is what was seen; `retry_after_s` is told to the client.

    `unreadable` holds the body when it should be kept in the `rejected` topic.
    """

    def __init__(
        self, code: RequestCode, detail: str = "", *, retry_after_s: int | None = None, unreadable: bytes | None = None
    ) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.unreadable = unreadable

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return REQUEST_CODES[self.code].status

    def problem(self) -> Problem:
        """The body of the answer."""
        refusal = REQUEST_CODES[self.code]
        message = f"{refusal.message} {refusal.fix}"
        return Problem(code=self.code, message=message, detail=self.detail, error=message)
