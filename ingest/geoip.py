"""The country of an address, from a MaxMind DB file that the user provides."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import maxminddb

_REMEMBERED: Final = 20_000


class GeoIpError(Exception):
    """The file cannot be used; the text names it, the cause and the fix."""


def country_lookup(path: Path | None) -> Callable[[str], str]:
    """A function that gives the ISO 3166-1 code of an address's country, "" if unknown; without `path` always "".

    Takes files with `country.iso_code` (GeoLite2, DB-IP) or `country_code` (IPinfo). Raises GeoIpError.
    """
    if path is None:
        return lambda _address: ""
    try:
        reader = maxminddb.open_database(path)
    except (OSError, maxminddb.InvalidDatabaseError) as error:
        raise GeoIpError(
            f"GeoIP file {path}: {error}. Set privacy.geoip to a MaxMind DB file (.mmdb) with countries, or to nothing."
        ) from error

    @functools.lru_cache(maxsize=_REMEMBERED)
    def country(address: str) -> str:
        try:
            return _country_in(reader.get(address))
        except (ValueError, maxminddb.InvalidDatabaseError):  # no address, an IPv6 one in an IPv4 file, a damaged part
            return ""

    return country


def _country_in(record: Any) -> str:
    if not isinstance(record, dict):
        return ""
    country = record.get("country")
    code = country.get("iso_code") if isinstance(country, dict) else record.get("country_code")
    return code if isinstance(code, str) else ""
