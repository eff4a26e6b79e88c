"""A small HTTP client for the collector: batches of encoded events over one kept-alive connection."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

import msgspec

from schemas.openapi import ForgetRequest, Problem, Verdicts
from snag.errors import PartUnreachable, SnagError

EVENTS_PATH: Final = "/v1/events"
FORGET_PATH: Final = "/v1/forget"

_RETRIED: Final = frozenset({429, 502, 503, 504})
_BACKOFF_MAX_S: Final = 5.0  # an operator who restarts a part sees traffic again soon after
_FOREIGN_MAX_CHARS: Final = 500


class CollectorError(SnagError):
    """The batch was not taken; the text names the address, the cause and the fix."""


class CollectorUnreachable(CollectorError, PartUnreachable):
    """Nobody listens at the collector's address."""


class Collector:
    """Sends batches to `url` (scheme, host, port) with `write_key`. Not thread-safe; close it or use `with`.

    429 and 503 are tried again after the Retry-After the collector asks for, a broken connection after a backoff, for
    at most `patience_s` in all per batch. Each event should carry an `event_id`: then a repeat counts once.
    """

    def __init__(
        self,
        url: str,
        write_key: str,
        *,
        timeout_s: float = 30.0,
        patience_s: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CollectorError(f"{url!r} is no collector address. Give one like http://127.0.0.1:8080.")
        self.url = url
        self._base_path = parts.path.rstrip("/")
        connection = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._http = connection(parts.hostname, parts.port, timeout=timeout_s)
        self._headers = {
            "Content-Type": "application/json",
            "Authorization": "Basic " + base64.b64encode(f"{write_key}:".encode()).decode(),
        }
        self._patience_s = patience_s
        self._sleep = sleep
        self._now = now
        self._answered = False

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def send(self, events: Sequence[bytes]) -> Verdicts:
        """Post `events`, each one JSON object, as one batch and return the verdict.

        Raises CollectorUnreachable when nothing ever listened there, CollectorError when the batch was refused or
        the collector stayed unable for `patience_s`.
        """
        return self._verdict(self._answer(EVENTS_PATH, b'{"batch":[' + b",".join(events) + b"]}"))

    def forget(self, *, visitor_id: str = "", user_id: str = "", forget_key: str = "") -> None:
        """Put a visitor or a user on the erase list. Raises as `send` does."""
        if forget_key:
            self._headers["X-Forget-Key"] = forget_key
        self._answer(FORGET_PATH, msgspec.json.encode(ForgetRequest(visitor_id=visitor_id, user_id=user_id)))

    def _answer(self, path: str, body: bytes) -> bytes:
        """The body of the answer 200 to a POST, tried again as the class says."""
        give_up_at = self._now() + self._patience_s
        backoff_s = 0.1
        while True:
            try:
                status, retry_after_s, answer = self._post(path, body)
            except (OSError, HTTPException) as error:
                self._http.close()  # http.client reconnects on the next request
                if not self._answered and isinstance(error, ConnectionRefusedError):
                    raise CollectorUnreachable(f"No collector listens at {self.url}.") from error
                problem, wait_s = f"the connection failed ({error or type(error).__name__})", backoff_s
            else:
                self._answered = True
                if status == 200:
                    return answer
                if status not in _RETRIED:
                    raise CollectorError(f"The collector at {self.url} answered {status}: {_reason(answer)}")
                problem = f"it answered {status}: {_reason(answer)}"
                wait_s = backoff_s if retry_after_s is None else retry_after_s
            if self._now() + wait_s > give_up_at:
                raise CollectorError(
                    f"The collector at {self.url} took nothing for {self._patience_s:g} s; at last {problem}. "
                    "Look at it with: snag status"
                )
            self._sleep(wait_s)
            backoff_s = min(backoff_s * 2, _BACKOFF_MAX_S)

    def _post(self, path: str, body: bytes) -> tuple[int, float | None, bytes]:
        self._http.request("POST", self._base_path + path, body, self._headers)
        response = self._http.getresponse()
        return response.status, _retry_after_s(response), response.read()

    def _verdict(self, answer: bytes) -> Verdicts:
        try:
            return msgspec.json.decode(answer, type=Verdicts)
        except msgspec.MsgspecError as error:
            raise CollectorError(
                f"{self.url} answered 200 but not as a collector does ({error}). Check the address."
            ) from error


def _retry_after_s(response: HTTPResponse) -> float | None:
    """Seconds the server asks to wait; the header holds seconds or a date (RFC 9110, 10.2.3)."""
    value = response.headers.get("Retry-After")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _reason(answer: bytes) -> str:
    """What the collector's problem document says, or the beginning of what some other server said."""
    try:
        problem = msgspec.json.decode(answer, type=Problem)
    except msgspec.MsgspecError:
        return answer[:_FOREIGN_MAX_CHARS].decode(errors="replace") or "no reason given"
    return f"{problem.message} ({problem.detail})" if problem.detail else problem.message
