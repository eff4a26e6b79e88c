"""E-mail addresses in texts and URLs."""

from __future__ import annotations

import re
from typing import Final

from ingest.findings import Effort

EMAIL: Final = "[email]"

_LOCAL_MAX_CHARS: Final = 64  # RFC 5321, 4.5.3.1.1

# From the @ on, as it is or percent-encoded: `logo@2x.png` and `react@18.2.0.js` are none.
_AT_DOMAIN: Final = re.compile(r"(?:@|%40)(?!\d+(?:\.\d+)*x?\.)[^\W_][\w-]{0,62}\.(?:[\w-]{1,63}\.)*[^\W\d_]{2,24}")
_LOCAL: Final = re.compile(r"[\w.+'-]+")


def mask_emails(text: str, effort: Effort) -> str:
    """`text` with EMAIL for each e-mail address."""
    effort.take(text.count("@") + text.count("%40"))
    masked, done = [], 0
    for found in _AT_DOMAIN.finditer(text):
        # Read backwards from the @: a pattern that began with the local part would try every place of a long text.
        before = text[max(done, found.start() - _LOCAL_MAX_CHARS) : found.start()]
        local = _LOCAL.match(before[::-1])
        effort.take()
        if local is not None:
            masked += [text[done : found.start() - local.end()], EMAIL]
            done = found.end()
    return "".join(masked) + text[done:] if masked else text
