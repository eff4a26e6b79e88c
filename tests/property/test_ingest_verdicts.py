"""Whatever is sent: every event gets exactly one verdict, in its place, and the same one every time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ingest.batcher import Ticket
from ingest.decode import decode_native
from ingest.enrichment import Enrichment
from ingest.intake import Intake
from ingest.masking import mask_json
from ingest.paths import path_of
from ingest.refusal import RequestError
from ingest.scan import scan_array
from ingest.skew import THRESHOLD
from ingest.times import read_moment, read_moments
from schemas.event import Event, partition_key
from schemas.openapi import Verdicts
from schemas.rows import RejectedRow
from schemas.settings import IngestSettings, LimitSettings, PrivacySettings
from schemas.topics import TOPIC_OF_KIND, partition_of

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PARTITIONS = 8
ENRICHMENT = Enrichment(PrivacySettings(), LimitSettings(hot_events_per_minute=0))  # the clock of these tests stands

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
NAMES = (
    "type kind event_id eventId ts timestamp session_id visitor_id anonymousId url path x y is_bot "
    "props properties message title device sent_at site received_at"
)
names = st.sampled_from(NAMES.split(" "))
likely = {
    "type": st.sampled_from(["page_view", "js_error", "order_completed", "own"]),
    "kind": st.sampled_from(["clickstream", "error", "checkout"]),
    "ts": st.one_of(st.datetimes().map(datetime.isoformat), st.integers(0, 2**44), st.floats(0, 2e12)),
    "event_id": st.text(max_size=8) | st.integers(),
    "visitor_id": st.text(max_size=8) | st.integers(),
    "url": st.text(max_size=30),
    "props": st.dictionaries(st.text(max_size=5), values, max_size=3),
}
likely_events = st.fixed_dictionaries(
    {"type": likely["type"]}, optional={k: v for k, v in likely.items() if k != "type"}
)
events = st.one_of(likely_events, st.dictionaries(names | st.text(max_size=6), values, max_size=6), values)


@dataclass
class Lines:
    """A batcher that only remembers what it was given."""

    lines: list[tuple[str, int, bytes]] = field(default_factory=list)

    def add(self, topic: str, partition: int, lines: Sequence[bytes], received_at_ms: int, ticket: Ticket) -> None:
        self.lines += [(topic, partition, line) for line in lines]


@dataclass
class Layout:
    partitions: int = PARTITIONS


def take(body: bytes) -> tuple[Verdicts, list[tuple[str, int, bytes]]]:
    kept = Lines()
    intake = Intake(IngestSettings(), "", kept, Layout(), ENRICHMENT)
    receipt = intake.submit("shop", decode_native(body, ndjson=False, max_events=100), NOW)
    return receipt.verdicts, kept.lines


def without_assigned(lines: list[tuple[str, int, bytes]]) -> list[dict[str, Any]]:
    """The lines as objects, without the ids that are made up anew each time, and by which an event may find its
    partition: so in an order of their own.
    """
    found = [
        {k: v for k, v in json.loads(line).items() if k not in ("rejected_id", "event_id")} for _, _, line in lines
    ]
    return sorted(found, key=json.dumps)


@given(st.lists(events, max_size=8))
def test_every_event_gets_exactly_one_verdict_in_its_place(sent: list[Any]) -> None:
    verdicts, lines = take(json.dumps(sent).encode())
    indexes = [rejected.index for rejected in verdicts.rejected]
    assert verdicts.accepted + len(indexes) == len(sent)
    assert indexes == sorted(set(indexes))
    assert all(0 <= index < len(sent) for index in indexes)
    assert len([topic for topic, _, _ in lines if topic == "rejected"]) == len(indexes)
    rows = [msgspec.json.decode(line, type=RejectedRow) for topic, _, line in lines if topic == "rejected"]
    assert [(row.index, row.code) for row in rows] == [(r.index, r.code) for r in verdicts.rejected]
    for row in rows:
        assert json.loads(row.raw) == json.loads(mask_json(json.dumps(sent[row.index])))


@given(st.lists(events, min_size=1, max_size=8))
def test_an_event_fares_the_same_alone_and_among_others(sent: list[Any]) -> None:
    together, _ = take(json.dumps(sent).encode())
    refused = {rejected.index: (rejected.code, rejected.field) for rejected in together.rejected}
    for index, event in enumerate(sent):
        alone, _ = take(json.dumps([event]).encode())
        assert [(r.code, r.field) for r in alone.rejected] == ([refused[index]] if index in refused else [])


@given(st.lists(likely_events, max_size=5))
def test_the_strict_and_the_lenient_reading_agree(sent: list[dict[str, Any]]) -> None:
    strict = take(json.dumps(sent).encode())
    lenient = take(json.dumps([{**event, "site": "ignored"} for event in sent]).encode())
    assert without_assigned([line for line in strict[1] if line[0] != "rejected"]) == without_assigned(
        [line for line in lenient[1] if line[0] != "rejected"]
    )


@given(st.lists(st.sampled_from(["ann", "bob"]), max_size=30))
def test_a_visitor_s_events_keep_their_order(visitors: list[str]) -> None:
    sent = [{"type": "click", "visitor_id": who, "event_id": f"{place:02}"} for place, who in enumerate(visitors)]
    _, lines = take(json.dumps(sent).encode())
    for who in ("ann", "bob"):
        found = [
            event["event_id"] for event in (json.loads(line) for _, _, line in lines) if event["visitor_id"] == who
        ]
        assert found == sorted(found)


@given(st.lists(likely_events, max_size=5))
def test_sending_twice_gives_the_same(sent: list[dict[str, Any]]) -> None:
    body = json.dumps(sent).encode()
    (first, first_lines), (second, second_lines) = take(body), take(body)
    assert first == second
    assert without_assigned(first_lines) == without_assigned(second_lines)


@given(likely_events)
def test_a_kept_event_sent_again_is_the_same_event(sent: dict[str, Any]) -> None:
    _, lines = take(json.dumps([sent]).encode())
    for topic, partition, line in lines:
        if topic == "rejected":
            continue
        event = msgspec.json.decode(line, type=Event)
        verdicts, again = take(b"[" + line + b"]")
        assert verdicts.accepted == 1
        repeated = msgspec.json.decode(again[0][2], type=Event)
        repeated.client_ts, repeated.ts_source = event.client_ts, event.ts_source
        assert repeated == event
        assert again[0][:2] == (topic, partition)


@given(st.lists(likely_events, max_size=8))
def test_a_line_is_an_event_in_its_topic_and_partition(sent: list[dict[str, Any]]) -> None:
    _, lines = take(json.dumps(sent).encode())
    for topic, partition, line in lines:
        assert b"\n" not in line
        if topic != "rejected":
            event = msgspec.json.decode(line, type=Event)
            assert topic == TOPIC_OF_KIND[event.kind].name
            assert partition == partition_of(partition_key(event), PARTITIONS)
            assert (event.site, event.received_at) == ("shop", NOW)
            assert event.event_id
            assert all(moment.microsecond % 1000 == 0 for moment in (event.ts, event.client_ts) if moment)


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:\\ \n' + "abNI1", max_size=60).map(str.encode))
def test_any_bytes_are_answered_or_refused(body: bytes) -> None:
    try:
        verdicts, lines = take(body)
    except RequestError as error:
        assert 400 <= error.status < 500
    else:
        assert verdicts.accepted + len(verdicts.rejected) == len(lines)


@given(st.lists(values, min_size=1, max_size=6))
def test_scanning_takes_an_array_apart_as_parsing_does(array: list[Any]) -> None:
    pieces = scan_array(json.dumps(array).encode())
    assert pieces is not None
    assert [json.loads(piece) for piece in pieces] == array


@given(
    st.datetimes(min_value=datetime(2015, 1, 1), max_value=datetime(2090, 1, 1)),  # noqa: DTZ001  hypothesis wants naive
    st.lists(st.integers(0, 10_000), min_size=2, max_size=6),
)
def test_a_corrected_clock_never_reorders(sent_at: datetime, gaps_ms: list[int]) -> None:
    at = sent_at.replace(tzinfo=UTC)
    stamps = [int(at.timestamp() * 1000) - gap for gap in gaps_ms]
    body = {
        "sent_at": at.isoformat(),
        "batch": [{"type": "click", "event_id": str(i), "ts": t} for i, t in enumerate(stamps)],
    }
    _, lines = take(json.dumps(body).encode())
    kept = {event.event_id: event for event in (msgspec.json.decode(line, type=Event) for _, _, line in lines)}
    ordered = [kept[str(i)].ts for i in sorted(range(len(stamps)), key=stamps.__getitem__)]
    assert ordered == sorted(ordered)
    corrected = abs(NOW - at) > THRESHOLD
    assert all((event.ts != event.client_ts) == corrected for event in kept.values())


@given(st.one_of(values, st.floats(), st.datetimes()))
def test_any_moment_is_usable_or_none(said: Any) -> None:
    moment = read_moment(said)
    assert moment is None or (moment.tzinfo is UTC and 1971 <= moment.year <= 2299 and moment.microsecond % 1000 == 0)
    assert moment is None or read_moment(moment) == moment


@given(
    st.lists(st.integers(0, 10**14), min_size=20, max_size=40)
    | st.lists(st.integers(10**11, 4 * 10**12 - 1), min_size=20, max_size=40)
    | st.lists(st.one_of(values, st.floats(), st.datetimes(), st.integers(10**11, 10**13)), max_size=40)
)
def test_many_moments_are_read_as_each_alone(said: list[Any]) -> None:
    assert read_moments(said) == [read_moment(value) for value in said]


@given(st.text(alphabet="ab/:?#.", max_size=20))
def test_a_path_has_no_query_and_starts_at_the_root(url: str) -> None:
    path = path_of(url)
    assert path == "" or path.startswith("/")
    assert not set("?#") & set(path)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "url": st.sampled_from(["https://shop.example/", "https://shop.example/?m=joe@mail.example"]),
            "user_id": st.sampled_from(["u", ',"url":', '"' * 200]),
            "event_id": st.text(max_size=3),
            "title": st.just("joe@mail.example"),
            "props": st.just({"m": ["joe@mail.example"]}),
            "message": st.just("no account for joe@mail.example"),
        },
    ),
    st.integers(1, 3),
)
def test_no_secret_leaves_the_intake_whichever_fields_an_event_has(fields: dict[str, Any], copies: int) -> None:
    _, lines = take(json.dumps([{"type": "a"}, *[{"type": "js_error"} | fields] * copies]).encode())
    assert len(lines) == copies + 1
    assert not any(b"joe" in line for _, _, line in lines)
