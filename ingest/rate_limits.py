"""Rate limits: how many requests one write key and one client may send; off unless the settings name a limit."""

from __future__ import annotations

import math
import time
from ipaddress import IPv6Address, ip_network
from typing import Final

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from ingest.addresses import read_address
from ingest.refusal import RequestError
from schemas.settings import LimitSettings

_IPV6_CLIENT_BITS: Final = 64  # one household or server has a whole /64 to choose addresses from
_MAX_CLIENTS: Final = 200_000  # counted in one window; some 70 MB


class RateLimits:
    """Counts requests of this process in fixed windows, so that `Retry-After` is exact: then the client is served."""

    def __init__(self, settings: LimitSettings) -> None:
        self._per_key = _limit(settings.requests_per_key)
        self._per_ip = _limit(settings.requests_per_ip)
        self._clients = MemoryStorage()
        self._by_ip = FixedWindowRateLimiter(self._clients)
        self._by_key = FixedWindowRateLimiter(MemoryStorage())

    def check_ip(self, ip: str) -> None:
        """Count one request from the address `ip`. Raises RequestError (429) when it is one too many."""
        if self._per_ip is not None and ip:
            if len(self._clients.expirations) >= _MAX_CLIENTS:  # somebody has addresses without end: all begin anew
                self._clients.reset()
            _hit(self._by_ip, self._per_ip, _client(ip), f"This address may send {self._per_ip}.")

    def check_key(self, key: bytes) -> None:
        """Count one request with the write key `key`. Raises RequestError (429) when it is one too many."""
        if self._per_key is not None:
            _hit(self._by_key, self._per_key, key.decode("latin-1"), f"This write key may send {self._per_key}.")


def _hit(limiter: FixedWindowRateLimiter, limit: RateLimitItem, who: str, detail: str) -> None:
    if not limiter.hit(limit, who):
        wait_s = limiter.get_window_stats(limit, who).reset_time - time.time()
        raise RequestError("rate_limited", detail, retry_after_s=max(1, math.ceil(wait_s)))


def _limit(text: str) -> RateLimitItem | None:
    return parse(text) if text else None


def _client(ip: str) -> str:
    """What counts as one client: an IPv4 address, an IPv6 network."""
    address = read_address(ip)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _IPV6_CLIENT_BITS), strict=False))
    return ip
