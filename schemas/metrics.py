"""The one typed table of Prometheus metrics: a name that is not here fails the type check."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

SHARED_DIR_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

MetricName = Literal[
    "snag_ingest_requests_total",
    "snag_ingest_connections_refused_total",
    "snag_ingest_events_accepted_total",
    "snag_ingest_events_rejected_total",
    "snag_ingest_events_opted_out_total",
    "snag_ingest_parts_skipped_total",
    "snag_ingest_request_seconds",
    "snag_ingest_in_flight_bytes",
    "snag_ingest_kafka_up",
    "snag_ingest_ack_seconds",
    "snag_ingest_spooled_bytes_total",
    "snag_ingest_spool_bytes",
    "snag_ingest_spool_lag_seconds",
    "snag_ingest_spool_damaged_bytes",
    "snag_ingest_quarantined_events_total",
    "snag_ingest_quarantine_bytes",
    "snag_writer_rows_total",
    "snag_writer_inserts_total",
    "snag_writer_insert_failures_total",
    "snag_writer_poison_rows_total",
    "snag_writer_erased_rows_total",
    "snag_writer_lag_records",
    "snag_writer_end_to_end_seconds",
    "snag_live_events_total",
    "snag_live_duplicates_total",
    "snag_live_undecodable_lines_total",
    "snag_live_gaps_total",
    "snag_live_rows_emitted_total",
    "snag_live_visitors",
    "snag_live_blob_bytes_max",
    "snag_live_frontier_lag_seconds",
    "snag_live_checkpoints_total",
    "snag_live_funnel_reloads_total",
    "snag_alerts_total",
]


_M = TypeVar("_M", Counter, Gauge, Histogram)


@dataclass(frozen=True)
class Metric:
    """One metric: what it counts, in which unit, by which labels."""

    kind: type[Counter] | type[Gauge] | type[Histogram]
    help: str
    labels: tuple[str, ...] = ()
    across: Literal["livesum", "livemin", "livemax"] = "livesum"  # of a gauge, over processes that share a port


METRICS: Final[dict[MetricName, Metric]] = {
    "snag_ingest_requests_total": Metric(Counter, "HTTP requests answered.", ("route", "status")),
    "snag_ingest_connections_refused_total": Metric(
        Counter, "Connections ended before there was a request: too many, too slow, too long a head.", ("reason",)
    ),
    "snag_ingest_events_accepted_total": Metric(
        Counter, "Events acknowledged: durable in Kafka or in the spool.", ("route", "site", "kind")
    ),
    "snag_ingest_events_rejected_total": Metric(Counter, "Events refused.", ("route", "site", "code")),
    "snag_ingest_events_opted_out_total": Metric(
        Counter, "Events dropped because their visitor opted out.", ("route", "site")
    ),
    "snag_ingest_parts_skipped_total": Metric(
        Counter, "Parts of requests that are of a kind which is not kept.", ("route", "part")
    ),
    "snag_ingest_request_seconds": Metric(Histogram, "Time from the request's last byte to the answer.", ("route",)),
    "snag_ingest_in_flight_bytes": Metric(Gauge, "Bytes held for requests and for records that are not durable yet."),
    "snag_ingest_kafka_up": Metric(Gauge, "1 while Kafka acknowledges.", across="livemin"),
    "snag_ingest_ack_seconds": Metric(Histogram, "Time until a record is durable, by where.", ("by",)),
    "snag_ingest_spooled_bytes_total": Metric(Counter, "Bytes of events made durable in the spool."),
    "snag_ingest_spool_bytes": Metric(Gauge, "Bytes in the spool that are not known to be in Kafka."),
    "snag_ingest_spool_lag_seconds": Metric(
        Gauge, "Age of the oldest record that waits in the spool.", across="livemax"
    ),
    "snag_ingest_spool_damaged_bytes": Metric(Gauge, "Bytes of the spool that the disk gave back changed."),
    "snag_ingest_quarantined_events_total": Metric(
        Counter, "Events that were taken and that Kafka refuses for good: they wait in the quarantine file."
    ),
    "snag_ingest_quarantine_bytes": Metric(Gauge, "Bytes in the quarantine file.", across="livemax"),
    "snag_writer_rows_total": Metric(Counter, "Rows in successful inserts.", ("table",)),
    "snag_writer_inserts_total": Metric(Counter, "Successful inserts.", ("table",)),
    "snag_writer_insert_failures_total": Metric(Counter, "Inserts that failed and are tried again.", ("table",)),
    "snag_writer_poison_rows_total": Metric(Counter, "Rows ClickHouse refuses, sent to rejected.", ("table",)),
    "snag_writer_erased_rows_total": Metric(Counter, "Rows deleted of those who are forgotten.", ("table",)),
    "snag_writer_lag_records": Metric(Gauge, "Records in Kafka not yet inserted.", ("topic",)),
    "snag_writer_end_to_end_seconds": Metric(
        Histogram, "From the collector's receipt to the finished insert.", ("table",)
    ),
    "snag_live_events_total": Metric(Counter, "Events applied.", ("topic",)),
    "snag_live_duplicates_total": Metric(Counter, "Events seen before, by event id.", ("topic",)),
    "snag_live_undecodable_lines_total": Metric(Counter, "Lines that are no event; skipped.", ("topic",)),
    "snag_live_gaps_total": Metric(Counter, "Offset gaps seen, each closed by a rewind.", ("topic",)),
    "snag_live_rows_emitted_total": Metric(Counter, "Derived rows produced.", ("topic",)),
    "snag_live_visitors": Metric(Gauge, "Visitors in memory."),
    "snag_live_blob_bytes_max": Metric(Gauge, "Largest checkpoint blob written."),
    "snag_live_frontier_lag_seconds": Metric(Gauge, "How far the slowest partition is behind the clock."),
    "snag_live_checkpoints_total": Metric(Counter, "Checkpoint rounds finished."),
    "snag_live_funnel_reloads_total": Metric(
        Counter, "Funnel files that changed: taken, or refused for a mistake in them.", ("outcome",)
    ),
    "snag_alerts_total": Metric(Counter, "Changes of alert state.", ("rule", "status")),
}


class Metrics:
    """The metrics of one process, created on first use in a registry of its own.

    With the environment variable SHARED_DIR_VARIABLE set before the process starts, processes share that directory, and
    each shows the sum over all of them.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._made: dict[MetricName, Counter | Gauge | Histogram] = {}
        self._children: dict[tuple[MetricName, tuple[str, ...]], Counter | Gauge | Histogram] = {}

    def counter(self, name: MetricName, *labels: str) -> Counter:
        """The counter `name` with label values `labels`."""
        return self._child(name, Counter, labels)

    def gauge(self, name: MetricName, *labels: str) -> Gauge:
        """The gauge `name` with label values `labels`."""
        return self._child(name, Gauge, labels)

    def histogram(self, name: MetricName, *labels: str) -> Histogram:
        """The histogram `name` with label values `labels`; observations in seconds."""
        return self._child(name, Histogram, labels)

    def exposition(self) -> bytes:
        """What Prometheus reads."""
        if SHARED_DIR_VARIABLE not in os.environ:
            return generate_latest(self.registry)
        shared = CollectorRegistry()
        multiprocess.MultiProcessCollector(shared)  # type: ignore[no-untyped-call]  # it ships no types
        return generate_latest(shared)

    def _child(self, name: MetricName, kind: type[_M], labels: tuple[str, ...]) -> _M:
        child = self._children.get((name, labels))  # many times faster than prometheus_client's own `labels`
        if child is None:
            made = self._metric(name)
            child = self._children[name, labels] = made.labels(*labels) if labels else made
        if not isinstance(child, kind):
            raise TypeError(f"metric {name} is a {type(child).__name__}, not a {kind.__name__}")
        return child

    def _metric(self, name: MetricName) -> Counter | Gauge | Histogram:
        made = self._made.get(name)
        if made is None:
            metric = METRICS[name]
            if metric.kind is Gauge:
                made = Gauge(name, metric.help, metric.labels, registry=self.registry, multiprocess_mode=metric.across)
            elif metric.kind is Histogram:
                made = Histogram(name, metric.help, metric.labels, registry=self.registry, buckets=_SECONDS)
            else:
                made = metric.kind(name, metric.help, metric.labels, registry=self.registry)
            self._made[name] = made
        return made
