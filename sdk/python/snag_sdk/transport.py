"""One HTTP connection to the collector, kept open between batches. Standard library only."""

from __future__ import annotations

import base64
import contextlib
import gzip
import http.client
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from snag_sdk.retry import read_retry_after

_GZIP_LEVEL: Final = 5  # measured on 100 events: 1 % larger than level 9 in half the time
_ANSWER_MAX_BYTES: Final = (
    16 * 1024 * 1024
)  # an answer names refused events; more than a batch's worth is no answer of ours


@dataclass(frozen=True)
class Answer:
    """The collector's answer. `status` 0: none came, `detail` says why. `rejected`: its verdicts on single events."""

    status: int
    detail: str = ""
    retry_after_s: float | None = None
    rejected: list[dict[str, Any]] = field(default_factory=list)


class Transport:
    """Posts batches. Not thread-safe: one sender owns it; after a fork the child must make its own."""

    def __init__(self, host: str, write_key: str, *, path: str, timeout_s: float, compress: bool) -> None:
        parts = urlsplit(host if "//" in host else f"https://{host}")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"host {host!r} is no address. Give the collector's, such as https://t.shop.example.")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._path = f"{parts.path.rstrip('/')}{path}"
        self._timeout_s = timeout_s
        self._compress = compress
        self._headers = {
            "Authorization": "Basic " + base64.b64encode(f"{write_key}:".encode()).decode(),
            "Content-Type": "application/json",
            "User-Agent": "snag-sdk-python/0.1.0",
        }
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes) -> Answer:
        """Send one body and read the answer; a connection that breaks or times out is an Answer of status 0."""
        headers = self._headers
        if self._compress:
            body = gzip.compress(body, _GZIP_LEVEL)
            headers = {**headers, "Content-Encoding": "gzip"}
        try:
            connection = self._connection = self._connection or self._connect()
            connection.request("POST", self._path, body, headers)
            response = connection.getresponse()
            data = response.read(_ANSWER_MAX_BYTES)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Answer(0, f"{type(error).__name__}: {error}")
        if response.will_close:
            self.close()
        retry_after_s = read_retry_after(response.getheader("Retry-After"), datetime.now(UTC))
        said = _read(data)
        rejected = said.get("rejected")
        return Answer(
            response.status,
            " ".join(str(said[name]) for name in ("message", "detail", "fix") if said.get(name)),
            retry_after_s,
            [verdict for verdict in rejected if isinstance(verdict, dict)] if isinstance(rejected, list) else [],
        )

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        return kind(self._host, self._port, timeout=self._timeout_s)

    def close(self) -> None:
        """Close the connection; the next post opens another."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.close()
            self._connection = None


def _read(data: bytes) -> dict[str, Any]:
    try:
        said = json.loads(data)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
