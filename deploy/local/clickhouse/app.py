"""ClickHouse's HTTP interface as an ASGI application over an `Engine`."""

import asyncio
import dataclasses
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import msgspec
import structlog

from deploy.local.clickhouse import request as requests
from deploy.local.clickhouse.access import refuse_outside
from deploy.local.clickhouse.body import Body, ClientGone
from deploy.local.clickhouse.compression import Encoder, choose_encoding, response_encoder
from deploy.local.clickhouse.engine import Context, Engine, Stats, Table
from deploy.local.clickhouse.errors import BAD_ARGUMENTS, READONLY, UNKNOWN_EXCEPTION, ClickHouseError, error
from deploy.local.clickhouse.formats import content_type
from deploy.local.clickhouse.sessions import HttpSession, Sessions, refuse_temporary
from deploy.local.clickhouse.sql import InsertHead, NeedMore, first_words, insert_head, shape

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

# What is held back before the status line is sent: an error before that gets its own status, as in ClickHouse.
_HOLD_BYTES = 1 << 20
_SPOOL_BYTES = 16 << 20  # of a held-back result, kept in memory
_SEND_TIMEOUT_S = 300.0  # a client that reads nothing for so long gives its connection to others
CLIENT_GONE = -1  # in the log, where a query's code stands
_READONLY_TEXT = (
    "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. "
    "You should use method POST for modifying queries"
)
_log = structlog.get_logger("clickhouse.http")


def create_app(engine: Engine, *, user: str = "default", password: str = "") -> App:
    """The application; `engine` must be open while it serves. Other credentials than these are refused with 403."""
    sessions = Sessions()

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await _Exchange(engine, sessions, scope, receive, send).serve(user, password)

    return app


