"""Write keys: which site a request speaks for."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import parse_qs


class WriteKeys:
    """Finds the site of a request. A key comes by `Authorization: Basic`, `X-Write-Key` or the query's `writeKey`."""

    def __init__(self, sites: Mapping[str, str]) -> None:
        """`sites`: site name by write key."""
        self._sites = {key.encode(): site for key, site in sites.items()}
        # What SDKs send, byte for byte, so that the usual request needs one look-up and no decoding.
        self._basic = {b"Basic " + base64.b64encode(key + b":"): site for key, site in self._sites.items()}
        self._query = {b"writeKey=" + key: site for key, site in self._sites.items()}

    def site(self, authorization: bytes, x_write_key: bytes, query: bytes) -> str | None:
        """The site of the first way that carries a key; None if that key is unknown or no way does."""
        if authorization:
            return self._basic.get(authorization) or self._sites.get(_user_of_basic(authorization))
        if x_write_key:
            return self._sites.get(x_write_key.strip())
        if query:
            if site := self._query.get(query):
                return site
            keys = parse_qs(query).get(b"writeKey")
            return self._sites.get(keys[0]) if keys else None
        return None


def _user_of_basic(authorization: bytes) -> bytes:
    scheme, _, credentials = authorization.strip().partition(b" ")
    if scheme.lower() != b"basic":
        return b""
    try:
        return base64.b64decode(credentials.strip(), validate=True).partition(b":")[0]
    except (binascii.Error, ValueError):
        return b""
