"""Creates this project's topics as `schemas/topics.py` lists them: `python -m deploy.local.kafka.topics`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from schemas import topics as table
from schemas.settings import KafkaSettings, load_settings

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient

_BOOTSTRAP_TIMEOUT_MS: Final = 60_000
_METADATA_TIMEOUT_MS: Final = 30_000
_RETRY_MAX_MS: Final = 500  # a broker that is still starting; the client's own default waits up to 30 s between tries


class TopicsError(Exception):
    """A topic exists with a layout that cannot be changed in place. The text says which and what to do."""


def create_topics(kafka: KafkaSettings, live_app_id: str | None = None) -> list[str]:
    """Create the topics that are missing and set the configuration of those that differ; wait until each has leaders.

    With `live_app_id`, the setting live.app_id, the changelogs of the live workers' tables are among them. Returns the
    names created. May be called any number of times, also by several processes at once.

    Raises:
        TopicsError: a topic has another number of partitions; changing it would part visitors from their state. Or it
            has fewer replicas than the settings promise.
        kafka.errors.KafkaError: Kafka did not answer.
    """
    from kafka.admin import KafkaAdminClient  # noqa: PLC0415 - 0.3 s that users of `partitions_of` need not pay

    admin = KafkaAdminClient(
        bootstrap_servers=kafka.bootstrap,
        bootstrap_timeout_ms=_BOOTSTRAP_TIMEOUT_MS,
        reconnect_backoff_max_ms=_RETRY_MAX_MS,
    )
    try:
        topics = (*table.ALL, *(table.changelogs(live_app_id) if live_app_id else ()))
        wanted = {topic.full_name(kafka.topic_prefix): topic for topic in topics}
        existing = set(admin.list_topics())
        missing = {name: topic for name, topic in wanted.items() if name not in existing}
        if missing:
            _create(admin, missing, kafka)
        admin.wait_for_topics(list(wanted), timeout_ms=_METADATA_TIMEOUT_MS)
        old = {name: topic for name, topic in wanted.items() if name not in missing}
        if old:
            _check_layout(admin, old, kafka)
            _update_config(admin, old, kafka)
        return sorted(missing)
    finally:
        admin.close()


def partitions_of(topic: table.Topic, kafka: KafkaSettings) -> int:
    """How many partitions `topic` has by settings."""
    return kafka.partitions if topic.copartitioned else 1


def _create(admin: KafkaAdminClient, missing: dict[str, table.Topic], kafka: KafkaSettings) -> None:
    from kafka.errors import TopicAlreadyExistsError, for_code  # noqa: PLC0415 - as above

    answer: dict[str, Any] = admin.create_topics(
        {
            name: {
                "num_partitions": partitions_of(topic, kafka),
                "replication_factor": kafka.replication,
                "configs": topic.config(kafka.least_in_sync),
            }
            for name, topic in missing.items()
        },
        raise_errors=False,
    )
    for created in answer["topics"]:
        code = created["error_code"]
        # Another process may have been faster: the topic is there, which is what was asked for.
        if code and code != TopicAlreadyExistsError.errno:
            raise for_code(code)(f"topic {created['name']}: {created.get('error_message')}")


def _check_layout(admin: KafkaAdminClient, topics: dict[str, table.Topic], kafka: KafkaSettings) -> None:
    for found in admin.describe_topics(list(topics)):
        name, has = found["name"], len(found["partitions"])
        wants = partitions_of(topics[name], kafka)
        if has != wants:
            raise TopicsError(
                f"Topic {name} has {has} partitions, the settings say {wants}. Visitors are bound to partitions, so "
                f"the number stays as it is: set SNAG_KAFKA__PARTITIONS={has}, or start anew with another "
                f"kafka.topic_prefix or data directory."
            )
        copies = min(len(partition["replica_nodes"]) for partition in found["partitions"])
        if copies < kafka.replication:
            raise TopicsError(
                f"Topic {name} has {copies} replicas, the settings say {kafka.replication}: the loss of a broker could "
                f"lose what was acknowledged. Add replicas with kafka-reassign-partitions.sh, or set "
                f"SNAG_KAFKA__REPLICATION={copies}."
            )


def _update_config(admin: KafkaAdminClient, topics: dict[str, table.Topic], kafka: KafkaSettings) -> None:
    from kafka.admin import ConfigResource, ConfigResourceType  # noqa: PLC0415 - as above

    wanted = {name: topic.config(kafka.least_in_sync) for name, topic in topics.items()}
    described = admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name, list(config)) for name, config in wanted.items()],
        config_filter="all",
    )["topic"]
    changed = [
        ConfigResource(ConfigResourceType.TOPIC, name, differing)
        for name, config in wanted.items()
        if (differing := {k: v for k, v in config.items() if described[name].get(k, {}).get("value") != v})
    ]
    if changed:
        admin.alter_configs(changed)


def main() -> int:
    """Create the topics of the configured Kafka; 0 when all are there, else 1 and the reason on stderr."""
    from kafka.errors import KafkaError  # noqa: PLC0415 - as above

    try:
        settings = load_settings()
        create_topics(settings.kafka, settings.live.app_id)
    except (TopicsError, KafkaError) as error:
        sys.stderr.write(f"topics: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