@dataclass
class _Exchange:
    """One request and its answer."""

    engine: Engine
    sessions: Sessions
    scope: Message
    receive: Receive
    send: Send
    options: requests.Options = field(default_factory=requests.Options)
    stats: Stats = field(default_factory=Stats)
    format: str = "TabSeparated"
    kind: str = ""
    started: bool = False
    finished: bool = False
    encoding: str | None = None
    compressor: Encoder | None = None
    tag: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    begun_ns: int = field(default_factory=time.perf_counter_ns)

    async def serve(self, user: str, password: str) -> None:
        """Route, run and answer; every failure becomes ClickHouse's answer for it."""
        path, method = self.scope["path"], self.scope["method"]
        if path in ("/ping", "/replicas_status"):
            await self._plain(200, "Ok.\n")
            return
        if path != "/" or method not in ("GET", "HEAD", "POST"):
            text = f"There is no handle {path} for {method}. Send queries with POST or GET to /?query=..., see /ping.\n"
            await self._plain(404 if path != "/" else 501, text)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self.scope["headers"]}
        body = Body(self.receive)
        work = asyncio.create_task(self._answer(body, headers, user, password))
        gone = asyncio.create_task(body.disconnected())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Cancelling the work also cancels its query in the engine, and waits until that has let go. The end
            # of the answer looks like a disconnect too, and is none.
            if not self.finished:
                work.cancel()
            gone.cancel()
            results = await asyncio.gather(work, gone, return_exceptions=True)
        if isinstance(results[0], Exception) and not isinstance(results[0], ClientGone):
            _log.error("internal_error", query_id=self.options.query_id, exc_info=results[0])
            if not self.started:
                text = error(UNKNOWN_EXCEPTION, "internal error of the embedded server, see its log").text
                await self._plain(500, f"{text}\n", {"x-clickhouse-exception-code": str(UNKNOWN_EXCEPTION)})

    async def _answer(self, body: Body, headers: dict[str, str], user: str, password: str) -> None:
        code = 0
        try:
            self.options = requests.parse(self.scope["query_string"], headers)
            requests.authenticate(self.options, user, password)
            body.decode(headers.get("content-encoding", ""), blocks=self.options.decompress)
            if _asks(self.options.settings, "enable_http_compression"):
                self.encoding = choose_encoding(headers.get("accept-encoding", ""))
            await self._finish(await self._execute(body, headers))
        except ClickHouseError as failed:
            code = failed.code
            await self._fail(failed, body)
        except ClientGone:
            code = CLIENT_GONE
        except asyncio.CancelledError:
            code = CLIENT_GONE
            raise
        finally:
            _log.info(
                "query",
                query_id=self.options.query_id,
                kind=self.kind,
                ms=(time.perf_counter_ns() - self.begun_ns) // 1_000_000,
                read_rows=self.stats.read_rows,
                written_rows=self.stats.written_rows,
                result_rows=self.stats.result_rows,
                code=code,
            )

    async def _execute(self, body: Body, headers: dict[str, str]) -> bytes:
        options = self.options
        tables: list[Table] = []
        if headers.get("content-type", "").lower().startswith("multipart/form-data"):
            tables = await self._form(body, headers["content-type"])
        buffered = options.query + (b"\n" if options.query else b"")
        head: InsertHead | None = None
        complete = False
        while True:
            try:
                head = insert_head(buffered, complete=complete)
                break
            except NeedMore:
                more = await body.read(_HOLD_BYTES)
                complete = not more
                buffered += more
        words = first_words(buffered)
        self.kind = " ".join(words[:1])
        if not words:
            if options.query or self.scope["method"] == "POST":
                raise error(62, "Syntax error: Empty query")
            return b"Ok.\n"
        if self.scope["method"] != "POST":
            if head is not None:
                raise error(READONLY, _READONLY_TEXT)
            # 2: nothing is written, while a reader may still change how it reads.
            options.settings.setdefault("readonly", "2")
        async with AsyncExitStack() as held:
            session: HttpSession | None = None
            if options.session_id is not None:
                session = held.enter_context(
                    self.sessions.hold(
                        options.user, options.session_id, options.session_timeout_s, must_exist=options.session_check
                    )
                )
            context = Context(
                options.settings, options.params, options.database, list(session.statements) if session else (), tables
            )
            if head is not None:
                await self._insert(head, buffered[head.data_start :], body, context)
                return b""
            refuse_temporary(words)
            statement = (buffered + await body.read_all()).rstrip(b"\n")
            refuse_outside(statement, {**options.settings, **options.params})
            tail = await self._query(statement, context)
            if session is not None:
                session.remember(words, statement.decode("utf-8", "replace"))
            return tail

    async def _form(self, body: Body, kind: str) -> list[Table]:
        tables: list[Table] = []
        for name, data in requests.form_parts(await body.read_all(), kind):
            if name == "query":
                self.options.query += data
            elif name.startswith("param_"):
                requests.add(self.options, name, data.decode("utf-8", "surrogateescape"))
            else:
                external = self.options.external
                structure = external.get(f"{name}_structure")
                if structure is None and f"{name}_types" in external:
                    types = external[f"{name}_types"].split(",")
                    structure = ", ".join(f"_{place} {type_name}" for place, type_name in enumerate(types, 1))
                if structure is None:
                    raise error(BAD_ARGUMENTS, f"the form field {name} is no table: send {name}_structure in the URL")
                tables.append(Table(name, structure, external.get(f"{name}_format", "TabSeparated"), data))
        return tables

    async def _insert(self, head: InsertHead, first: bytes, body: Body, context: Context) -> None:
        # A connection is taken only when everything is here, so that a slow upload does not keep the others waiting.
        with self.engine.upload() as upload:
            while first:
                upload.write(first)
                first = await body.read(_HOLD_BYTES)
            upload.flush()
            if head.format.upper() == "VALUES":
                await asyncio.to_thread(_check_values, Path(upload.name), context)
            async with self.engine.statement(context, insert=True) as running:
                self.stats = running.stats
                await running.insert(head, Path(upload.name))

    async def _query(self, statement: bytes, context: Context) -> bytes:
        asked = shape(statement)
        self.format = asked.format or self.options.default_format
        async with self.engine.statement(context) as running:
            self.stats = running.stats
            async with aclosing(running.result(statement, self.format, streams=asked.streams)) as pieces:
                return await self._respond(pieces)

    async def _respond(self, pieces: AsyncIterator[bytes]) -> bytes:
        """Send all but the end of a result, which is returned: whoever reads it may find everything released."""
        compressor = self.compressor = response_encoder(self.encoding, blocks=self.options.compress)
        # wait_end_of_query holds everything back; what does not fit in memory waits on disk.
        with tempfile.SpooledTemporaryFile(_SPOOL_BYTES, dir=str(self.engine.path)) as held:
            async for piece in pieces:
                out = compressor.compress(piece) if compressor else piece
                if self.started:
                    await self._send({"type": "http.response.body", "body": out, "more_body": True})
                    continue
                held.write(out)
                if held.tell() >= _HOLD_BYTES and not self.options.wait_end:
                    await self._start(None)
                    await self._drain(held)
            held.write(compressor.flush() if compressor else b"")
            if held.tell() > _HOLD_BYTES:
                await self._start(held.tell())
                await self._drain(held)
            held.seek(0)
            return held.read()

    async def _drain(self, held: IO[bytes]) -> None:
        held.seek(0)
        while part := held.read(_HOLD_BYTES):
            await self._send({"type": "http.response.body", "body": part, "more_body": True})
        held.seek(0)
        held.truncate()

    async def _finish(self, tail: bytes) -> None:
        if not self.started:
            await self._start(len(tail))
        self.finished = True
        await self._send({"type": "http.response.body", "body": tail})

    async def _start(self, length_bytes: int | None) -> None:
        summary = {name: str(value) for name, value in dataclasses.asdict(self.stats).items()}
        summary |= {"total_rows_to_read": "0", "elapsed_ns": str(time.perf_counter_ns() - self.begun_ns)}
        headers = {
            "content-type": content_type(self.format),
            "x-clickhouse-format": self.format,
            "x-clickhouse-summary": msgspec.json.encode(summary).decode(),
            "x-clickhouse-exception-tag": self.tag,
        }
        if self.encoding:
            headers["content-encoding"] = self.encoding
        if length_bytes is not None:
            headers["content-length"] = str(length_bytes)
        await self._head(200, headers)

    async def _fail(self, failed: ClickHouseError, body: Body) -> None:
        text = failed.render(self.engine.version)
        if self.started:
            # The status is gone: the message goes into the body between ClickHouse's marks, and the body is
            # left without its end so that no client takes it for a whole one.
            message = f"{text}\n"
            marked = (
                f"\r\n__exception__\r\n{self.tag}\r\n{message}{len(message.encode())} {self.tag}\r\n__exception__\r\n"
            )
            out = marked.encode()
            if self.compressor is not None:
                out = self.compressor.compress(out) + self.compressor.flush()
            await self._send({"type": "http.response.body", "body": out, "more_body": True})
            return
        self.encoding = None
        await body.drain()
        await self._plain(failed.status, f"{text}\n", {"x-clickhouse-exception-code": str(failed.code)})

    async def _plain(self, status: int, text: str, extra: dict[str, str] | None = None) -> None:
        data = text.encode("utf-8", "replace")
        headers = {"content-type": "text/plain; charset=UTF-8", "content-length": str(len(data)), **(extra or {})}
        await self._head(status, headers)
        self.finished = True
        await self._send({"type": "http.response.body", "body": data})

    async def _head(self, status: int, headers: dict[str, str]) -> None:
        headers |= {
            "x-clickhouse-server-display-name": self.engine.display_name,
            "x-clickhouse-timezone": self.engine.timezone,
        }
        if self.options.query_id:
            headers["x-clickhouse-query-id"] = self.options.query_id
        self.started = True
        encoded = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def _send(self, message: Message) -> None:
        try:
            async with asyncio.timeout(_SEND_TIMEOUT_S):
                await self.send(message)
        except TimeoutError:
            raise ClientGone from None


def _check_values(data: Path, context: Context) -> None:
    """Values may be expressions. Who writes many rows uses another format, so that these are few."""
    refuse_outside(b"VALUES " + data.read_bytes(), {**context.settings, **context.params})


def _asks(settings: dict[str, str], name: str) -> bool:
    return settings.get(name, "0") not in ("", "0", "false")
