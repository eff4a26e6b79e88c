"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

CollectorOption = Annotated[
    str | None, typer.Option("--collector", metavar="URL", help="The collector, if not the running stack's.")
]
ClickHouseOption = Annotated[
    str | None, typer.Option("--clickhouse", metavar="URL", help="ClickHouse, if not the running stack's.")
]
KafkaOption = Annotated[
    str | None, typer.Option("--kafka", metavar="HOST:PORT", help="Kafka, if not the running stack's.")
]
WriteKeyOption = Annotated[
    str | None,
    typer.Option("--write-key", metavar="KEY", help="Key of the site to send for; default: the first site's."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
