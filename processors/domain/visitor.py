"""A visitor's state: the set of facts, and what was said about them so far."""

from __future__ import annotations

from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from processors.domain.fact import Fact
from processors.domain.funnels.cohort import CohortKey, Tally
from processors.domain.stretch import Stretch

SESSION, ATTEMPT, SIGNAL, COHORT = 0, 1, 2, 3
"""Tables of derived rows, as codes in a RowId."""

_order: Final = attrgetter("ts", "event_id")


class RowId(NamedTuple):
    """What makes a derived row one row: table code, name (funnel, signal or ""), id, and its time in Unix ms."""

    table: int
    name: str
    id: str
    at: int


NewRow = tuple[int, str, RowId]
"""(bucket, visitor key, row id) of a row said for the first time; of a cohort, the site stands for the visitor."""


class Visitor(msgspec.Struct, array_like=True):
    """One visitor of one site.

    `facts` by event id, so a repeat is recognised for as long as the state lives; in event order unless `disordered`.
    `before` is the stretch whose facts were let go and which those held may go on with, `newest` the latest event time
    of all (Unix ms), `bucket` the number of the bucket it lies in, `session_id` the one last heard of.
    `emitted` holds a digest of each row last emitted; `counted` what this visitor adds to shared per-minute counts;
    `patience`: by open attempt, its step and how long (ms) that may take; `learnt`: receipt time (Unix ms) up to which
    its step times were learnt.
    """

    site: str
    visitor_id: str
    facts: dict[str, Fact] = {}
    before: Stretch | None = None
    emitted: dict[RowId, int] = {}
    counted: dict[CohortKey, Tally] = {}
    last_emit: int = 0
    newest: int = 0
    patience: dict[str, tuple[int, int]] | None = None
    learnt: int = 0
    disordered: bool = False
    bucket: int = 0
    session_id: str = ""

    def session(self, session_id: str) -> str:
        """`session_id`, as the one text that all facts of a session share."""
        if session_id != self.session_id:
            self.session_id = session_id
        return self.session_id

    def add(self, fact: Fact) -> None:
        """Take in a fact that is new to this visitor."""
        self.facts[fact.event_id] = fact
        if fact.ts > self.newest:
            self.newest = fact.ts
        else:
            self.disordered = True

    def in_order(self) -> list[Fact]:
        """The facts by event time, then id."""
        if self.disordered:
            facts = sorted(self.facts.values(), key=_order)
            self.facts = {fact.event_id: fact for fact in facts}
            self.disordered = False
            return facts
        return list(self.facts.values())

    def let_go(self, cut: int) -> list[Fact]:
        """Drop the facts before `cut` (event time, Unix ms) and the ids of their rows; the facts, in event order."""
        gone = [fact for fact in self.in_order() if fact.ts < cut]
        for fact in gone:
            del self.facts[fact.event_id]
        for row_id in [row_id for row_id in self.emitted if row_id.at < cut]:
            del self.emitted[row_id]
        return gone

    def distrust(self) -> None:
        """Forget the digests: rows may have been emitted that this state does not know of, so all are emitted again."""
        for row_id in self.emitted:
            self.emitted[row_id] = 0
