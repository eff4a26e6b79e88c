"""Buckets and shelves: what rests comes back as it was; what is forgotten is what may be."""

from __future__ import annotations

import msgspec
import pytest

from processors.domain.bucket import FLOOD_KEPT, Bucket, FormatError, split_key, visitor_key
from processors.domain.funnels.cohort import Tally
from processors.domain.shelf import Shelf
from processors.domain.stretch import Stretch
from processors.domain.visitor import SESSION, RowId
from tests.unit.test_domain_fact import make_fact

MINUTE = 60_000


def shelf() -> Shelf[str, list[int]]:
    return Shelf(msgspec.msgpack.encode, msgspec.msgpack.Decoder(list[int]).decode)


def filled() -> Bucket:
    bucket = Bucket()
    bucket.offsets = {"clickstream": 7}
    fact = make_fact(5, "js_error", error_class="js", session_id="s", received=9)
    visitor = bucket.visitor(visitor_key("shop", "ann", "s"))
    bucket.times.ends["other"] = 9
    visitor.add(fact)
    visitor.before, visitor.last_emit = Stretch(1, 3, 4), 11
    visitor.emitted[RowId(SESSION, "", "s", 5)] = 2**63
    visitor.counted[0, "", 0, 0] = Tally(1, 1)
    bucket.times.due[visitor_key("shop", "ann", "s")] = 0
    bucket.add_steps(("shop", 0), ("checkout", 1, 0), Tally(2, 1))
    bucket.loose["e9"] = 44
    bucket.flood["e8"] = 44
    return bucket


def test_keys_split_into_what_they_were_made_of() -> None:
    assert split_key(visitor_key("shop", "ann", "s1")) == ("shop", "ann")
    assert split_key(visitor_key("shop", "", "s1")) == ("shop", "")


def test_a_session_never_meets_a_visitor_of_the_same_id() -> None:
    assert visitor_key("shop", "x", "") != visitor_key("shop", "", "x")
    assert visitor_key("shop", "x", "") != visitor_key("blog", "x", "")


def rest(values: Shelf[str, list[int]], hot: str = "") -> dict[str, list[int]]:
    """Put `values` to rest, but for the one named `hot`; what was packed."""
    pieces = values.packed()
    sizes = {key: len(piece) for key, piece in pieces.items()}
    values.rest(b"head" + b"".join(pieces.values()), 4, sizes, lambda key: key == hot)
    return {key: msgspec.msgpack.decode(piece) for key, piece in pieces.items()}


def test_a_value_on_a_shelf_is_the_same_object_until_it_rests() -> None:
    values = shelf()
    values.put("a", [1])
    (values.get("a") or []).append(2)
    assert rest(values) == {"a": [1, 2]}
    assert (values.hot, [*values.keys()]) == ({}, ["a"])
    assert values.get("a") == [1, 2]
    assert (list(values.hot), [*values.keys()], len(values)) == (["a"], ["a"], 1)


def test_what_rests_is_packed_with_what_is_hot() -> None:
    values = shelf()
    values.put("cold", [1])
    rest(values)
    values.put("hot", [2])
    assert rest(values, "hot") == {"cold": [1], "hot": [2]}
    assert (list(values.hot), sorted(values.keys())) == (["hot"], ["cold", "hot"])
    assert (values.get("cold"), values.get("hot")) == ([1], [2])


def test_what_rests_again_and_again_keeps_its_value() -> None:
    values = shelf()
    for n in range(20):
        values.put(f"v{n}", [n] * n)
    rest(values, "v3")
    values.drop("v7")
    (values.get("v9") or []).append(1)
    rest(values)
    expected = {f"v{n}": [n] * n for n in range(20) if n != 7} | {"v9": [9] * 9 + [1]}
    assert rest(values) == expected
    assert {key: values.get(key) for key in expected} == expected


