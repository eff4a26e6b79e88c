"""The end of a worker that has crashed and cannot stop."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Final

from schemas.logs import get_logger

STOP_DEADLINE_S: Final = 10.0  # a stop that works takes two; Faust waits a minute for a consumer thread that hangs
PERIOD_S: Final = 0.5

log = get_logger(__name__)


def exit_after_crash(crashed: Callable[[], bool], stop_deadline_s: float = STOP_DEADLINE_S) -> None:
    """Watch in the background, and end the process with 1 if it is still there `stop_deadline_s` after a crash.

    What a worker has not said and stored is worked out again by the next one, as after `kill -9`; until then its
    partitions stand still, so nothing is won by waiting.
    """

    def watch() -> None:
        while not crashed():
            time.sleep(PERIOD_S)
        time.sleep(stop_deadline_s)
        log.critical("crashed and did not stop in time, so the process ends now", stop_deadline_s=stop_deadline_s)
        os._exit(1)

    threading.Thread(target=watch, name="exit after crash", daemon=True).start()
