"""Planted incidents: what a file may say, and that they do to conversion what it says, and to nobody else anything."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import get_args

import jsonschema
import orjson
import pytest

from schemas import truth_schema
from schemas.rules import FRICTION_RULES
from schemas.truth import TruthConfounder, TruthIncident, TruthRun, TruthSession, decode
from snag.simulator.block import Plan
from snag.simulator.incidents import IncidentKind, IncidentsError, load_script, parse_script
from snag.simulator.stream import arrivals
from snag.simulator.truth import SIGNALS
from snag.simulator.truth_file import truth_file

START_MS = 1_795_000_000_000

DECLINES = """
[[incident]]
id = "declines"
kind = "payment_decline"
start = "+1h"
end = "+5h"
conversion = 0.43
segment = { device = "mobile" }
"""


def truth_of(text: str, tmp_path: Path, visitors: int = 6000) -> tuple[list[TruthSession], list[TruthIncident], bytes]:
    plan = Plan(3, START_MS, visitors, 0.3, script=parse_script(text, "test"))
    with truth_file(tmp_path / "truth", plan, None) as on_block:
        data = b"\n".join(line for arrived in arrivals(plan, on_block=on_block) for line in arrived.lines)
    records = [decode(line) for line in (tmp_path / "truth").read_bytes().splitlines()]
    assert isinstance(records[0], TruthRun)
    return (
        [record for record in records if isinstance(record, TruthSession)],
        [record for record in records if isinstance(record, TruthIncident)],
        data,
    )


def test_an_incident_cuts_conversion_as_said_and_only_for_its_segment_and_time(tmp_path: Path) -> None:
    sessions, (incident,), _ = truth_of(DECLINES, tmp_path)
    met = [session for session in sessions if session.met]
    assert len(met) == incident.met_sessions > 100
    would = [session for session in met if session.stage_without == "ordered"]
    did = [session for session in met if session.stage == "ordered"]
    assert len(would) / len(met) == pytest.approx(0.82, abs=0.06)
    assert len(did) / len(met) == pytest.approx(0.82 * 0.43, abs=0.08)
    lost = [session for session in sessions if session.lost_to]
    assert all(session.stage == "payment" and session.friction["payment_failed_soft"] for session in lost)
    assert len(lost) == incident.lost_orders == len(would) - len(did)
    assert incident.lost_value == pytest.approx(sum(session.value for session in lost))
    assert all(session.stage == session.stage_without for session in sessions if not session.met)


def test_nobody_else_does_anything_differently(tmp_path: Path) -> None:
    sessions, _, with_it = truth_of(DECLINES, tmp_path, visitors=1500)
    _, _, without = truth_of("", tmp_path, visitors=1500)
    struck = {session.session_id.encode() for session in sessions if session.met}

    def session_of(line: bytes) -> bytes:
        return line.partition(b'"session_id":"')[2].partition(b'"')[0]

    def others(data: bytes) -> set[bytes]:
        return {
            line for line in data.splitlines() if line.partition(b'"session_id":"')[2].partition(b'"')[0] not in struck
        }

    assert struck
    assert others(with_it) == others(without)


@pytest.mark.parametrize("kind", get_args(IncidentKind))
def test_every_kind_shows_as_it_says(kind: str, tmp_path: Path) -> None:
    text = f'[[incident]]\nid = "it"\nkind = "{kind}"\nstart = "+0h"\nend = "+9d"\nconversion = 0.5\n'
    sessions, (incident,), data = truth_of(text, tmp_path, visitors=600)
    assert set(incident.signals) <= FRICTION_RULES.keys()
    met = [session for session in sessions if session.met]
    assert met and all(session.friction.get(signal) for session in met for signal in SIGNALS[kind])
    assert incident.lost_orders > 0
    if incident.error_message:
        assert json.dumps(incident.error_message).encode() in data


def test_a_confounder_changes_who_goes_on_and_is_no_cause(tmp_path: Path) -> None:
    text = '[[confounder]]\nid = "careful"\nkind = "help_sought"\nshare = 0.5\nintent = 0.6\n'
    sessions, incidents, _ = truth_of(text, tmp_path)
    assert not incidents
    assert all(session.stage == session.stage_without for session in sessions)
    ends = Counter(
        (bool(session.confounders), session.stage == "ordered")
        for session in sessions
        if session.stage in {"payment", "ordered"}
    )
    bought = {shows: ends[shows, True] / (ends[shows, True] + ends[shows, False]) for shows in (True, False)}
    assert bought[False] == pytest.approx(0.82, abs=0.06)
    assert bought[True] == pytest.approx(0.82 * 0.6, abs=0.08)


def test_the_truth_fits_its_schema(tmp_path: Path) -> None:
    truth_of(DECLINES + '[[confounder]]\nid = "c"\nkind = "long_browsing"\nshare = 0.2\nintent = 0.5\n', tmp_path, 300)
    schema = truth_schema.document()
    lines = (tmp_path / "truth").read_bytes().splitlines()
    assert isinstance(decode(lines[-1]), TruthConfounder)
    for line in lines[:100] + lines[-3:]:
        jsonschema.validate(json.loads(line), schema)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("+5h", "+1h"), "end '+1h' is not after start '+1h'"),
        (("+5h", "soon"), "'soon' is no time"),
        (("+5h", "2026-11-25T10:00:00"), "has no time zone"),
        (("payment_decline", "earthquake"), "Invalid enum value 'earthquake'"),
        (("mobile", "toaster"), "segment.device 'toaster' is nobody's; there are desktop, mobile, tablet"),
        (("0.43", "1.5"), "conversion"),
        (("conversion", "convertion"), "convertion"),
        (("[[incident]]", "[[incident]"), "declines.toml"),
    ],
)
def test_a_wrong_file_is_told_what_is_wrong(change: tuple[str, str], says: str, tmp_path: Path) -> None:
    path = tmp_path / "declines.toml"
    path.write_text(DECLINES.replace(*change))
    with pytest.raises(IncidentsError, match=r"declines\.toml.*docs/simulator\.md") as error:
        load_script(path)
    assert says in str(error.value)


def test_two_of_one_name_and_a_missing_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(IncidentsError, match="'declines' is there twice"):
        parse_script(DECLINES * 2, "x")
    with pytest.raises(IncidentsError, match="readable UTF-8 file"):
        load_script(tmp_path / "gone.toml")


def test_people_come_again_and_some_buy_what_they_left() -> None:
    types: dict[str, set[str]] = defaultdict(set)
    for arrived in arrivals(Plan(5, START_MS, 3000, 0.01, swings=True)):
        for event in map(orjson.loads, arrived.lines):
            types[event["session_id"]].add(event["type"])
    later = [session for session in types if "." in session]
    assert len(later) / 3000 == pytest.approx(0.9 * (0.35 + 0.35**2), abs=0.04)
    taken_up = [name for name in later if "order_completed" in types[name] and "product_added" not in types[name]]
    assert len(taken_up) > 20
    for session in taken_up:
        first = session.partition(".")[0]
        visits = [found for name, found in types.items() if name.partition(".")[0] == first and name < session]
        assert any("product_added" in found and "order_completed" not in found for found in visits)
