"""However wrong a client's clock and however slow its requests: its events keep their order, and the truth is near."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from ingest.draft import Draft
from ingest.normalise import Normaliser
from ingest.skew import MAX_DELAY, STEP, THRESHOLD, ClockSkews

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
MAX_DELAY_MS = MAX_DELAY // timedelta(milliseconds=1)

# Clock errors of all sizes, and often those where a decision might flip.
errors_ms = st.one_of(
    st.integers(-400 * 86_400_000, 400 * 86_400_000),
    st.builds(lambda steps, off: steps * 150_000 + off, st.integers(-6, 6), st.integers(-2_000, 2_000)),
)
requests = st.lists(
    st.tuples(
        st.lists(st.integers(0, 1_800_000), min_size=1, max_size=4),  # when its events happened, ms after START
        st.integers(0, 60_000),  # how long after the last of them it was sent
        st.integers(0, MAX_DELAY_MS),  # how long it was on its way
    ),
    min_size=1,
    max_size=6,
)


@given(error_ms=errors_ms, requests=requests, order=st.randoms(use_true_random=False))
@example(error_ms=-300_000, requests=[([0], 0, 1), ([1], 0, 0)], order=None)
def test_events_of_one_client_keep_their_order_across_requests(
    error_ms: int, requests: list[tuple[list[int], int, int]], order: object
) -> None:
    skews = ClockSkews()
    error = timedelta(milliseconds=error_ms)  # what the client's clock shows beyond the truth
    kept: list[tuple[int, Draft]] = []
    arriving = list(requests)
    if order is not None:
        order.shuffle(arriving)  # type: ignore[attr-defined]  # a random.Random
    for happened_ms, waited_ms, delay_ms in arriving:
        sent_at = START + timedelta(milliseconds=max(happened_ms) + waited_ms) + error
        received_at = sent_at - error + timedelta(milliseconds=delay_ms)
        normalise = Normaliser(
            received_at,
            shift=skews.of("shop", sent_at, received_at, otherwise=""),
            future_tolerance=timedelta(days=1),
            max_nesting=5,
            next_id=lambda: "n",
        )
        for at_ms in happened_ms:
            client_ts = START + timedelta(milliseconds=at_ms) + error
            event = Draft(type="click", visitor_id="ann", ts=client_ts)
            assert not normalise([event])
            kept.append((at_ms, event))
    kept.sort(key=lambda pair: pair[0])
    times = [event.ts for _, event in kept if isinstance(event.ts, datetime)]
    assert len(times) == len(kept)
    assert times == sorted(times)
    for (at_ms, _), ts in zip(kept, times, strict=True):
        assert abs(ts - START - timedelta(milliseconds=at_ms)) <= max(THRESHOLD, STEP / 2) + MAX_DELAY
