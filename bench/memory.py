"""Memory as a machine that has been at work has it."""

from __future__ import annotations

import mmap
from typing import Final

import psutil

_WARM_BYTES: Final = 6 << 30  # more than all subjects of a bench and their broker hold at once


def warm() -> None:
    """Touch as many pages as the run will need, and free them again.

    On a virtual machine a page that was never used, or that its host took back meanwhile, costs some 12 us at its first
    touch (measured), hundreds of times as much as afterwards: a first run then reads half of what the next one reads.
    """
    size_bytes = min(_WARM_BYTES, psutil.virtual_memory().available // 2)
    with mmap.mmap(-1, size_bytes) as pages:
        for at in range(0, size_bytes, mmap.PAGESIZE):
            pages[at] = 1
