"""Free ports for servers that tests start."""

from __future__ import annotations

import random
from typing import Final

from deploy.local.ports import is_free

_RANGE: Final = range(15_000, 32_000)
"""Below the ports that Linux gives to outgoing connections: those come and go between choosing and listening."""

_random: Final = random.SystemRandom()  # several test processes run side by side
_given: Final[set[int]] = set()


def free_port() -> int:
    """A port that is free now, and that this process has not been given before."""
    while True:
        port = _random.choice(_RANGE)
        if port not in _given and is_free(port):
            _given.add(port)
            return port
