"""`POST /v1/forget`: puts a visitor or a user on the erase list."""

from __future__ import annotations

from typing import Final

import msgspec

from ingest.adapters.adapter import Adapter, Answer, Request
from ingest.decode import Submission
from ingest.refusal import RequestError
from schemas.openapi import ForgetRequest, Verdicts

_LISTED: Final = Answer(body=b'{"listed":true}')

_decode: Final = msgspec.json.Decoder(ForgetRequest).decode


def _read(request: Request) -> Submission:
    try:
        asked = _decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError("nobody_to_forget", str(error)) from error
    if not (asked.visitor_id or asked.user_id):
        raise RequestError("nobody_to_forget")
    return Submission(items=(), originals=lambda: (), forget=asked)


def _answer(_request: Request, _submission: Submission, _verdicts: Verdicts) -> Answer:
    return _LISTED


FORGET: Final = Adapter(name="forget", read=_read, answer=_answer)
