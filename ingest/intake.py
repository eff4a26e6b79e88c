"""From decoded events to lines in the batcher: the core that every route shares."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from operator import itemgetter
from typing import Any, Final, Protocol

import msgspec

from ingest.batcher import Ticket
from ingest.context import NO_CONTEXT, RequestContext
from ingest.decode import Submission
from ingest.draft import Draft
from ingest.enrichment import Enrichment
from ingest.event_ids import EventIds
from ingest.findings import Effort
from ingest.lines import LineWriter
from ingest.masking import mask_json, mask_text
from ingest.normalise import Normaliser
from ingest.refusal import Refusal, RequestError
from ingest.skew import ClockSkews
from schemas.event import Kind, to_ms
from schemas.openapi import ForgetRequest, RejectedEvent, Verdicts
from schemas.rows import ErasureRow, RejectedRow
from schemas.settings import IngestSettings
from schemas.topics import ERASURES, MAX_RECORD_BYTES, REJECTED, TOPIC_OF_KIND, partitions_of_site

RAW_MAX_BYTES: Final = 8 * 1024  # enough to see and mend an event; a flood of refusals must not fill Kafka

_RECORD_OVERHEAD_BYTES: Final = 64 * 1024  # headers and framing around a largest line

# What a request's lines may take. Ours are two to three times their body at most: a URL is said again as path and page,
# and each event carries who sent it and when.
_LARGEST_BODIES: Final = 4
_EXTRA_EVENT_BYTES: Final = 1024

_encode: Final = msgspec.json.Encoder().encode


class Adds(Protocol):
    """Who takes lines: the batcher."""

    def add(self, topic: str, partition: int, lines: Sequence[bytes], received_at_ms: int, ticket: Ticket) -> None:
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
        self._max_lines_bytes = _LARGEST_BODIES * settings.max_body_bytes
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
        Raises RequestError when the events would take many times the largest body: then none is taken.
        """
        ticket = Ticket()
        if submission.forget is not None:
            self._list(site, submission.forget, received_at, ticket)
        if self._enrichment.drops(context):
            dropped = len(submission.items)
            return Receipt(ticket, Verdicts(accepted=dropped, rejected=[]), {}, opted_out=dropped)
        received_at_ms = to_ms(received_at)
        address = "" if submission.server_side else context.ip
        normalise = Normaliser(
            received_at,
            shift=self._skews.of(site, submission.sent_at, received_at, otherwise=address),
            future_tolerance=self._future_tolerance,
            max_nesting=self._settings.max_nesting,
            next_id=self._next_id,
        )
        enrich = self._enrichment.of(site, context, server_side=submission.server_side, received_ms=received_at_ms)
        write = LineWriter(site, received_at, submission.sent_at, masks=self._enrichment.masks)
        items = submission.items
        drafts: list[Draft] = []
        places: list[int] = []
        refused: list[tuple[int, Refusal]] = []
        for place, item in enumerate(items):
            if type(item) is Refusal:
                refused.append((place, item))
            else:
                drafts.append(item)  # type: ignore[arg-type]  # mypy needs isinstance, which costs more
                places.append(place)
        if late := normalise(drafts):
            refused += _take_out(late, places, drafts)
        keys = enrich(drafts)
        lines = write(drafts)
        sizes_bytes = list(map(len, lines))
        if sum(sizes_bytes) > self._max_lines_bytes + _EXTRA_EVENT_BYTES * len(lines):
            raise RequestError("body_too_large", f"Its events would take {sum(sizes_bytes)} bytes.")
        if max(sizes_bytes, default=0) > self._max_line_bytes:
            refused += _take_out(self._too_large(drafts, lines), places, drafts, keys, lines)
        accepted: dict[Kind, int] = {}
        for (kind, partition), group in self._grouped(site, drafts, keys, lines).items():
            self._batcher.add(self._topics[kind], partition, group, received_at_ms, ticket)
            accepted[kind] = accepted.get(kind, 0) + len(group)
        verdicts = Verdicts(accepted=len(submission.items) - len(refused), rejected=[])
        if refused:
            refused.sort(key=itemgetter(0))
            originals = submission.originals()
            effort = Effort()
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
                    message=self._masked(refusal.message, effort),
                    raw=self._masked(_text(originals[index]), effort, mask_json),
                )
                self._reject(row, ticket)
        return Receipt(ticket, verdicts, accepted)

    def _too_large(self, drafts: Sequence[Draft], lines: Sequence[bytes]) -> list[tuple[int, Refusal]]:
        limit_bytes = self._max_line_bytes
        found = []
        for at, (draft, line) in enumerate(zip(drafts, lines, strict=True)):
            if len(line) > limit_bytes:
                cause = f"The event takes {len(line)} bytes; the limit is {limit_bytes}."
                found.append((at, Refusal("too_large", "", cause, draft.event_id or "")))
        return found

    def _grouped(
        self, site: str, drafts: list[Draft], keys: list[str], lines: list[bytes]
    ) -> dict[tuple[Kind, int], list[bytes]]:
        """The lines by where they go: the kind, which tells the topic, and the partition."""
        groups: dict[tuple[Kind, int], list[bytes]] = {}
        partitions = partitions_of_site(site, keys, self._layout.partitions)
        for draft, partition, line in zip(drafts, partitions, lines, strict=True):
            place = draft.kind or "clickstream", partition
            if (group := groups.get(place)) is None:
                groups[place] = [line]
            else:
                group.append(line)
        return groups

    def _list(self, site: str, asked: ForgetRequest, received_at: datetime, ticket: Ticket) -> None:
        """Put who is to be forgotten on the erase list, a row each."""
        visitor = ErasureRow(site=site, requested_at=received_at, visitor_id=asked.visitor_id)
        user = ErasureRow(site=site, requested_at=received_at, user_id=asked.user_id)
        for row in (visitor, user):
            if row.visitor_id or row.user_id:
                self._batcher.add(self._erasures_topic, 0, (_encode(row),), to_ms(received_at), ticket)

    def reject_body(self, site: str, error: RequestError, body: bytes, received_at: datetime) -> Ticket:
        """Keep the start of a `body` that could not be read, with the reason."""
        problem, effort = error.problem(), Effort()
        row = RejectedRow(
            rejected_id=self._next_id(),
            received_at=received_at,
            site=site,
            code=error.code,
            message=self._masked(f"{problem.message} {problem.detail}".strip(), effort),
            raw=self._masked(_text(body), effort, mask_json),
        )
        ticket = Ticket()
        self._reject(row, ticket)
        return ticket

    def _masked(self, text: str, effort: Effort, mask: Callable[[str, Effort], str] = mask_text) -> str:
        return mask(text, effort) if self._enrichment.masks else text

    def _reject(self, row: RejectedRow, ticket: Ticket) -> None:
        partition = next(self._rejected_count) % self._layout.partitions
        self._batcher.add(self._rejected_topic, partition, (_encode(row),), to_ms(row.received_at), ticket)


def _take_out(
    refused: Sequence[tuple[int, Refusal]], places: list[int], *others: list[Any]
) -> list[tuple[int, Refusal]]:
    """Delete what is refused, by ascending index, from parallel lists; returns it by its entry of `places`."""
    found = [(places[index], refusal) for index, refusal in refused]
    for index, _ in reversed(refused):
        for parallel in (places, *others):
            del parallel[index]
    return found


def _text(original: bytes) -> str:
    return original[:RAW_MAX_BYTES].decode("utf-8", "replace")
