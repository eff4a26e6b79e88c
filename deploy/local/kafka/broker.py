"""An Apache Kafka broker in KRaft mode on the loopback interface: its configuration, its storage, its command line.

Alone, as the local stack has it, or as one of a cluster, as tests have it.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.local.kafka import jars
from schemas.topics import MAX_RECORD_BYTES, majority

_FORMAT_TIMEOUT_S: Final = 60
_REQUEST_HEADROOM_BYTES: Final = 1024 * 1024  # a fetch or produce request is a little more than its largest record

# Small on purpose: one broker on a laptop. Measured with them: 174 MB resident after the start, 1.5 s to serve.
_JVM: Final = (
    "-Xms64m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
)


class BrokerError(Exception):
    """The broker cannot be started. The text says why and what to do."""


@dataclass(frozen=True)
class Broker:
    """A broker whose data lies in `data_dir`, for clients on `port`, for its own controller on `controller_port`.

    Alone, both ports may differ from one start to the next; the data stay. In a cluster, `controllers` are the
    controller ports of all brokers by node id, its own included, and `cluster_id` (22 characters of base64) is theirs.
    """

    data_dir: Path
    port: int
    controller_port: int
    node_id: int = 1
    controllers: Mapping[int, int] = field(default_factory=dict)
    cluster_id: str = ""

    @property
    def bootstrap(self) -> str:
        """Address for clients."""
        return f"127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        """The command line that runs the broker in the foreground; `prepare` comes first."""
        return [_java(), *_JVM, "-cp", jars.classpath(), "kafka.Kafka", str(self._properties_file)]

    def prepare(self) -> None:
        """Fetch the jars if missing, write the configuration, format the storage if it is new.

        Raises:
            BrokerError: Java is missing, or the storage cannot be formatted.
            JarsError: the jars could not be fetched.
        """
        jars.ensure()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._properties_file.write_text("".join(f"{key}={value}\n" for key, value in self._properties().items()))
        if not (self._log_dir / "meta.properties").exists():
            self._format()

    @property
    def _properties_file(self) -> Path:
        return self.data_dir.absolute() / "server.properties"

    @property
    def _log_dir(self) -> Path:
        return self.data_dir.absolute() / "log"

    def _properties(self) -> dict[str, str | int]:
        voters = self.controllers or {self.node_id: self.controller_port}
        replication = len(voters)
        return {
            "process.roles": "broker,controller",
            "node.id": self.node_id,
            "controller.quorum.voters": ",".join(f"{node}@127.0.0.1:{port}" for node, port in voters.items()),
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self._log_dir).replace("\\", "\\\\"),
            "auto.create.topics.enable": "false",
            # A killed single broker serves again when its old registration has expired: 9 s by default.
            "broker.session.timeout.ms": 2000,
            "broker.heartbeat.interval.ms": 300,
            # Kafka's own topics take their least number of replicas in sync from the broker's default.
            "min.insync.replicas": majority(replication),
            "offsets.topic.replication.factor": replication,
            "offsets.topic.num.partitions": 8,
            "transaction.state.log.replication.factor": replication,
            "transaction.state.log.min.isr": majority(replication),
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": replication,
            "share.coordinator.state.topic.min.isr": majority(replication),
            "share.coordinator.state.topic.num.partitions": 1,
            "group.initial.rebalance.delay.ms": 0,
            "message.max.bytes": MAX_RECORD_BYTES + _REQUEST_HEADROOM_BYTES,
            "replica.fetch.max.bytes": MAX_RECORD_BYTES + _REQUEST_HEADROOM_BYTES,
            "socket.request.max.bytes": 8 * (MAX_RECORD_BYTES + _REQUEST_HEADROOM_BYTES),
            # One machine, one broker: the defaults are sized for clusters.
            "num.network.threads": 2,
            "num.io.threads": 4,
            "background.threads": 2,
            "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
            "log.cleaner.io.buffer.size": MAX_RECORD_BYTES + _REQUEST_HEADROOM_BYTES,
            "log.index.size.max.bytes": 1024 * 1024,
            "metadata.log.max.record.bytes.between.snapshots": 4 * 1024 * 1024,
        }

    def _format(self) -> None:
        # Formatting that was cut short leaves a directory that Kafka neither starts on nor formats again.
        shutil.rmtree(self._log_dir, ignore_errors=True)
        done = subprocess.run(
            [
                _java(),
                "-Xmx128m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
                "-cp",
                jars.classpath(),
                "kafka.tools.StorageTool",
                "format",
                "-t",
                self.cluster_id or new_cluster_id(),
                "-c",
                str(self._properties_file),
            ],
            capture_output=True,
            text=True,
            timeout=_FORMAT_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode != 0:
            said = (done.stdout + done.stderr).strip()
            raise BrokerError(f"Kafka could not format its storage in {self._log_dir}: {said[-600:]}")


def new_cluster_id() -> str:
    """A cluster id as Kafka wants it."""
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return "A" + cluster_id[1:] if cluster_id.startswith("-") else cluster_id  # a dash would read as an option


def _java() -> str:
    found = shutil.which("java")
    if found is None:
        raise BrokerError("Java is not installed; Kafka needs Java 17 or newer. `snag doctor` prints the command.")
    return found
