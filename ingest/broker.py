"""One Kafka broker, as a producer sees it: a connection, made when it is needed, that takes rounds of record batches.

A round is one request, however many partitions it has. librdkafka sends one a partition (its issue 1700), and each
costs the broker as much as a hundred lines do: with three topics of eight partitions that was most of its time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.produce import ProduceRequest

Address = tuple[str, int]
Slot = tuple[str, int]
"""A topic, by its full name, and a partition."""

_ALL_REPLICAS: Final = -1
_MAX_IDLE_MS: Final = 540_000  # below the ten minutes after which a broker hangs up by itself
_FAILURES: Final = (OSError, TimeoutError, KafkaError)  # of connecting, and of what is on a connection


class BrokerError(Exception):
    """A round without an answer: it may or may not have been stored. The text says why."""


class Broker:
    """A broker's connection. All methods run on the event loop."""

    def __init__(self, address: Address, *, client_id: str, timeout_ms: int) -> None:
        """`timeout_ms`: how long connecting may take, and an answer, on our side and on the broker's."""
        self._address = address
        self._client_id = client_id
        self._timeout_ms = timeout_ms
        self._opening: asyncio.Task[AIOKafkaConnection] | None = None
        self._turn = asyncio.Lock()
        self._closed = False

    async def connect(self) -> None:
        """Make the connection, if there is none. Raises BrokerError when that fails."""
        opening = self._open()
        try:
            await self._connection(opening)
        except _FAILURES as error:
            raise self._failed(opening, error) from error

    async def produce(self, round_: Mapping[Slot, bytes]) -> dict[Slot, int]:
        """Send a batch for each slot; Kafka's error code of each, 0 being stored by all replicas in sync.

        Rounds are sent in the order of these calls, without waiting for each other. Raises BrokerError when there is no
        answer; the connection is closed then, and with it fail the rounds behind.
        """
        topics: dict[str, list[tuple[int, bytes]]] = {}
        for (topic, partition), batch in round_.items():
            topics.setdefault(topic, []).append((partition, batch))
        request = ProduceRequest(None, _ALL_REPLICAS, self._timeout_ms, list(topics.items()))
        opening = self._open()
        try:
            async with self._turn:  # so that none overtakes those that wait for the connection
                answering = (await self._connection(opening)).send(request)
            answer = await answering
        except _FAILURES as error:
            raise self._failed(opening, error) from error
        return {(topic, partition): code for topic, partitions in answer.topics for partition, code, *_ in partitions}

    def close(self) -> None:
        """Hang up for good. Rounds without an answer fail, and all that come."""
        self._closed = True
        if self._opening is not None:
            self._forget(self._opening)

    def _open(self) -> asyncio.Task[AIOKafkaConnection]:
        if self._closed:
            raise self._error("closed")
        opening = self._opening
        if opening is not None and not _is_usable(opening):
            self._forget(opening)
            opening = None
        if opening is None:
            host, port = self._address
            connecting = create_conn(
                host,
                port,
                client_id=self._client_id,
                request_timeout_ms=self._timeout_ms,
                max_idle_ms=_MAX_IDLE_MS,
            )
            opening = self._opening = asyncio.get_running_loop().create_task(connecting)
        return opening

    async def _connection(self, opening: asyncio.Task[AIOKafkaConnection]) -> AIOKafkaConnection:
        """What `opening` comes to. Raises BrokerError when `close` was called meanwhile, and else what it raised."""
        await asyncio.wait([opening])
        if opening.cancelled():
            raise self._error("closed")
        return opening.result()

    def _failed(self, opening: asyncio.Task[AIOKafkaConnection], error: BaseException) -> BrokerError:
        self._forget(opening)
        return self._error(str(error) or type(error).__name__)

    def _error(self, reason: str) -> BrokerError:
        return BrokerError(f"{self._address[0]}:{self._address[1]}: {reason}")

    def _forget(self, opening: asyncio.Task[AIOKafkaConnection]) -> None:
        if self._opening is opening:
            self._opening = None
        if not opening.done():
            opening.cancel()
        elif not opening.cancelled() and opening.exception() is None:
            opening.result().close()


def _is_usable(opening: asyncio.Task[AIOKafkaConnection]) -> bool:
    """Not where connecting failed, nor where the connection has been idle for long or the broker has hung up."""
    if not opening.done():
        return True
    return not opening.cancelled() and opening.exception() is None and opening.result().connected()
