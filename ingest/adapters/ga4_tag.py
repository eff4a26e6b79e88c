"""Google Analytics 4's tag in the page (gtag.js with `server_container_url`): `/g/collect`.

The wire format is undocumented; what stands here is what public analyses of it agree on. The write key is the
measurement id (`tid`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ingest.adapters.adapter import Adapter, Answer, Request
from ingest.adapters.bodies import check_shared
from ingest.adapters.credentials import query_key, standard_key
from ingest.adapters.fields import cut_id, text
from ingest.adapters.form import arguments_of, texts_of
from ingest.adapters.ga4_event import event_of
from ingest.adapters.values import number
from ingest.decode import Item, Submission, too_many_events
from schemas.openapi import Verdicts

_PROPS: Final = {"_et": "engagement_time_msec", "cu": "currency", "ul": "language", "sr": "screen"}
_PRODUCT: Final = re.compile(r"pr\d{1,3}")
_PRODUCT_FIELDS: Final = {
    **{"id": "product_id", "nm": "name", "br": "brand", "ca": "category", "va": "variant", "cp": "coupon"},
    **{"pr": "price", "qt": "quantity"},
}


def _read(request: Request) -> Submission:
    """One event in the query, or one in each line of the body with what they share in the query."""
    shared = request.arguments()
    lines = [line for line in request.body.splitlines() if line.strip()]
    if len(lines) > request.max_events:
        raise too_many_events(len(lines), request.max_events)
    check_shared(request, len(request.query), len(lines))
    hits = [shared | texts_of(arguments_of(line)) for line in lines] or [shared]
    return Submission(
        items=[_event_of(hit) for hit in hits], originals=lambda: [msgspec.json.encode(hit) for hit in hits]
    )


def _event_of(hit: Mapping[str, str]) -> Item:
    params: dict[str, Any] = {ours: hit[theirs] for theirs, ours in _PROPS.items() if theirs in hit}
    items = []
    for name, value in hit.items():
        prefix, _, param = name.partition(".")
        if prefix in ("ep", "up") and param:
            params[param] = value
        elif prefix in ("epn", "upn") and param:
            params[param] = number(value)
        elif _PRODUCT.fullmatch(name):
            items.append(_product(value))
    if items:
        params["items"] = items
    user = cut_id(hit.get("uid"))
    return event_of(
        hit.get("en", ""),
        params,
        visitor_id=cut_id(hit.get("cid"), user),
        session_id=cut_id(hit.get("sid")),
        user_id=user,
        url=text(hit.get("dl")),
        title=text(hit.get("dt")),
        referrer=text(hit.get("dr")),
    )


def _product(value: str) -> dict[str, Any]:
    """A product of parts such as `idP1~nmShirt~pr10~qt2`."""
    parts = ((part[:2], part[2:]) for part in value.split("~"))
    found: dict[str, Any] = {_PRODUCT_FIELDS[key]: content for key, content in parts if key in _PRODUCT_FIELDS}
    return found | {name: number(found[name]) for name in ("price", "quantity") if name in found}


def _key(request: Request) -> bytes:
    return query_key(request.query, b"tid") or standard_key(request.headers, request.query)


def _answer(_request: Request, _submission: Submission, _verdicts: Verdicts) -> Answer:
    return Answer(status=204, body=b"")


GA4_TAG: Final = Adapter(
    name="ga4_tag",
    read=_read,
    answer=_answer,
    key=_key,
    key_place="The write key is the tag's measurement id (`tid`).",
    prefers_spool=True,
)
