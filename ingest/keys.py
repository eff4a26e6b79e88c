"""Write keys: which site a request speaks for."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import Final

_DIGEST_BYTES: Final = 16


class WriteKeys:
    """Finds the site of a write key, in a time that says nothing about the keys there are."""

    def __init__(self, sites: Mapping[str, str]) -> None:
        """`sites`: site name by write key."""
        self._secret = os.urandom(hashlib.blake2b.MAX_KEY_SIZE)
        self._sites = {self._digest(key.encode()): (key.encode(), site) for key, site in sites.items()}

    def site(self, key: bytes) -> str | None:
        """The site of `key`; None if it is unknown."""
        found = self._sites.get(self._digest(key))
        return found[1] if found is not None and hmac.compare_digest(found[0], key) else None

    def _digest(self, key: bytes) -> bytes:
        """What the look-up compares: under a secret, so that a guess near a key looks like any other."""
        return hashlib.blake2b(key, key=self._secret, digest_size=_DIGEST_BYTES).digest()
