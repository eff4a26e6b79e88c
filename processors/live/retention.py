"""Where Kafka's logs begin: a wanted record before that is gone for good, and waiting for it would never end."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from aiokafka.errors import KafkaTimeoutError
from faust.types import TP

from schemas.logs import get_logger

QUESTIONS: Final = 2  # without an answer, each as long as a request may take; a client that got stuck stays so

log = get_logger(__name__)


class LogStarts:
    """Asks the consumer of `app`. Its thread does nothing else until the answer is there, so ask only when in doubt."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._unanswered = 0

    async def of(self, tps: Collection[TP]) -> Mapping[TP, int]:
        """The first offset that Kafka still has, by topic-partition; nothing while it does not answer.

        Raises KafkaTimeoutError when it does not answer QUESTIONS times in a row: a new process may fare better.
        """
        if not tps:
            return {}
        try:
            starts: Mapping[TP, int] = await self._app.consumer.earliest_offsets(*tps)
        except KafkaTimeoutError:
            self._unanswered += 1
            log.warning("Kafka does not say where its logs begin", partitions=len(tps), times=self._unanswered)
            if self._unanswered == QUESTIONS:
                raise
            return {}
        self._unanswered = 0
        return starts
