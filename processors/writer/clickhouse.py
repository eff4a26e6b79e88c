"""The connection to ClickHouse's HTTP interface, the same for the server and the embedded engine."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver import Client

from schemas.settings import ClickHouseSettings

_CONNECT_TIMEOUT_S: Final = 5
_ANSWER_TIMEOUT_S: Final = 60  # the largest insert takes a second or two; longer means that it will not come


def connect(settings: ClickHouseSettings, *, database: str | None = None) -> Client:
    """A client for `database` (the configured one if None). It may be used from several threads.

    Raises clickhouse_connect's DatabaseError when ClickHouse does not answer or refuses user or database.
    """
    url = urlsplit(settings.url)
    secure = url.scheme == "https"
    return clickhouse_connect.get_client(
        host=url.hostname,
        port=url.port or (8443 if secure else 8123),
        secure=secure,
        username=settings.user,
        password=settings.password.get_secret_value(),
        database=database or settings.database,
        connect_timeout=_CONNECT_TIMEOUT_S,
        send_receive_timeout=_ANSWER_TIMEOUT_S,
        autogenerate_session_id=False,  # a session runs one query at a time; inserts of tables run side by side
        client_name="snag-writer",
    )
