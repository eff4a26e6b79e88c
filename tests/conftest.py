"""Fixtures for all tests: one real Kafka and one real ClickHouse engine for a whole session."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.stack import ClickHouseServer, KafkaServer, clickhouse_server, kafka_broker

# Warnings are errors in tests; these come from inside a library and are nothing that this project could do better.
_LIBRARY_WARNINGS = (
    "ignore:(read|open)_text is deprecated:DeprecationWarning",  # kafka-python 3.0.12 on Python 3.11 and 3.12
    # kafka-python 3.0.12 lets go of a socket whose connection was refused without closing it (net/inet.py). Such a
    # one has neither an address of its own nor a peer, so leaks of ours still fail a test.
    r"ignore:Exception ignored in. <socket.socket .*laddr=\('0.0.0.0', \d+\)>:pytest.PytestUnraisableExceptionWarning",
)


settings.register_profile("snag", deadline=None)  # how long an example takes says something of the machine only
settings.load_profile("snag")


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Started by a shell in the background: the commands that tests end with Ctrl-C would inherit the deafness.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for warning in _LIBRARY_WARNINGS:
        config.addinivalue_line("filterwarnings", warning)


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Compressed bytes hold the time of their making, and test processes side by side must agree on a test's name."""
    return argname if isinstance(val, bytes) and not val.isascii() else None


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A broker shared by the session's tests: use a `topic_prefix` of your own, and do not kill it."""
    with kafka_broker(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """An engine shared by the session's tests: use a `database` of your own, and do not kill it."""
    with clickhouse_server(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server
