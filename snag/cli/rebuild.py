"""`snag rebuild`: derived rows are recomputed from the raw events."""

# ruff: noqa: PLC0415 - imports stand in the functions that need them, so that `snag --help` is fast
from __future__ import annotations

from typing import Annotated

import typer

from snag.cli.failures import failures
from snag.cli.options import ClickHouseOption, KafkaOption


def rebuild(
    *,
    incomplete: Annotated[
        bool,
        typer.Option("--incomplete", help="Go on though Kafka has dropped old events: recompute what began later."),
    ] = False,
    kafka: KafkaOption = None,
    clickhouse: ClickHouseOption = None,
) -> None:
    """Recompute sessions, funnels, friction and error rates from the raw events in Kafka, by the rules as they are now.

    Deletes derived rows and the live workers' state. Live workers and writer must be stopped; when they start again
    they read everything from the beginning. On the local stack: snag up --rebuild.
    """
    from kafka.errors import KafkaError

    from schemas.settings import load_settings
    from snag.addresses import find_clickhouse, find_kafka
    from snag.clickhouse import ClickHouse
    from snag.errors import SnagError
    from snag.rebuild import rebuild as make_ready

    settings = load_settings()
    reached = settings.kafka.model_copy(update={"bootstrap": find_kafka(settings, kafka)})
    store = settings.clickhouse
    with failures():
        client = ClickHouse(
            find_clickhouse(settings, clickhouse),
            database=store.database,
            user=store.user,
            password=store.password.get_secret_value(),
        )
        try:
            done = make_ready(settings.model_copy(update={"kafka": reached}), client, incomplete=incomplete)
        except KafkaError as error:
            raise SnagError(
                f"Kafka at {reached.bootstrap} did not do it: {error}. Nothing is lost; try again."
            ) from error
    what = f"rows that begin after {done.since:%Y-%m-%d %H:%M} UTC" if done.since else "all derived rows"
    typer.echo(f"deleted {what}; start live workers and writer to have them recomputed", err=True)
