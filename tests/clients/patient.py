"""HTTP as programs without a vendor's library speak it: `patient` tries again as it is told, `once` does not."""

from __future__ import annotations

import urllib3
from urllib3.util import Retry

_TRIES = 20
_BACKOFF_S = 0.1
_BACKOFF_MAX_S = 1.0
_TIMEOUT_S = 30

_AGAIN = Retry(
    total=_TRIES,
    status_forcelist=(429, 503),
    allowed_methods=None,  # POST too: the events carry ids
    backoff_factor=_BACKOFF_S,
    backoff_max=_BACKOFF_MAX_S,
)
_POOL = urllib3.PoolManager(timeout=_TIMEOUT_S)


def patient(method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> bool:
    """Send until it is taken; False if it was given up."""
    return _sent(method, url, body, headers, _AGAIN)


def once(method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> bool:
    """Send, whatever becomes of it; False if it was not taken."""
    return _sent(method, url, body, headers, Retry(0))


def _sent(method: str, url: str, body: bytes | None, headers: dict[str, str] | None, retries: Retry) -> bool:
    try:
        answer = _POOL.request(method, url, body=body, headers=headers, retries=retries)
    except urllib3.exceptions.HTTPError:
        return False
    return answer.status < 300