def test_what_is_put_to_rest_is_packed_until_it_is_asked_for() -> None:
    values = shelf()
    values.put("a", [1])
    values.put("b", [2])
    values.put_to_rest("a")
    values.put_to_rest("never there")
    assert (list(values.hot), sorted(values.keys()), len(values)) == (["b"], ["a", "b"], 2)
    assert (values.get("a"), values.hot) == ([1], {"a": [1], "b": [2]})
    values.put_to_rest("b")
    assert rest(values) == {"a": [1], "b": [2]}
    assert (values.get("a"), values.get("b"), len(values)) == ([1], [2], 2)
    values.put_to_rest("a")
    values.drop("a")
    assert [*values.keys()] == ["b"]


def test_a_change_after_it_was_packed_is_packed_next() -> None:
    values = shelf()
    values.put("a", [1])
    rest(values, "a")
    (values.get("a") or []).append(2)
    assert rest(values, "a") == {"a": [1, 2]}


def test_a_dropped_value_is_gone_hot_or_at_rest() -> None:
    values = shelf()
    values.put("hot", [1])
    values.put("cold", [1])
    rest(values, "hot")
    values.drop("hot")
    values.drop("cold")
    values.drop("never there")
    assert (len(values), values.get("hot"), values.get("cold")) == (0, None, None)


@pytest.mark.parametrize("hot", [True, False])
def test_a_bucket_comes_back_as_it_was(hot: bool) -> None:
    bucket = filled()
    packed = bucket.dump(lambda _: hot)
    back = Bucket.load(packed)
    for name in ("offsets", "loose", "flood"):
        assert getattr(back, name) == getattr(bucket, name), name
    assert (back.times.due, back.times.ends) == (bucket.times.due, bucket.times.ends)
    ann = visitor_key("shop", "ann", "s")
    assert [*back.visitors.keys()] == [*bucket.visitors.keys()] == [ann]
    assert back.visitors.get(ann) == bucket.visitors.get(ann)
    assert back.cohorts.get(("shop", 0)) == {("checkout", 1, 0): Tally(2, 1)}


def test_a_blob_of_another_format_is_refused() -> None:
    zstd_of_before = b"\x28\xb5\x2f\xfd" + filled().dump(lambda _: False)
    with pytest.raises(FormatError, match="bucket 5 is in format 40, this version reads and writes 3"):
        Bucket.load(zstd_of_before, 5)


def test_ids_of_nobodys_events_are_forgotten_by_their_receipt() -> None:
    bucket = filled()
    bucket.forget(0, 44)
    assert (bucket.loose, bucket.flood) == ({"e9": 44}, {"e8": 44})
    bucket.forget(0, 45)
    assert (bucket.loose, bucket.flood) == ({}, {})


def test_of_a_flood_only_the_newest_ids_are_remembered() -> None:
    bucket = Bucket()
    flood = [make_fact(n, event_id=f"e{n}") for n in range(FLOOD_KEPT + 1)]
    assert not any(bucket.met(one, is_hot=True) for one in flood)
    assert len(bucket.flood) == FLOOD_KEPT
    assert bucket.met(flood[-1], is_hot=True)
    assert not bucket.met(flood[0], is_hot=True)
    assert bucket.loose == {}


def test_cohorts_are_forgotten_by_their_minute() -> None:
    bucket = filled()
    bucket.add_steps(("shop", MINUTE), ("checkout", 1, 0), Tally(1))
    bucket.forget(MINUTE, 0)
    assert [*bucket.cohorts.keys()] == [("shop", MINUTE)]
    assert Bucket.load(bucket.dump(lambda _: False)).cohorts_since == MINUTE


def test_step_counts_add_up() -> None:
    bucket = Bucket()
    bucket.add_steps(("shop", 0), ("checkout", 1, 1), Tally(2, 1, value=5))
    bucket.add_steps(("shop", 0), ("checkout", 1, 1), Tally(-1, 0, abandoned=1))
    assert bucket.cohorts.get(("shop", 0)) == {("checkout", 1, 1): Tally(1, 1, abandoned=1, value=5)}
