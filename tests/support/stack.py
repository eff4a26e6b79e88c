"""The real Kafka and the real ClickHouse engine for tests: each on free ports, in a directory of the test's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from deploy.local import tether
from deploy.local.kafka.broker import Broker, new_cluster_id
from deploy.local.kafka.probe import brokers_online
from tests.support.ports import free_port
from tests.support.wait import wait_for

START_DEADLINE_S = 90  # a machine with two busy cores
STOP_DEADLINE_S = 30


class ServerProcess:
    """A real server as a child process. `kill` is kill -9; `restart` starts it again on the same data and port."""

    def __init__(
        self,
        name: str,
        command: Callable[[], list[str]],
        is_ready: Callable[[], bool],
        log: Path,
        env: dict[str, str] | None = None,
    ) -> None:
        self._name = name
        self._command = command
        self._is_ready = is_ready
        self._env = env
        self._process: subprocess.Popen[bytes] | None = None
        self.log = log

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None, f"{self._name} was not started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process and wait until it serves."""
        self.launch()
        self.wait_serving()

    def launch(self) -> None:
        """Start the process. It ends with the thread that calls this: it is told of that thread's death (tether)."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                tether.command(self._command()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(self._env or {})},
                start_new_session=True,
            )

    def wait_serving(self) -> None:
        """Wait until it serves."""
        wait_for(self._ready_or_dead, START_DEADLINE_S, f"{self._name} serves")
        assert self.is_running, f"{self._name} ended at its start: {self.log.read_text(errors='replace')[-2000:]}"

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it with SIGTERM, then, if it stays, SIGKILL. Returns its exit code."""
        return self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Start it again, on the same data and the same port; ends it first if it still runs."""
        self.kill()
        self.start()

    def _ready_or_dead(self) -> bool:
        return not self.is_running or self._is_ready()

    def _end(self, signal_number: signal.Signals) -> int:
        assert self._process is not None, f"{self._name} was not started"
        if self._process.poll() is None:
            self._process.send_signal(signal_number)
            try:
                self._process.wait(STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait()


class KafkaServer(ServerProcess):
    """A broker with no topics; make them with `deploy.local.kafka.topics.create_topics`."""

    def __init__(self, directory: Path, broker: Broker | None = None) -> None:
        self._broker = broker or Broker(directory / "kafka", free_port(), free_port())
        directory.mkdir(parents=True, exist_ok=True)
        self._broker.prepare()
        super().__init__(
            "kafka",
            self._broker.command,
            lambda: self.brokers_online() > 0,
            directory / "kafka.log",
        )

    def brokers_online(self) -> int:
        """How many brokers of its cluster it knows; 0 while it does not serve."""
        return brokers_online("127.0.0.1", self._broker.port)

    @property
    def bootstrap(self) -> str:
        """host:port for clients."""
        return self._broker.bootstrap


class KafkaCluster:
    """Brokers that are controllers too; what they keep is on all of them, and acknowledged when most have it."""

    def __init__(self, directory: Path, size: int = 3) -> None:
        controllers = {node: free_port() for node in range(1, size + 1)}
        cluster_id = new_cluster_id()
        self.brokers = [
            KafkaServer(
                directory / str(node),
                Broker(directory / str(node) / "kafka", free_port(), port, node, controllers, cluster_id),
            )
            for node, port in controllers.items()
        ]

    @property
    def bootstrap(self) -> str:
        """host:port of every broker, with commas between."""
        return ",".join(broker.bootstrap for broker in self.brokers)

    def start(self) -> None:
        """Start all brokers (each waits for a majority) and wait until they know each other."""
        for broker in self.brokers:
            broker.launch()
        for broker in self.brokers:
            broker.wait_serving()
        wait_for(lambda: self.online() == len(self.brokers), START_DEADLINE_S, "all brokers are in the cluster")

    def online(self) -> int:
        """How many brokers are in the cluster, as the one that knows most has it."""
        return max(broker.brokers_online() for broker in self.brokers)

    def stop(self) -> None:
        """End those that run, at once: the last ones would wait for a majority to take leave of."""
        running = [broker for broker in self.brokers if broker.is_running]
        with ThreadPoolExecutor(len(self.brokers)) as threads:
            list(threads.map(KafkaServer.kill, running))


class ClickHouseServer(ServerProcess):
    """The embedded engine behind ClickHouse's HTTP interface."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        super().__init__(
            "clickhouse",
            lambda: [
                *(sys.executable, "-m", "deploy.local.clickhouse"),
                *("--host", "127.0.0.1", "--port", str(port), "--path", str(directory / "clickhouse")),
            ],
            lambda: http_ok(f"{self.url}/ping"),
            directory / "clickhouse.log",
        )


_S = TypeVar("_S", bound=ServerProcess)


@contextmanager
def kafka_broker(tmp_path: Path) -> Iterator[KafkaServer]:
    """A real broker that serves; ended at the end."""
    yield from _running(KafkaServer(tmp_path))


@contextmanager
def kafka_cluster(tmp_path: Path) -> Iterator[KafkaCluster]:
    """Three brokers that serve as one; ended at the end."""
    cluster = KafkaCluster(tmp_path)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@contextmanager
def clickhouse_server(tmp_path: Path) -> Iterator[ClickHouseServer]:
    """A real engine that serves; ended at the end."""
    yield from _running(ClickHouseServer(tmp_path))


def http_ok(url: str, timeout_s: float = 2.0) -> bool:
    """Whether GET url answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _running(server: _S) -> Iterator[_S]:
    try:
        server.start()
        yield server
    finally:
        if server.is_running:
            server.stop()
