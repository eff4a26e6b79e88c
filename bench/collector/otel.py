"""The OpenTelemetry Collector as a peer: OTLP over HTTP in, Kafka with acks=all out, an answer after the send."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import yaml

_VERSION: Final = "0.155.0"
_PROVIDERS: Final = "1.61.0"
_BUILD_S: Final = 1200

_MANIFEST: Final = {
    "dist": {"name": "otelk", "module": "bench/otelk", "output_path": "./out", "version": "0.0.1"},
    "receivers": [{"gomod": f"go.opentelemetry.io/collector/receiver/otlpreceiver v{_VERSION}"}],
    "exporters": [
        {"gomod": f"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/kafkaexporter v{_VERSION}"}
    ],
    # Without the provider of `env:`, its default scheme, the collector does not start, though nothing is read there.
    "providers": [
        {"gomod": f"go.opentelemetry.io/collector/confmap/provider/{name} v{_PROVIDERS}"}
        for name in ("fileprovider", "envprovider")
    ],
}


def built(directory: Path) -> Path | None:
    """The collector's binary in `directory`, built there once (some four minutes); None where there is no Go."""
    binary = directory / "out" / "otelk"
    if binary.exists():
        return binary
    if shutil.which("go") is None:
        return None
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "manifest.yaml").write_text(yaml.safe_dump(_MANIFEST))
    builder = f"go.opentelemetry.io/collector/cmd/builder@v{_VERSION}"
    subprocess.run(["go", "run", builder, "--config", "manifest.yaml"], cwd=directory, check=True, timeout=_BUILD_S)
    return binary


def config(path: Path, *, port: int, bootstrap: str, topic: str) -> Path:
    """Write its configuration: no queue and no retries, so that an answer waits for Kafka as ours does."""
    found = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "exporters": {
            "kafka": {
                "brokers": [bootstrap],
                "logs": {"topic": topic, "encoding": "raw"},
                "producer": {"required_acks": -1, "compression": "none"},
                "sending_queue": {"enabled": False},
                "retry_on_failure": {"enabled": False},
            }
        },
        "service": {
            "pipelines": {"logs": {"receivers": ["otlp"], "exporters": ["kafka"]}},
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "error"}},
        },
    }
    path.write_text(yaml.safe_dump(found))
    return path
