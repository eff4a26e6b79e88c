"""Start the embedded ClickHouse server as a real process, and talk to it on the wire."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.support.ports import free_port

DEADLINE_S = 60.0  # generous: a loaded machine is slow, a broken server never gets there


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """The first true value of `condition`, or a failure naming `what` after the deadline."""
    end_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < end_s:
        value = condition()
        if value:
            return value
    raise AssertionError(f"not within {DEADLINE_S:.0f} s: {what}")


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class ClickHouse:
    """A running server process."""

    process: subprocess.Popen[bytes]
    port: int
    path: Path
    log: Path
    password: str = ""
    user: str = "default"

    def request(
        self,
        query: str | None = None,
        body: bytes | Iterator[bytes] | None = None,
        *,
        method: str | None = None,
        path: str = "/",
        headers: Mapping[str, str] | None = None,
        **parameters: str,
    ) -> Answer:
        """One request on a connection of its own; `parameters` go into the URL."""
        if query is not None:
            parameters["query"] = query
        target = f"{path}?{urlencode(parameters)}" if parameters else path
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            chosen = method or ("POST" if query is not None or body is not None else "GET")
            connection.request(chosen, target, body, dict(headers or {}))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def ask(self, query: str, **parameters: str) -> str:
        """The text of a query that must succeed, without its last line end."""
        answer = self.request(query, **parameters)
        assert answer.status == 200, answer.text
        return answer.text.removesuffix("\n")

    def running(self, mark: str) -> int:
        """How many queries with `mark` in their text are running."""
        counting = (
            "SELECT count() FROM system.processes WHERE position(query, {mark:String}) AND query NOT LIKE '%{mark%'"
        )
        return int(self.ask(counting, param_mark=mark))

    @contextmanager
    def open_query(self, query: str, path: str = "/") -> Iterator[http.client.HTTPConnection]:
        """A connection on which `query` was sent and its answer not read; leaving closes it."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)) as connection:
            connection.request("POST", path, query.encode())
            yield connection

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_S)

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        self.process.kill()
        self.process.wait(DEADLINE_S)


def spawn(path: Path, log: Path, port: int, *arguments: str, password: str = "") -> subprocess.Popen[bytes]:
    """The server's process, not awaited."""
    environment = {**os.environ, "SNAG_CLICKHOUSE_PASSWORD": password}
    command = [sys.executable, "-m", "deploy.local.clickhouse", "--port", str(port), "--path", str(path), *arguments]
    with log.open("ab") as stderr:
        return subprocess.Popen(command, stderr=stderr, env=environment, cwd=Path(__file__).parents[2])


@contextmanager
def start_clickhouse(tmp_path: Path, *arguments: str, password: str = "") -> Iterator[ClickHouse]:
    """A server on a free port with its data under `tmp_path` (again the same data when called again)."""
    port, log = free_port(), tmp_path / "clickhouse.log"
    process = spawn(tmp_path / "clickhouse", log, port, *arguments, password=password)
    server = ClickHouse(process, port, tmp_path / "clickhouse", log, password)

    def ready() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return server.request(path="/ping").status == 200
        except OSError:
            return False

    try:
        wait_for(ready, f"the server answers on port {port}")
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
