"""Our own format: `POST /v1/events`."""

from __future__ import annotations

from typing import Final

import msgspec

from ingest.adapters.adapter import Adapter, Answer, Request
from ingest.adapters.bodies import form_field, is_form, json_of
from ingest.adapters.form import arguments_of, texts_of
from ingest.adapters.pixel import event_of_texts
from ingest.decode import Submission, decode_native
from schemas.openapi import Verdicts

_ALL_ACCEPTED: Final = [
    Answer(body=msgspec.json.encode(Verdicts(accepted=count, rejected=[]))) for count in range(101)
]  # the answers to most requests


def _read(request: Request) -> Submission:
    body = request.body
    if is_form(body):
        arguments = arguments_of(body)
        if form_field(arguments) is None:  # the event's fields themselves
            return Submission((event_of_texts(texts_of(arguments)),), lambda: (body,))
        body = json_of(request)
    ndjson = b"ndjson" in request.header(b"content-type")
    return decode_native(body, ndjson=ndjson, max_events=request.max_events)


def verdicts_answer(_request: Request, _submission: Submission, verdicts: Verdicts) -> Answer:
    """The verdicts as they are."""
    if verdicts.rejected or verdicts.accepted >= len(_ALL_ACCEPTED):
        return Answer(body=msgspec.json.encode(verdicts))
    return _ALL_ACCEPTED[verdicts.accepted]


NATIVE: Final = Adapter(name="events", read=_read, answer=verdicts_answer)
