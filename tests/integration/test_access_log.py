"""A real site's access log through the whole stack: what ClickHouse holds equals an independent count over the file."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest

from tests.support.running import RunningStack, running_stack
from tests.support.wait import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

LOG = Path(__file__).parents[1] / "data" / "access-log.ndjson.gz"
DEADLINE_S = 120
# What a reader of the log would call a file and not a page; on purpose not the importer's own list.
FILES = (
    *(".png", ".css", ".ico", ".jpg", ".js", ".txt", ".gif", ".jar", ".ttf", ".pdf", ".xml", ".svg", ".exe", ".gz"),
    *(".jpeg", ".woff", ".doc"),
)


@dataclass
class Count:
    """A plain reading of the log, none of the project's code in it."""

    requests: int = 0
    page_views: int = 0
    errors: Counter[int] = field(default_factory=Counter)
    times: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))

    def sessions(self) -> Counter[str]:
        """Sessions by visitor: split where more than 30 minutes pass, and 24 hours after a session's start."""
        found: Counter[str] = Counter()
        for visitor, times in self.times.items():
            start = previous = None
            for moment in sorted(times):
                idle = previous is None or moment - previous > timedelta(minutes=30)
                if idle or start is None or moment - start >= timedelta(hours=24):
                    found[visitor] += 1
                    start = moment
                previous = moment
        return found


def count_log() -> Count:
    count = Count()
    with gzip.open(LOG, "rt") as file:
        for line in file:
            request = json.loads(line)
            count.requests += 1
            count.times[request["visitor"]].append(datetime.fromisoformat(request["ts"]))
            status, path = request["status"], request["path"].split("?")[0].split("#")[0]
            if status >= 400:
                count.errors[status] += 1
            elif request["method"] == "GET" and (status < 300 or status == 304) and not path.lower().endswith(FILES):
                count.page_views += 1
    return count


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


def stored(stack: RunningStack) -> int:
    return int(
        stack.query("SELECT (SELECT count() FROM clickstream FINAL) + (SELECT count() FROM errors FINAL) AS n")[0]["n"]
    )


def test_a_real_access_log_is_counted_as_an_independent_reader_counts_it(stack: RunningStack) -> None:
    count = count_log()
    before = stored(stack)  # the probe event of the start
    said = orjson.loads(stack.snag("import", "access-log", str(LOG), "--json").stdout)
    assert (said["lines"], said["accepted"], said["rejected"], said["unparsable_lines"]) == (count.requests,) * 2 + (
        0,
        0,
    )
    assert said["errors_by_status"] == {str(status): n for status, n in count.errors.items()}
    wait_for(lambda: stored(stack) == before + count.requests, DEADLINE_S, "every request is in ClickHouse once")

    era = "ts < '2016-01-01'"
    views = stack.query(f"SELECT count() AS n FROM clickstream FINAL WHERE type = 'page_view' AND {era}")
    assert views[0]["n"] == count.page_views == said["page_views"]
    errors = stack.query(
        f"SELECT toUInt32(props['status']) AS status, count() AS n FROM errors FINAL WHERE {era} GROUP BY 1"
    )
    assert {row["status"]: row["n"] for row in errors} == count.errors
    classes = stack.query(f"SELECT error_class AS class, count() AS n FROM errors FINAL WHERE {era} GROUP BY 1")
    server_errors = sum(n for status, n in count.errors.items() if status >= 500)
    assert {row["class"]: row["n"] for row in classes} == {
        "http_4xx": count.errors.total() - server_errors,
        "http_5xx": server_errors,
    }
    visitors = stack.query(
        f"SELECT uniqExact(visitor_id) AS n FROM (SELECT visitor_id FROM clickstream FINAL WHERE {era} "
        f"UNION ALL SELECT visitor_id FROM errors FINAL WHERE {era})"
    )
    assert visitors[0]["n"] == len(count.times) == said["visitors"]

    expected = count.sessions()

    def sessions() -> dict[str, int]:
        rows = stack.query(
            "SELECT visitor_id, count() AS n FROM sessions FINAL WHERE started_at < '2016-01-01' GROUP BY visitor_id"
        )
        return {row["visitor_id"]: row["n"] for row in rows}

    wait_for(lambda: sum(sessions().values()) >= expected.total(), DEADLINE_S, "every session is in ClickHouse")
    wait_for(lambda: sessions() == expected, DEADLINE_S, "each visitor has the sessions of an independent count")
    parts = (
        "SELECT sum(events) AS events, sum(page_views) AS page_views, sum(errors) AS errors "
        "FROM sessions FINAL WHERE started_at < '2016-01-01'"
    )
    whole = {"events": count.requests, "page_views": count.page_views, "errors": count.errors.total()}
    wait_for(lambda: stack.query(parts)[0] == whole, DEADLINE_S, "the sessions hold every request")


def test_importing_the_log_again_adds_nothing(stack: RunningStack) -> None:
    stack.snag("import", "access-log", str(LOG))
    stack.snag("import", "access-log", str(LOG))
    # Behind the repeats in every partition of both topics comes a marker: once it is stored, so are they.
    markers = [
        {"type": type_, "kind": kind, "visitor_id": f"marker-{n}", "event_id": f"marker-{kind}-{n}"}
        for n in range(100)
        for type_, kind in (("page_view", "clickstream"), ("js_error", "error"))
    ]
    stack.snag("send", "-", stdin="\n".join(map(json.dumps, markers)))
    arrived = (
        "SELECT (SELECT count() FROM clickstream FINAL WHERE visitor_id LIKE 'marker-%') "
        "+ (SELECT count() FROM errors FINAL WHERE visitor_id LIKE 'marker-%') AS n"
    )
    wait_for(lambda: stack.query(arrived)[0]["n"] == len(markers), DEADLINE_S, "the markers are stored")
    era = "ts < '2016-01-01'"
    held = stack.query(
        f"SELECT (SELECT count() FROM clickstream FINAL WHERE {era}) "
        f"+ (SELECT count() FROM errors FINAL WHERE {era}) AS n"
    )
    assert held[0]["n"] == count_log().requests
