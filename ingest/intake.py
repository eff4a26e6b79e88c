"""From decoded events to lines in the batcher: the core that every route shares."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from operator import itemgetter
from typing import Final, Protocol

import msgspec

from ingest.batcher import Ticket
from ingest.context import NO_CONTEXT, RequestContext
from ingest.decode import Submission
from ingest.enrichment import Enrichment
from ingest.event_ids import EventIds
from ingest.masking import mask_event, mask_json, mask_text, rules_for
from ingest.normalise import Normaliser
from ingest.refusal import Refusal, RequestError
from ingest.skew import ClockSkews
from schemas.event import Event, Kind, partition_key, to_ms
from schemas.openapi import ForgetRequest, RejectedEvent, Verdicts
from schemas.rows import ErasureRow, RejectedRow
from schemas.settings import IngestSettings
from schemas.topics import ERASURES, MAX_RECORD_BYTES, REJECTED, TOPIC_OF_KIND, partition_of

RAW_MAX_BYTES: Final = 8 * 1024  # enough to see and mend an event; a flood of refusals must not fill Kafka

_RECORD_OVERHEAD_BYTES: Final = 64 * 1024  # headers and framing around a largest line

_FIRST_MASKED: Final = b',"url":'  # what stands before it, times and ids mostly, is not masked: half of a line
_LEAST_HEAD_BYTES: Final = 100  # the fields that every event has stand before, and take more than this

_encode: Final = msgspec.json.Encoder().encode
_encode_lines: Final = msgspec.json.Encoder().encode_lines


class Adds(Protocol):
    """Who takes lines: the batcher."""

    def add(self, topic: str, partition: int, line: bytes, received_at_ms: int, ticket: Ticket) -> None:
        """See `Batcher.add`."""


class Partitions(Protocol):
    """Who knows how many partitions the topics have."""

    @property
    def partitions(self) -> int:
        """As far as is known."""


class Receipt(msgspec.Struct, frozen=True):
    """What became of one submission. The verdicts hold once `ticket` is acknowledged.

    `opted_out` counts the events that were dropped because their visitor opted out.
    """

    ticket: Ticket
    verdicts: Verdicts
    accepted: dict[Kind, int]
    opted_out: int = 0


def now() -> datetime:
    """The time of receipt, to the millisecond."""
    return datetime.fromtimestamp(int(time.time() * 1000) / 1000, UTC)  # half the cost of cutting a `datetime.now`


class Intake:
    """Normalises events, gives each its verdict, and adds what is to be kept to the batcher."""

    def __init__(
        self,
        settings: IngestSettings,
        prefix: str,
        batcher: Adds,
        layout: Partitions,
        enrichment: Enrichment,
    ) -> None:
        """`prefix` is the topics' prefix; `layout` says how many partitions they have."""
        self._settings = settings
        self._enrichment = enrichment
        self._batcher = batcher
        self._layout = layout
        self._future_tolerance = timedelta(seconds=settings.future_tolerance_s)
        self._max_line_bytes = min(settings.max_event_bytes, MAX_RECORD_BYTES - _RECORD_OVERHEAD_BYTES)
        self._topics = {kind: topic.full_name(prefix) for kind, topic in TOPIC_OF_KIND.items()}
        self._rejected_topic = REJECTED.full_name(prefix)
        self._erasures_topic = ERASURES.full_name(prefix)
        self._next_id = EventIds().next
        self._skews = ClockSkews()
        self._rejected_count = count()

    def submit(
        self, site: str, submission: Submission, received_at: datetime, context: RequestContext = NO_CONTEXT
    ) -> Receipt:
        """Take each event of `submission` or refuse it; either way it is on its way to Kafka when this returns.

        Of a visitor who opted out nothing is kept when the settings say so: the events count as accepted.
        """
        ticket = Ticket()
        if submission.forget is not None:
            self._list(site, submission.forget, received_at, ticket)
        if self._enrichment.drops(context):
            dropped = len(submission.items)
            return Receipt(ticket, Verdicts(accepted=dropped, rejected=[]), {}, opted_out=dropped)
        received_at_ms = to_ms(received_at)
        partitions = self._layout.partitions
        add = self._batcher.add
        topics = self._topics
        max_line_bytes = self._max_line_bytes
        address = "" if submission.server_side else context.ip
        normalise = Normaliser(
            site,
            received_at,
            sent_at=submission.sent_at,
            shift=self._skews.of(site, submission.sent_at, received_at, otherwise=address),
            future_tolerance=self._future_tolerance,
            max_nesting=self._settings.max_nesting,
            next_id=self._next_id,
        )
        enrich = self._enrichment.of(context, server_side=submission.server_side, received_ms=received_at_ms)
        kept: list[Event] = []
        places: list[int] = []
        refused: list[tuple[int, Refusal]] = []
        for index, item in enumerate(submission.items):
            event = item if type(item) is Refusal else normalise(item)  # type: ignore[arg-type]  # mypy needs isinstance
            if type(event) is Refusal:
                refused.append((index, event))
                continue
            assert type(event) is Event  # noqa: S101  narrows the type for mypy at the cost of one comparison
            enrich(event, item)  # type: ignore[arg-type]  # as above
            kept.append(event)
            places.append(index)
        lines = _encode_lines(kept).split(b"\n")  # one call for all takes a third less; behind the last line nothing
        if self._enrichment.masks:
            _mask(kept, lines)
        accepted: dict[Kind, int] = {}
        for event, index, line in zip(kept, places, lines, strict=False):
            if len(line) > max_line_bytes:
                refused.append((index, _too_large(len(line), max_line_bytes, event.event_id)))
                continue
            kind = event.kind
            add(topics[kind], partition_of(partition_key(event), partitions), line, received_at_ms, ticket)
            accepted[kind] = accepted.get(kind, 0) + 1
        verdicts = Verdicts(accepted=len(submission.items) - len(refused), rejected=[])
        if refused:
            refused.sort(key=itemgetter(0))
            originals = submission.originals()
            for index, refusal in refused:
                verdicts.rejected.append(
                    RejectedEvent(
                        index=index,
                        event_id=refusal.event_id,
                        code=refusal.code,
                        field=refusal.field,
                        message=refusal.message,
                    )
                )
                row = RejectedRow(
                    rejected_id=self._next_id(),
                    received_at=received_at,
                    site=site,
                    index=index,
                    event_id=refusal.event_id,
                    code=refusal.code,
                    field=refusal.field,
                    message=self._masked(refusal.message),
                    raw=self._masked(_text(originals[index]), mask_json),
                )
                self._reject(row, ticket)
        return Receipt(ticket, verdicts, accepted)

    def _list(self, site: str, asked: ForgetRequest, received_at: datetime, ticket: Ticket) -> None:
        """Put who is to be forgotten on the erase list, a row each."""
        visitor = ErasureRow(site=site, requested_at=received_at, visitor_id=asked.visitor_id)
        user = ErasureRow(site=site, requested_at=received_at, user_id=asked.user_id)
        for row in (visitor, user):
            if row.visitor_id or row.user_id:
                self._batcher.add(self._erasures_topic, 0, _encode(row), to_ms(received_at), ticket)

    def reject_body(self, site: str, error: RequestError, body: bytes, received_at: datetime) -> Ticket:
        """Keep the start of a `body` that could not be read, with the reason."""
        problem = error.problem()
        row = RejectedRow(
            rejected_id=self._next_id(),
            received_at=received_at,
            site=site,
            code=error.code,
            message=self._masked(f"{problem.message} {problem.detail}".strip()),
            raw=self._masked(_text(body), mask_json),
        )
        ticket = Ticket()
        self._reject(row, ticket)
        return ticket

    def _masked(self, text: str, mask: Callable[[str], str] = mask_text) -> str:
        return mask(text) if self._enrichment.masks else text

    def _reject(self, row: RejectedRow, ticket: Ticket) -> None:
        partition = next(self._rejected_count) % self._layout.partitions
        self._batcher.add(self._rejected_topic, partition, _encode(row), to_ms(row.received_at), ticket)


def _mask(events: Sequence[Event], lines: list[bytes]) -> None:
    """Mask the secrets of `events`, encoded in `lines`; one search tells that there are none, as nearly always."""
    texts = [line[at:] if (at := line.find(_FIRST_MASKED, _LEAST_HEAD_BYTES)) > 0 else line for line in lines]
    if rules_for(b"\n".join(texts)) is None:
        return
    for place, event in enumerate(events):
        if rules_for(texts[place]) is not None:
            mask_event(event)
            lines[place] = _encode(event)


def _text(original: bytes) -> str:
    return original[:RAW_MAX_BYTES].decode("utf-8", "replace")


def _too_large(size_bytes: int, limit_bytes: int, event_id: str) -> Refusal:
    return Refusal("too_large", "", f"The event takes {size_bytes} bytes; the limit is {limit_bytes}.", event_id)
