"""Three brokers, replication 3, two of three in sync: one is lost under load, comes back, and then another is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from schemas.topics import RAW
from tests.support.load import Load
from tests.support.pipeline import Expected, Pipeline, stream
from tests.support.stack import KafkaCluster, clickhouse_server, kafka_cluster
from tests.support.wait import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(1200)]

SETTINGS = {"SNAG_KAFKA__REPLICATION": "3"}
DEADLINE_S = 120


def test_a_cluster_loses_one_broker_after_the_other_and_no_event(tmp_path: Path) -> None:
    events = stream(seed=5, visitors=150)
    with kafka_cluster(tmp_path / "brokers") as cluster, clickhouse_server(tmp_path / "engine") as engine:
        pipeline = Pipeline(cluster.bootstrap, engine.url, tmp_path, SETTINGS)
        try:
            pipeline.writer()
            pipeline.live()
            pipeline.live()
            with pipeline.send(events, per_s=60) as feeder, Load(pipeline.collector()) as load:
                feeder.wait_sent(0.2)
                cluster.brokers[0].kill()
                feeder.wait_sent(0.4)
                arrived = rows(pipeline)
                wait_for(lambda: rows(pipeline) > arrived, DEADLINE_S, "rows arrive while a broker is away")
                cluster.brokers[0].restart()
                wait_for(lambda: all_in_sync(cluster, pipeline), DEADLINE_S, "the broker has caught up")
                cluster.brokers[1].kill()
                feeder.wait_sent(0.8)
                cluster.brokers[1].restart()
            assert_kept_threefold(cluster, pipeline)
            assert load.unsure == set(), "no answer but 200"
            wait_for(lambda: posted(pipeline) == load.accepted, DEADLINE_S, "what was answered 200 is in ClickHouse")
            pipeline.assert_exact(Expected(events))
        finally:
            pipeline.close()


def posted(pipeline: Pipeline) -> set[str]:
    selects = [f"SELECT event_id FROM {topic.name} FINAL WHERE site = 'posted'" for topic in RAW]
    return {row["event_id"] for row in pipeline.clickhouse.rows(" UNION ALL ".join(selects))}


def rows(pipeline: Pipeline) -> int:
    return int(pipeline.clickhouse.rows("SELECT count() AS n FROM clickstream")[0]["n"])


def assert_kept_threefold(cluster: KafkaCluster, pipeline: Pipeline) -> None:
    """Every topic, also changelogs and Kafka's own, is on three brokers, and two must have what is acknowledged."""
    names = [topic["name"] for topic in topics(cluster)]
    ours = [name for name in names if name.startswith(pipeline.prefix)]
    assert {f"{pipeline.prefix}snag-live-{table}-changelog" for table in ("state", "alerts")} <= set(ours)
    assert set(names) == {*ours, "__consumer_offsets"}, "no topic that this project does not know of"
    for topic in topics(cluster):
        assert {len(p["replica_nodes"]) for p in topic["partitions"]} == {3}, topic["name"]
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap.split(","))
    try:
        asked = [ConfigResource(ConfigResourceType.TOPIC, name, ["min.insync.replicas"]) for name in names]
        found = admin.describe_configs(asked, config_filter="all")["topic"]
        assert {name: config["min.insync.replicas"]["value"] for name, config in found.items()} == dict.fromkeys(
            names, "2"
        )
    finally:
        admin.close()


def topics(cluster: KafkaCluster) -> list[dict[str, Any]]:
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap.split(","))
    try:
        return list(admin.describe_topics(sorted(admin.list_topics())))
    finally:
        admin.close()


def all_in_sync(cluster: KafkaCluster, pipeline: Pipeline) -> bool:
    return all(
        len(partition["isr_nodes"]) == 3
        for topic in topics(cluster)
        if topic["name"].startswith(pipeline.prefix) or topic["name"] == "__consumer_offsets"
        for partition in topic["partitions"]
    )
