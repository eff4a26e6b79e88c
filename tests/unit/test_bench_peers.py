"""The bench's state-a-visitor way through the domain says the same of visitors as a partition does."""

from __future__ import annotations

import json
from typing import Any

from bench.live.peers.rows import VisitorRules
from processors.domain.bucket import Bucket
from processors.domain.fact import decode_lines
from processors.domain.partition import Partition
from processors.domain.rules import Rules
from schemas import topics
from schemas.funnel import load_funnels
from tests.property.test_domain_harness import TOPICS
from tests.unit.test_domain_partition import BASE, SECOND
from tests.unit.test_domain_products import EVENTS


def newest(said: list[tuple[str, bytes]]) -> dict[tuple[str, str], Any]:
    rows = [(name, json.loads(text)) for name, text in said]
    rows.sort(key=lambda row: int(row[1].pop("version")))  # rises also where nothing else changes
    ids = {topics.SESSIONS.name: "session_id", topics.FUNNELS.name: "attempt_id", topics.SIGNALS.name: "signal_id"}
    return {(name, row[ids[name]]): row for name, row in rows if name in ids}


def test_a_state_a_visitor_gives_the_rows_of_a_partition() -> None:
    lines = [json.dumps(event).encode() for event in EVENTS]
    rules, packed, said = VisitorRules(), None, []
    for line in [*lines, lines[0]]:  # the repeat says nothing
        packed, rows = rules.hear(line, packed)
        said += rows

    state = Partition(0, [Bucket()], Rules(funnels=load_funnels()), {})
    state.apply("clickstream", 0, decode_lines(b"\n".join(lines))[0])
    state.advance(BASE + 10 * SECOND, dict.fromkeys(TOPICS, True))
    emission = state.emit(BASE + 10 * SECOND)
    expected = newest([(name, text) for name, rows in emission.rows.items() for text in rows])
    assert {name for name, _ in expected} == {topics.SESSIONS.name, topics.FUNNELS.name, topics.SIGNALS.name}
    assert newest(said) == expected
