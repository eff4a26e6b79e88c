"""Packed visitors come back as they were, whatever their events' ids look like."""

from __future__ import annotations

import uuid

import msgspec
import pytest

from processors.domain.packing import pack_ids, pack_visitor, unpack_ids, unpack_visitor
from processors.domain.visitor import SESSION, RowId, Visitor
from tests.unit.test_domain_fact import make_fact

UUIDS = [str(uuid.UUID(int=n**20)) for n in range(1, 20)]
HEX = [text.replace("-", "") for text in UUIDS]


def visitor_with(*ids: str) -> Visitor:
    visitor = Visitor("shop", "ann", emitted={RowId(SESSION, "", "s", 5): 2**63}, newest=0)
    for n, event_id in enumerate(ids):
        visitor.add(make_fact(n + 1, event_id=event_id))
    return visitor


@pytest.mark.parametrize(
    "ids",
    [[], ["a", "b"], UUIDS, HEX, [HEX[0], UUIDS[1]], ["a", *HEX]],
    ids=["none", "own", "uuid", "hex", "both", "any"],
)
def test_a_packed_visitor_comes_back_and_stays_as_it_was(ids: list[str]) -> None:
    visitor, before = visitor_with(*ids), msgspec.structs.asdict(visitor_with(*ids))
    packed = pack_visitor(visitor)
    assert msgspec.structs.asdict(visitor) == before
    back = unpack_visitor(packed)
    assert msgspec.structs.asdict(back) == before
    assert [(key, fact.event_id) for key, fact in back.facts.items()] == [(i, i) for i in ids]


@pytest.mark.parametrize("ids", [UUIDS, HEX])
def test_random_ids_take_sixteen_bytes_each(ids: list[str]) -> None:
    assert len(pack_ids(ids)) == 1 + 16 * len(ids)


@pytest.mark.parametrize(
    "ids",
    [
        [HEX[0][:-1], HEX[1] + "0"],  # the length of both together is right
        [HEX[0].upper(), "F" * 32],
        ["0" * 30 + "  "],
        [UUIDS[0].replace("-", "", 1) + "-"],
        ["-" * 36],
        ["0" * 300],
        [""],
    ],
    ids=["lengths", "capitals", "blanks", "dashes", "only dashes", "long", "empty"],
)
def test_what_only_looks_like_random_ids_is_kept_as_it_is(ids: list[str]) -> None:
    assert pack_ids(ids) == ids
    assert unpack_ids(pack_ids(ids)) == ids
