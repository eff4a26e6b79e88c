"""The parts of the local stack: command, environment, address and readiness of each, from one layout of ports."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from deploy.local.kafka.broker import Broker
from deploy.local.kafka.probe import brokers_online
from deploy.local.ports import LOOPBACK, PortClaims, choose_port
from schemas.settings import Settings

_KAFKA_PORT: Final = 9092
_CLICKHOUSE_PORT: Final = 8123
_PROBE_TIMEOUT_S: Final = 2.0


@dataclass(frozen=True)
class Part:
    """One process. `is_ready` may block for up to two seconds; `stop_s` is its time between SIGTERM and SIGKILL."""

    name: str
    command: list[str]
    endpoint: str
    is_ready: Callable[[], bool]
    stop_s: float
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """Ports and addresses of one stack; `moved` says in words which wanted ports were taken."""

    data_dir: Path
    broker: Broker
    clickhouse_port: int
    collector_port: int
    writer_port: int
    live_ports: tuple[int, ...]
    moved: tuple[str, ...]
    settings: Settings

    @property
    def collector(self) -> str:
        """The collector's URL."""
        return f"http://{LOOPBACK}:{self.collector_port}"

    @property
    def clickhouse(self) -> str:
        """ClickHouse's URL."""
        return f"http://{LOOPBACK}:{self.clickhouse_port}"

    def env(self) -> dict[str, str]:
        """What every part is told beside the user's own configuration."""
        return {
            "SNAG_KAFKA__BOOTSTRAP": self.broker.bootstrap,
            "SNAG_CLICKHOUSE__URL": self.clickhouse,
            "SNAG_INGEST__PORT": str(self.collector_port),
            "SNAG_INGEST__SPOOL_DIR": str(self.settings.ingest.spool_dir or self.data_dir / "spool"),
            "SNAG_WRITER__HEALTH_PORT": str(self.writer_port),
            "SNAG_FUNNELS_DIR": str(self.settings.funnels_dir or self.data_dir / "funnels"),
        }


def lay_out(settings: Settings, data_dir: Path, live_workers: int, claims: PortClaims) -> Layout:
    """Choose the ports, and claim them: the wanted ones where they are free, else others."""
    moved: list[str] = []

    def take(name: str, wanted: int) -> int:
        port = choose_port(wanted, claims)
        if wanted and port != wanted:
            moved.append(f"port {wanted} is taken, {name} moves to {port}")
        return port

    kafka = take("kafka", _KAFKA_PORT)
    clickhouse = take("clickhouse", _CLICKHOUSE_PORT)
    collector = take("collector", settings.ingest.port)
    return Layout(
        data_dir=data_dir,
        broker=Broker(data_dir / "kafka", kafka, take("kafka's controller", 0)),
        clickhouse_port=clickhouse,
        collector_port=collector,
        writer_port=take("writer", settings.writer.health_port),
        live_ports=tuple(take("live", settings.live.health_port if i == 0 else 0) for i in range(live_workers)),
        moved=tuple(moved),
        settings=settings,
    )


def storage_parts(layout: Layout) -> list[Part]:
    """Kafka and ClickHouse: they start first and stop last."""
    secrets = layout.settings.clickhouse
    clickhouse = [
        *(sys.executable, "-m", "deploy.local.clickhouse", "--host", LOOPBACK),
        *("--port", str(layout.clickhouse_port), "--path", str(layout.data_dir / "clickhouse")),
        *("--user", secrets.user),
    ]
    broker = layout.broker
    return [
        Part(
            "kafka",
            broker.command(),
            broker.bootstrap,
            lambda: brokers_online(LOOPBACK, broker.port) > 0,
            stop_s=20,  # it writes its logs out
        ),
        Part(
            "clickhouse",
            clickhouse,
            layout.clickhouse,
            partial(answers, f"{layout.clickhouse}/ping"),
            stop_s=15,  # it lets statements finish for 10 s
            env={"SNAG_CLICKHOUSE_PASSWORD": secrets.password.get_secret_value()},
        ),
    ]


def worker_parts(layout: Layout) -> list[Part]:
    """Writer and live workers."""
    writer = f"http://{LOOPBACK}:{layout.writer_port}"
    parts = [Part("writer", _module("processors.writer"), writer, partial(answers, f"{writer}/ready"), stop_s=15)]
    for i, port in enumerate(layout.live_ports):
        live = f"http://{LOOPBACK}:{port}"
        parts.append(
            Part(
                "live" if i == 0 else f"live-{i + 1}",
                _module("processors.live"),
                live,
                partial(answers, f"{live}/ready"),
                stop_s=15,
                env={"SNAG_LIVE__HEALTH_PORT": str(port)},
            )
        )
    return parts


def collector_part(layout: Layout) -> Part:
    """The collector: it starts last and stops first."""
    url = layout.collector
    return Part("collector", _module("ingest"), url, partial(answers, f"{url}/ready"), stop_s=25)


def answers(url: str) -> bool:
    """Whether GET `url` answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=_PROBE_TIMEOUT_S) as answer:  # noqa: S310  our own loopback address
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError, ValueError):
        return False


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", name]


def child_env(layout: Layout, part: Part) -> dict[str, str]:
    """The environment of a part's process."""
    return {**os.environ, **layout.env(), **part.env}
