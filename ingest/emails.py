"""E-mail addresses in texts and URLs."""

from __future__ import annotations

import re
from typing import Final

EMAIL: Final = "[email]"

_LOCAL_MAX_CHARS: Final = 64  # RFC 5321, 4.5.3.1.1

# From the @ on, as it is or percent-encoded: `logo@2x.png` and `react@18.2.0.js` are none.
_AT_DOMAIN: Final = re.compile(
    r"(?:@|%40)(?!\d+(?:\.\d+)*x?\.)[^\W_][\w-]{0,62}\.(?:[\w-]{1,63}\.)*[^\W\d_]{2,24}", re.IGNORECASE
)
_LOCAL: Final = re.compile(r"[\w.+'-]+\Z")


def mask_emails(text: str) -> str:
    """`text` with EMAIL for each e-mail address."""
    masked, done = [], 0
    for found in _AT_DOMAIN.finditer(text):
        # Read backwards from the @: a pattern that began with the local part would try every place of a long text.
        local = _LOCAL.search(text, max(done, found.start() - _LOCAL_MAX_CHARS), found.start())
        if local is not None:
            masked += [text[done : local.start()], EMAIL]
            done = found.end()
    return "".join(masked) + text[done:] if masked else text
