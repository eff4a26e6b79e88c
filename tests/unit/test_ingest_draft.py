"""The draft stands for what is documented on one side and stored on the other."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ingest.draft import Draft
from schemas.event import Event
from schemas.openapi import IncomingEvent

OURS = {"client_ts", "ts_source", "is_hot", "error_class", "fingerprint"}
OF_THE_REQUEST = {"site", "received_at", "sent_at"}
CLIENTS_ONLY = {"timestamp", "sent_at", "user_agent"}


def fields(struct: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.name: field for field in msgspec.structs.fields(struct)}


def test_what_a_client_may_send_is_what_is_documented() -> None:
    documented, read = fields(IncomingEvent), fields(Draft)
    assert {name: field for name, field in read.items() if name not in OURS} == documented


def test_what_is_written_are_the_fields_of_an_event_in_their_order() -> None:
    written = [name for name in Draft.__struct_fields__ if name not in CLIENTS_ONLY]
    # `type` has no default and comes first, as `event_id`, `kind` and `ts` do in an Event.
    assert sorted(written[:4]) == sorted(["event_id", "kind", "type", "ts"])
    assert written[4:] == [name for name in Event.__struct_fields__[6:] if name not in OF_THE_REQUEST]
    assert set(written) | OF_THE_REQUEST == set(Event.__struct_fields__)


@pytest.mark.parametrize("name", sorted(OURS - {"client_ts"}))
@pytest.mark.parametrize("said", ["x", 1, 2, 1.5, True, False, [], {}])
def test_no_client_fills_a_field_of_ours(name: str, said: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode({"type": "click", name: said}), type=Draft)
