"""Where a visit was paid for: the utm parameters of a landing address, and whose click id it carries."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_plus

Campaign = tuple[str, str, str, str, str, str]
"""(source, medium, campaign, term, content, class of the click id); empty where the address has none."""

NO_CAMPAIGN: Final[Campaign] = ("", "", "", "", "", "")

_CLICK_IDS: Final = {
    "gclid": "google",
    "gbraid": "google",
    "wbraid": "google",
    "dclid": "google",
    "msclkid": "microsoft",
    "fbclid": "meta",
    "ttclid": "tiktok",
    "twclid": "x",
    "li_fat_id": "linkedin",
    "epik": "pinterest",
    "rdt_cid": "reddit",
    "sccid": "snapchat",
    "yclid": "yandex",
    "irclickid": "impact",
    "mc_eid": "mailchimp",
}
"""Click ids by their parameter. Only the class is kept: the id itself names a person's click at somebody else's."""

_UTM: Final = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
_PARAMETER: Final = re.compile(f"[?&]({'|'.join((*_UTM, *_CLICK_IDS))})=([^&#]*)", re.IGNORECASE)
_MAX_CHARS: Final = 200


def campaign_of(url: str) -> Campaign | None:
    """The campaign in an address; None when it has none."""
    if "?" not in url:
        return None
    found: dict[str, str] = {}
    for name, value in _PARAMETER.findall(url):
        found.setdefault(name.lower(), unquote_plus(value)[:_MAX_CHARS])
    if not found:
        return None
    click_id = next((_CLICK_IDS[name] for name in _CLICK_IDS if found.get(name)), "")
    source, medium, campaign, term, content = (found.get(name, "") for name in _UTM)
    return (source, medium, campaign, term, content, click_id)
