"""The project's live worker as a process, watched from outside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
from kafka.admin import KafkaAdminClient, NewTopic

from bench.live.fill import PARTITIONS
from schemas.settings import LiveSettings
from schemas.topics import changelogs
from tests.support.ports import free_port

DEADLINE_S: Final = 600


class Worker:
    """A live worker as a process, watched through its own metrics."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process, self._url, self._log = process, f"http://127.0.0.1:{port}/", log

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels; 0 before the worker serves."""
        return sum(float(m) for m in re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", self._get("metrics"), re.M))

    def is_ready(self) -> bool:
        """Whether every partition is loaded."""
        return self._get("ready") != ""

    def rss_bytes(self) -> int:
        """Resident memory."""
        size: int = psutil.Process(self.process.pid).memory_info().rss
        return size

    def cpu_s(self) -> float:
        """CPU time used so far, user and system, in seconds."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def wait(self, condition: Callable[[], bool], what: str, period_s: float = 0.2) -> float:
        """Wait until `condition()`; returns time.perf_counter() then. Ends the bench when it takes too long."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit(
                    f"live worker: {what} did not come; the end of its log:\n{self._log.read_text()[-12_000:]}"
                )
            time.sleep(period_s)
        return time.perf_counter()

    def _get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(self._url + path, timeout=5) as answer:
                body: str = answer.read().decode()
                return body
        except OSError:
            return ""


@contextmanager
def live_worker(
    bootstrap: str,
    prefix: str,
    log: Path,
    settings: Mapping[str, str] | None = None,
    module: str = "processors.live",
) -> Iterator[Worker]:
    """A worker with its defaults and `settings` (environment variables), its changelogs made; killed at the end."""
    _make_changelogs(bootstrap, prefix, (settings or {}).get("SNAG_LIVE__APP_ID", LiveSettings().app_id))
    port = free_port()
    env = {
        **os.environ,
        "SNAG_KAFKA__BOOTSTRAP": bootstrap,
        "SNAG_KAFKA__TOPIC_PREFIX": prefix,
        "SNAG_LIVE__HEALTH_PORT": str(port),
        **(settings or {}),
    }
    with log.open("ab") as out:
        process = subprocess.Popen([sys.executable, "-m", module], env=env, stdout=out, stderr=out)
    try:
        yield Worker(process, port, log)
    finally:
        process.kill()
        process.wait(30)


def _make_changelogs(bootstrap: str, prefix: str, app_id: str) -> None:
    """As the set-up of a stack does: a changelog that Faust makes itself may be unknown at the worker's first write."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    wanted = {topic.full_name(prefix): topic.config() for topic in changelogs(app_id)}
    missing = wanted.keys() - set(admin.list_topics())
    if missing:
        admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs=wanted[name]) for name in sorted(missing)])
    admin.wait_for_topics(list(wanted), timeout_ms=30_000)
    admin.close()
