"""One insert into one table over HTTP."""

from __future__ import annotations

import threading
from typing import Final

from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import Error

from processors.writer.clickhouse import connect
from processors.writer.failure import refusal_in
from schemas.settings import ClickHouseSettings

# Said with every insert, since the defaults of two of them changed in 26.2.
INSERT_SETTINGS: Final = {
    "async_insert": 0,  # an answered insert is in the table
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    # Repeats within one insert go the way of all others, with a merge, and FINAL leaves them out until then: 1.3 to 2
    # times the rows a second, measured on 200,000 events.
    "optimize_on_insert": 0,
    "date_time_input_format": "best_effort",  # ISO 8601 with a Z
    "input_format_skip_unknown_fields": 1,  # a newer producer's field never stops an older table
    "max_partitions_per_insert_block": 0,  # hostile timestamps spread over any number of months
}


class UnavailableError(Exception):
    """ClickHouse did not take an insert, for a reason that is not in its rows. The same insert may succeed later."""


class Inserter:
    """Inserts JSON lines into the tables of one database. Connects when first needed; many threads may call it."""

    def __init__(self, settings: ClickHouseSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._client: Client | None = None

    def insert(self, table: str, body: bytes, token: str) -> None:
        """Insert `body` (JSONEachRow) into `table`; the rows are in the table when this returns.

        Raises RowsRefusedError when a row is at fault, UnavailableError when anything else is.
        """
        try:
            self._connected().raw_insert(
                table,
                insert_block=body,
                fmt="JSONEachRow",
                settings={**INSERT_SETTINGS, "insert_deduplication_token": token},
            )
        except Error as error:
            if refusal := refusal_in(error):
                raise refusal from error
            raise UnavailableError(f"{error.name or type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()

    def _connected(self) -> Client:
        with self._lock:
            if self._client is None:
                self._client = connect(self._settings)
            return self._client
