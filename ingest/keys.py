"""Write keys and origins: which site a request speaks for, and whether a page may."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.settings import SiteSettings


@dataclass(frozen=True, slots=True)
class _Site:
    name: str
    origins: frozenset[bytes]
    suffixes: tuple[
        tuple[bytes, bytes], ...
    ]  # of `https://*.shop.example`: scheme with its slashes, and what follows *

    def allows(self, origin: bytes) -> bool:
        if not self.origins and not self.suffixes:
            return True
        origin = origin.lower()
        return origin in self.origins or any(
            origin.startswith(scheme) and origin.endswith(rest) for scheme, rest in self.suffixes
        )


class WriteKeys:
    """Finds the site of a write key, in a time that says nothing about the keys there are.

    A dict looks at the bytes of a key only where all 64 bits of its hash agree, which is SipHash under a secret of the
    process; so a guess that begins like a key takes as long as any other. What is found is compared in constant time.
    """

    def __init__(self, sites: Sequence[SiteSettings]) -> None:
        self._by_key: dict[bytes, tuple[bytes, _Site]] = {}
        self._by_name: dict[str, _Site] = {}
        self.replace(sites)

    def replace(self, sites: Sequence[SiteSettings]) -> None:
        """Take other sites from now on. A key that two of them share belongs to the first."""
        found: dict[bytes, tuple[bytes, _Site]] = {}
        named: dict[str, _Site] = {}
        for settings in sites:
            site = _site(settings)
            named.setdefault(site.name, site)
            for secret in settings.write_keys:
                key = secret.get_secret_value().encode()
                found.setdefault(key, (key, site))
        self._by_key, self._by_name = found, named

    def site(self, key: bytes) -> str | None:
        """The name of the site of `key`; None if it is unknown."""
        found = self._by_key.get(key)
        return found[1].name if found is not None and hmac.compare_digest(found[0], key) else None

    def allows(self, site: str, origin: bytes) -> bool:
        """Whether a page of `origin` may send events for the site of this name."""
        known = self._by_name.get(site)
        return known is not None and known.allows(origin)

    def allows_for_any(self, origin: bytes) -> bool:
        """Whether a page of `origin` may send events for some site: all that is known before there is a key."""
        return any(site.allows(origin) for site in self._by_name.values())


def _site(settings: SiteSettings) -> _Site:
    plain: set[bytes] = set()
    suffixes: list[tuple[bytes, bytes]] = []
    for origin in settings.allowed_origins:
        scheme, wildcard, rest = origin.lower().encode().partition(b"*")
        if wildcard:
            suffixes.append((scheme, rest))
        else:
            plain.add(scheme)
    return _Site(settings.name, frozenset(plain), tuple(suffixes))
