"""Refused rows: their form, and the way to the topic `rejected`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from kafka import KafkaProducer

from processors.writer.batch import Line
from processors.writer.failure import RowsRefusedError
from schemas.event import from_ms
from schemas.rows import RejectedRow
from schemas.settings import KafkaSettings
from schemas.topics import MAX_RECORD_BYTES, NDJSON, RECEIVED_AT_HEADER, REJECTED

RAW_MAX_BYTES: Final = 1024 * 1024  # JSON escapes may make it six times as long; a record holds 8 MiB
_MESSAGE_MAX_CHARS: Final = 1000
_ID_BYTES: Final = 16
_DELIVERY_TIMEOUT_MS: Final = 15_000  # a broker that is restarted serves again within it


class RejectError(Exception):
    """Refused rows could not be kept anywhere. The writer stops: it never drops a row."""


def rejected_row(topic: str, line: Line, refusal: RowsRefusedError) -> RejectedRow:
    """The row that tells of `line` of `topic`. The same line gives the same row, so a replay repeats it harmlessly."""
    record = line.record
    place = f"{topic}|{record.partition}|{record.offset}|{line.index}|".encode()
    return RejectedRow(
        rejected_id=hashlib.blake2b(place + line.text, digest_size=_ID_BYTES).hexdigest(),
        received_at=from_ms(record.received_ms),
        stage="writer",
        index=line.index,
        code=refusal.name,
        message=str(refusal)[:_MESSAGE_MAX_CHARS],
        # What is no UTF-8 stays readable, and can be turned back.
        raw=line.text[:RAW_MAX_BYTES].decode(errors="backslashreplace"),
    )


class RejectedTopic:
    """Sends refused rows to `rejected` and waits until Kafka has them. Connects when first needed."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topic = REJECTED.full_name(settings.topic_prefix)
        self._producer: Any = None

    def send(self, rows: Sequence[RejectedRow]) -> None:
        """Put `rows` into the topic, one record each; they are acknowledged by all replicas when this returns.

        Raises RejectError when Kafka does not take them in time.
        """
        try:
            if self._producer is None:
                self._producer = self._connect()
            sent = [
                self._producer.send(
                    self._topic,
                    value=msgspec.json.encode(row),
                    headers=[
                        ("content-type", NDJSON.encode()),
                        (RECEIVED_AT_HEADER, str(round(row.received_at.timestamp() * 1000)).encode()),
                    ],
                )
                for row in rows
            ]
            for future in sent:
                future.get(timeout=2 * _DELIVERY_TIMEOUT_MS / 1000)
        except Exception as error:  # kafka-python raises of many families; none of them means "kept"
            raise RejectError(
                f"{len(rows)} rows that ClickHouse refuses could not be sent to the topic {self._topic} "
                f"({type(error).__name__}: {error}). Check Kafka and that the topic exists; their offsets are not "
                "committed, so the writer finds them again when it is started."
            ) from error

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._producer is not None:
            self._producer.close()

    def _connect(self) -> Any:
        return KafkaProducer(
            bootstrap_servers=self._settings.bootstrap,
            acks="all",
            # An idempotent producer of kafka-python 3.0.12 never sends again after an outage; rejected_id deduplicates.
            enable_idempotence=False,
            delivery_timeout_ms=_DELIVERY_TIMEOUT_MS,
            max_block_ms=_DELIVERY_TIMEOUT_MS,
            request_timeout_ms=_DELIVERY_TIMEOUT_MS // 2,
            max_request_size=MAX_RECORD_BYTES,
        )
