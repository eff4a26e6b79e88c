"""Asking ClickHouse over its HTTP interface, with answers in ClickHouse's own formats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec

from snag.errors import PartUnreachable, SnagError

_TIMEOUT_S: Final = 300.0  # an analyst's query may take minutes; Ctrl-C ends it sooner
_CHUNK_BYTES: Final = 1 << 16
_SETTINGS: Final = {"output_format_json_quote_64bit_integers": "0"}


class ClickHouseError(SnagError):
    """ClickHouse refused the query; the text is its own."""


class ClickHouseUnreachable(PartUnreachable):
    """Nobody listens at ClickHouse's address."""


@dataclass(frozen=True)
class Answer:
    """The answer to one query, to be read once: `format` is what ClickHouse says it wrote, "" where it says nothing."""

    format: str
    _response: HTTPResponse

    def chunks(self) -> Iterator[bytes]:
        """The body in pieces, as it comes. Raises ClickHouseError when it breaks off."""
        try:
            while chunk := self._response.read(_CHUNK_BYTES):
                yield chunk
        except (OSError, HTTPException) as error:
            raise ClickHouseError(f"The answer broke off: {error or type(error).__name__}") from error

    def read(self) -> bytes:
        """The whole body. Raises ClickHouseError when it breaks off."""
        return b"".join(self.chunks())


class ClickHouse:
    """Queries to `url` as `user`, each on a connection of its own; `database` is where bare table names live."""

    def __init__(self, url: str, *, database: str, user: str = "default", password: str = "") -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        self.url = url
        self._host, self._port, self._path = parts.hostname or "", parts.port, parts.path or "/"
        self._https = parts.scheme == "https"
        self._database = database
        self._headers = {"X-ClickHouse-User": user, "Connection": "close"}
        if password:
            self._headers["X-ClickHouse-Key"] = password

    def query(self, sql: str, *, default_format: str, parameters: Mapping[str, str] | None = None) -> Answer:
        """Run `sql`; `default_format` holds unless it has a FORMAT clause. `parameters` fill `{name:Type}`.

        Raises ClickHouseError with ClickHouse's own text, ClickHouseUnreachable.
        """
        arguments = {"database": self._database, "default_format": default_format, **_SETTINGS}
        arguments |= {f"param_{name}": value for name, value in (parameters or {}).items()}
        connection = (HTTPSConnection if self._https else HTTPConnection)(self._host, self._port, timeout=_TIMEOUT_S)
        try:
            connection.request("POST", f"{self._path}?{urlencode(arguments)}", sql.encode(), self._headers)
            response = connection.getresponse()
            if response.status != 200:
                raise ClickHouseError(response.read().decode(errors="replace").strip())
        except ConnectionRefusedError as error:
            connection.close()
            raise ClickHouseUnreachable(f"No ClickHouse listens at {self.url}.") from error
        except (OSError, HTTPException) as error:
            connection.close()
            raise ClickHouseError(f"{self.url}: the connection failed: {error or type(error).__name__}") from error
        return Answer(response.headers.get("X-ClickHouse-Format", ""), response)

    def rows(self, sql: str, parameters: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """The rows of `sql` as objects, 64-bit integers as numbers. Raises as `query` does."""
        found = msgspec.json.decode(self.query(sql, default_format="JSON", parameters=parameters).read())
        rows: list[dict[str, Any]] = found["data"]
        return rows
