"""Web vitals: the metric object of the `web-vitals` library, one or an array of them."""

from __future__ import annotations

from typing import Any, Final

from ingest.adapters.adapter import Adapter, Request
from ingest.adapters.bodies import pieces_of, read_pieces
from ingest.adapters.fields import cut_id, event, part, text
from ingest.adapters.native import verdicts_answer
from ingest.adapters.values import present, snake_case
from ingest.decode import Item, Submission

_IDS: Final = ("visitor_id", "session_id", "user_id")
_FIELDS: Final = (*_IDS, "url", "page", "element", "release", "ts", "timestamp")  # what a page may add to a metric
_TARGETS: Final = ("interactionTarget", "target", "largestShiftTarget", "element")  # in the attribution build
_NOT_KEPT: Final = frozenset({"entries", "navigationURL", "navigationStartTime", "attribution", *_FIELDS})


def _read(request: Request) -> Submission:
    pieces = pieces_of(request)
    page_url = request.header(b"referer").decode("latin-1")
    return Submission(items=read_pieces(pieces, lambda metric: _event_of(metric, page_url)), originals=lambda: pieces)


def _event_of(metric: dict[str, Any], page_url: str) -> Item:
    """The event of one metric. `page_url`, the request's referrer, stands in where the metric names no URL.

    A metric is reported anew as its value grows, under one id; id and value together name the report.
    """
    metric_id = text(metric.get("id"))
    attribution = part(metric, "attribution")
    return event(
        "web_vital",
        present({snake_case(name): value for name, value in metric.items() if name not in _NOT_KEPT}),
        event_id=cut_id(f"{metric_id}:{text(metric.get('value'))}") if metric_id else None,
        url=text(metric.get("url"), metric.get("navigationURL"), page_url),
        page=text(metric.get("page")),
        element=text(metric.get("element"), *map(attribution.get, _TARGETS)),
        release=text(metric.get("release")),
        ts=metric.get("ts"),
        timestamp=metric.get("timestamp"),
        **{name: cut_id(metric.get(name)) for name in _IDS},
    )


WEB_VITALS: Final = Adapter(name="vitals", read=_read, answer=verdicts_answer, prefers_spool=True)
