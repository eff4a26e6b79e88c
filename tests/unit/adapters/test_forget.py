"""Who is to be forgotten, as a client asks for it."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.adapters.forget import FORGET
from ingest.refusal import RequestError
from schemas.openapi import ForgetRequest, Verdicts
from tests.support.wire import request


@pytest.mark.parametrize("asked", [{"visitor_id": "v"}, {"user_id": "u"}, {"visitor_id": "v", "user_id": "u"}])
def test_a_visitor_a_user_or_both(asked: dict[str, str]) -> None:
    submission = FORGET.read(request("/v1/forget", asked))
    assert submission.forget == ForgetRequest(**asked)
    assert not submission.items
    answer = FORGET.answer(request("/v1/forget"), submission, Verdicts(accepted=0, rejected=[]))
    assert (answer.status, answer.body) == (200, b'{"listed":true}')


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", b"\xff", b"[" * 100_000, {}, [], {"visitor_id": ""}, {"visitor_id": 7}, {"user_id": "x" * 201}],
)
def test_whoever_names_nobody_is_told_so(body: Any) -> None:
    with pytest.raises(RequestError) as caught:
        FORGET.read(request("/v1/forget", body))
    assert (caught.value.status, caught.value.code) == (400, "nobody_to_forget")
