"""`python -m bench.collector.floor`: the same server, batcher and producer, and nothing else.

A body is one line, never looked at, in the next partition: what remains of a collector when it understands nothing,
checks nothing and has no spool. It reads the same settings.
"""

from __future__ import annotations

from itertools import count

import uvicorn

from ingest.batcher import Batcher, Ticket
from ingest.budget import Budget
from ingest.http import Receive, Scope, Send, read_body, respond
from ingest.kafka_sink import KafkaSink
from ingest.protocol import guarded
from ingest.server import Server, tune_interpreter
from schemas.settings import load_settings
from schemas.topics import CLICKSTREAM


def main() -> None:
    """Serve until stopped."""
    settings = load_settings()
    ingest = settings.ingest
    sink = KafkaSink(settings.kafka, ack_timeout_s=ingest.ack_timeout_s)
    budget = Budget(ingest.max_in_flight_bytes)
    batcher = Batcher(
        sink, budget, linger_s=ingest.linger_ms / 1000, ack_timeout_s=ingest.ack_timeout_s, timed_out=sink.mark_down
    )
    topic = CLICKSTREAM.full_name(settings.kafka.topic_prefix)
    numbers = count()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            sink.start()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await sink.close(1)
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["method"] == "GET":
            await respond(send, 200 if sink.up else 503, b"{}")
        else:
            body = await read_body(receive, None, budget, ingest.max_body_bytes)
            ticket = Ticket()
            batcher.add(topic, next(numbers) % sink.partitions, (body,), 0, ticket)
            budget.give(len(body))
            await ticket.acknowledged()
            await respond(send, 200, b'{"accepted":1,"rejected":[]}')

    tune_interpreter()
    config = uvicorn.Config(
        app,
        host=ingest.host,
        port=ingest.port,
        loop="uvloop",
        http=guarded(ingest.max_connections),
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
    )
    Server(config, stop_timeout_s=ingest.stop_timeout_s).run()


if __name__ == "__main__":
    main()
