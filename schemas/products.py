"""What live workers can work out; a site with more traffic than machines may leave some of it out."""

from __future__ import annotations

from typing import Final, Literal, get_args

Product = Literal["sessions", "funnels", "friction", "rates"]

SESSIONS: Final = "sessions"
"""A row per session. All other rows are described by it, so it is always worked out."""
FUNNELS: Final = "funnels"
"""Attempts, cohorts and step metrics, and a session's checkout."""
FRICTION: Final = "friction"
"""Friction signals and scores, also on the steps of attempts."""
RATES: Final = "rates"
"""Error rates per minute, and the share of sessions with errors that alerts watch."""

PRODUCTS: Final[frozenset[Product]] = frozenset(get_args(Product))
