"""What describes a visitor's surroundings."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qs, urlsplit

from tests.oracle.events import Happening

_TRAITS = ("referrer", "device", "browser", "os", "country", "release", "user_id")
_UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
_NETWORKS = {"gclid": "google", "fbclid": "meta", "msclkid": "microsoft"}


def traits(happenings: Iterable[Happening]) -> dict[str, str]:
    """Of each describing field the first that is not empty."""
    return {name: next((h.text(name) for h in happenings if h.text(name)), "") for name in _TRAITS}


def campaign(happenings: Iterable[Happening]) -> dict[str, str]:
    """The utm parameters and the class of the click id of the first address that has any."""
    for h in happenings:
        query = parse_qs(urlsplit(h.text("url")).query, keep_blank_values=True)
        networks = [network for name, network in _NETWORKS.items() if any(query.get(name, ()))]
        if networks or any(name in query for name in (*_UTM, *_NETWORKS)):
            found = {name: query.get(name, [""])[0] for name in _UTM}
            return found | {"click_id": networks[0] if networks else ""}
    return dict.fromkeys((*_UTM, "click_id"), "")
