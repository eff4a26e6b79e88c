"""The generated descriptions say what the code says; of a stale one, the message names the command."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any, get_args

import jsonschema
import msgspec
import pytest

from schemas import asyncapi, openapi, signals_doc, truth_schema
from schemas import jsonschema as event_schema
from schemas.event import Event, from_ms
from schemas.topics import ALL
from snag.simulator import doc as simulator_doc


@pytest.mark.parametrize("module", [openapi, asyncapi, event_schema, truth_schema], ids=lambda module: module.__name__)
def test_the_committed_file_is_what_the_code_says(module: ModuleType) -> None:
    committed = json.loads(module.PATH.read_text()) if module.PATH.exists() else None
    assert committed == json.loads(json.dumps(module.document())), (
        f"{module.PATH.name} is stale: run `python -m {module.__name__}` and commit it"
    )


@pytest.mark.parametrize("module", [openapi, asyncapi, event_schema, truth_schema], ids=lambda module: module.__name__)
def test_every_reference_resolves(module: ModuleType) -> None:
    document = module.document()

    def check(node: Any) -> int:
        if isinstance(node, list):
            return sum(check(child) for child in node)
        if not isinstance(node, dict):
            return 0
        found = 0
        if isinstance(reference := node.get("$ref"), str):
            target = document
            for part in reference.removeprefix("#/").split("/"):
                target = target[part]
            found = 1
        return found + sum(check(child) for child in node.values())

    assert check(document) > 0


def test_the_list_of_signals_is_what_the_code_says() -> None:
    assert signals_doc.PATH.read_text() == signals_doc.document(), (
        "docs/signals.md is stale: run `python -m schemas.signals_doc` and commit it"
    )


def test_the_simulator_s_page_is_what_the_code_says() -> None:
    assert simulator_doc.PATH.read_text() == simulator_doc.document(), (
        "docs/simulator.md is stale: run `python -m snag.simulator.doc` and commit it"
    )


def test_every_topic_is_described() -> None:
    assert set(asyncapi.document()["channels"]) == {topic.name for topic in ALL} == set(asyncapi.PAYLOADS)


def test_every_code_has_a_fix() -> None:
    assert set(openapi.EVENT_CODES) == set(get_args(openapi.EventCode))
    assert set(openapi.REQUEST_CODES) == set(get_args(openapi.RequestCode))
    assert all(refusal.message and refusal.fix for refusal in openapi.REQUEST_CODES.values())


def test_an_encoded_event_fits_the_schema_and_a_wrong_one_does_not() -> None:
    moment = from_ms(1_764_000_000_123)
    event = Event(event_id="e", site="shop", kind="error", type="crash", ts=moment, received_at=moment)
    line = json.loads(msgspec.json.encode(event))
    jsonschema.validate(line, event_schema.document())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(line | {"kind": "nonsense"}, event_schema.document())
