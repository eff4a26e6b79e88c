"""Whether ClickHouse answers: what the writer's readiness depends on beside its partitions."""

from __future__ import annotations

from typing import Final

import urllib3

from processors.health import Check

_PING_TIMEOUT_S: Final = 2.0


def clickhouse_answers(url: str) -> Check:
    """A check that ClickHouse at `url` answers its ping."""
    pool = urllib3.PoolManager(timeout=_PING_TIMEOUT_S, retries=False)

    def check() -> str:
        try:
            answer = pool.request("GET", f"{url.rstrip('/')}/ping")
        except urllib3.exceptions.HTTPError as error:
            return (
                f"ClickHouse does not answer at {url} ({type(error).__name__}). Start it, or set SNAG_CLICKHOUSE__URL."
            )
        return "" if answer.status == 200 else f"ClickHouse at {url} answers its ping with {answer.status}."

    return check
