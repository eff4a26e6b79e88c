"""The OpenAPI document against the running collector: schemathesis makes requests of it, and compares the answers."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from schemas import openapi
from tests.contract.test_ingest_http import CollectorProcess
from tests.support.asgi import NOWHERE

pytestmark = pytest.mark.integration

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]


@schemathesis.serializer("application/x-ndjson")
def lines(_context: object, value: object) -> bytes:
    return b"\n".join(map(msgspec.json.encode, value if isinstance(value, list) else [value]))


schema = schemathesis.openapi.from_dict(openapi.document())


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    process = CollectorProcess(tmp_path_factory.mktemp("collector"), NOWHERE)  # what it takes, the spool keeps
    process.start()
    yield process
    assert process.stop() == 0


@schema.parametrize()
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_that_the_document_names(case: schemathesis.Case, collector: CollectorProcess) -> None:
    headers = {**(case.headers or {}), "X-Write-Key": "wk_local"}
    case.call_and_validate(base_url=f"http://127.0.0.1:{collector.port}", headers=headers, checks=CHECKS)
