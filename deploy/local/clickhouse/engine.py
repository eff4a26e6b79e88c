"""The embedded engine: one process, one data folder, a bounded number of statements at a time.

A chDB connection runs one statement at a time, costs 0.1 ms to open and carries its own settings, database and
temporary tables. So every statement gets a fresh one: nothing a request sets can reach the next.
"""

import asyncio
import fcntl
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import structlog

# The public wrapper drops a stream's last piece (totals, the header of an empty result) and keeps errors as text in
# text; the layer below it is stable within the pinned release.
from chdb import _chdb

from deploy.local.clickhouse.access import users_config
from deploy.local.clickhouse.config import BASELINE_SETTINGS, server_config
from deploy.local.clickhouse.errors import BAD_ARGUMENTS, ClickHouseError, error, from_engine
from deploy.local.clickhouse.formats import header_reader
from deploy.local.clickhouse.sql import InsertHead

T = TypeVar("T")

_SLICE_BYTES = 1 << 20  # a response in pieces of this size: large enough to be cheap, small enough to hold many
INSERT_CONNECTIONS = 2  # one writer and a person; more would only share the same disk
_UNSTREAMABLE = "Streaming query is not supported"
_log = structlog.get_logger("clickhouse.engine")


class PathBusyError(RuntimeError):
    """Another process holds the data folder."""


@dataclass
class Stats:
    """What a statement read, wrote and returned so far (rows and bytes as the engine counts them)."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    result_bytes: int = 0

    def add(self, result: Any) -> None:
        """Add the counters of one result or one streamed piece."""
        self.read_rows += result.storage_rows_read()
        self.read_bytes += result.storage_bytes_read()
        self.written_rows += result.rows_written()
        self.written_bytes += result.bytes_written()
        self.result_rows += result.rows_read()
        self.result_bytes += len(result)


@dataclass(frozen=True)
class Table:
    """A table a request brings with it: a temporary one, seen by that request only."""

    name: str
    structure: str
    format: str
    data: bytes


@dataclass(frozen=True)
class Context:
    """What a statement runs under: settings and `param_*` values by name, database, session statements, own tables."""

    settings: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    database: str | None = None
    session: Sequence[str] = ()
    tables: Sequence[Table] = ()


def _connect(address: str) -> Any:
    return _chdb.connect(address)  # type: ignore[attr-defined] # the extension's stub leaves it out


def quote(value: str) -> str:
    """A string literal of ClickHouse's SQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quote_name(name: str) -> str:
    """A back-quoted identifier of ClickHouse's SQL."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


class Engine:
    """Owns the data folder and runs statements in it.

    `path` is created if missing; `connections` is how many queries run at a time (INSERTs with data have
    their own); `max_memory_mb` bounds the engine's memory in MiB. `open` before use, `close` after.
    """

    def __init__(self, path: Path, *, connections: int = 4, max_memory_mb: int = 2048) -> None:
        self.path = path.resolve()
        self.version = self.timezone = self.display_name = ""
        self._max_memory_mb = max_memory_mb
        self._queries = asyncio.Semaphore(connections)
        self._inserts = asyncio.Semaphore(INSERT_CONNECTIONS)
        self._threads = ThreadPoolExecutor(connections + INSERT_CONNECTIONS, thread_name_prefix="query")
        self._control_thread = ThreadPoolExecutor(1, thread_name_prefix="control")
        self._control: Any = None
        self._lock_file: int | None = None
        self._uploads = self.path / "uploads"

    def open(self) -> None:
        """Lock the folder and start the engine.

        Raises:
            PathBusyError: another process serves the folder.
            ClickHouseError: the engine refuses to start; the text says why.
            OSError: the folder cannot be created or written.
        """
        if set(str(self.path)) & set("?&%+#"):
            raise error(BAD_ARGUMENTS, f"the path {self.path} holds one of ?&%+#, which the engine cannot take")
        self.path.mkdir(parents=True, exist_ok=True)
        # The kernel drops this lock with the process however it ends, so a kill -9 leaves nothing to clean up.
        self._lock_file = os.open(self.path / "snag.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._lock_file, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._lock_file)
            self._lock_file = None
            raise PathBusyError(
                f"the ClickHouse data folder {self.path} is in use by process {owner}: stop that process, "
                "or start this one with another --path"
            ) from None
        os.truncate(self._lock_file, 0)
        os.pwrite(self._lock_file, str(os.getpid()).encode(), 0)
        shutil.rmtree(self._uploads, ignore_errors=True)  # of a process that was killed
        self._uploads.mkdir()
        users, config = self.path / "snag-users.xml", self.path / "snag-engine.xml"
        users.write_text(users_config(), encoding="utf-8")
        config.write_text(server_config(self._max_memory_mb, users), encoding="utf-8")
        kept = self._default_database_is_kept()
        try:
            self._control = _connect(f"{self.path}?config-file={config}")
            self._open_default_database(kept)
            found = self._control.query("SELECT version(), timezone(), displayName()", "TSVRaw", params={}).bytes()
        except RuntimeError as cause:
            raise from_engine(str(cause)) from None
        self.version, self.timezone, self.display_name = found.decode().rstrip("\n").split("\t")

    def _default_database_is_kept(self) -> bool:
        """Whether the folder has a `default` with tables. chDB 4.4.0 cannot attach an empty one: that is made anew."""
        definition, tables = self.path / "metadata" / "default.sql", self.path / "metadata" / "default"
        if not definition.exists():
            return False
        if any(tables.glob("*.sql")):
            return True
        definition.unlink()
        if tables.is_symlink():
            tables.unlink()
        return False

    def _open_default_database(self, kept: bool) -> None:
        """Replace the engine's `default`, which takes file names for tables, by one that holds tables only."""
        self._control.query("DETACH DATABASE default", "Null", params={})
        statement = "ATTACH DATABASE default" if kept else "CREATE DATABASE default ENGINE = Atomic"
        self._control.query(statement, "Null", params={})

    def close(self) -> None:
        """Stop what still runs, then the engine; waits for both."""
        if self._control is not None:
            self.kill_all()
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._control_thread.shutdown(wait=True)
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def upload(self) -> "tempfile._TemporaryFileWrapper[bytes]":
        """A file for the data of one statement, gone when it is closed."""
        return tempfile.NamedTemporaryFile(dir=self._uploads, prefix="insert-")

    def kill_all(self) -> None:
        """Cancel every running statement; returns before they have ended."""
        self._control_thread.submit(self._kill, "is_initial_query").result()

    def _kill(self, condition: str) -> None:
        try:
            self._control.query(
                f"KILL QUERY WHERE ({condition}) AND query NOT LIKE 'KILL QUERY%' ASYNC", "Null", params={}
            )
        except RuntimeError as cause:
            _log.warning("kill_failed", reason=str(from_engine(str(cause)).code))

    @asynccontextmanager
    async def statement(self, context: Context, *, insert: bool = False) -> AsyncIterator["Statement"]:
        """A connection set up for one statement, when its turn comes.

        Raises:
            ClickHouseError: a setting, parameter, database or table of the context is refused.
        """
        async with self._inserts if insert else self._queries:
            running = Statement(self, context)
            try:
                await running.run(running.prepare)
                yield running
            finally:
                await running.close()


class Statement:
    """One statement on its own connection. Engine calls block, so they run in the engine's threads."""

    def __init__(self, engine: Engine, context: Context) -> None:
        self._engine = engine
        self._context = context
        self._connection: Any = None
        # No query text or log line shows it and it has no effect over HTTP: the one handle KILL QUERY can find.
        self._tag = uuid.uuid4().hex
        self.stats = Stats()

    async def run(self, call: Callable[[], T]) -> T:
        """`call` in a thread. If the caller is cancelled, the statement is killed and its end awaited first."""
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._engine._threads, self._guarded, call)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            condition = f"Settings['send_logs_source_regexp'] = '{self._tag}'"
            while not future.done():
                await loop.run_in_executor(self._engine._control_thread, self._engine._kill, condition)
                # A kill finds nothing while the statement is still being parsed, hence again.
                await asyncio.wait([future], timeout=0.5)
            future.exception()
            raise

    def _guarded(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except UnicodeDecodeError as cause:
            # The engine's message quotes the data that it refuses; the binding cannot make text of invalid UTF-8.
            raise from_engine(cause.object.decode(errors="backslashreplace")) from None
        except RuntimeError as cause:
            raise from_engine(str(cause)) from None

    def prepare(self) -> None:
        """Open the connection and apply the context to it."""
        self._connection = _connect(str(self._engine.path))
        context = self._context
        settings = {**BASELINE_SETTINGS, "send_logs_source_regexp": self._tag}
        self._set(settings)
        for statement in context.session:
            self._query(statement, "Null")
        if context.database:
            self._query(f"USE {quote_name(context.database)}", "Null")
        for table in context.tables:
            self._query(f"CREATE TEMPORARY TABLE {quote_name(table.name)} ({table.structure})", "Null")
            with self._engine.upload() as upload:
                upload.write(table.data)
                upload.flush()
                sql = f"INSERT INTO {quote_name(table.name)}"
                self._query(_from_file(sql, "", table.format, Path(upload.name)), "Null")
        self._set({**context.settings, **{f"param_{name}": value for name, value in context.params.items()}})

    def _set(self, settings: Mapping[str, str]) -> None:
        if settings:
            self._query("SET " + ", ".join(f"{quote_name(name)} = {quote(v)}" for name, v in settings.items()), "Null")

    def _query(self, sql: str | bytes, output_format: str) -> Any:
        return self._connection.query(sql, output_format, params={})

    async def close(self) -> None:
        """Cancel what has not ended and give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            loop = asyncio.get_running_loop()
            await asyncio.shield(loop.run_in_executor(self._engine._threads, connection.close))

    async def result(self, sql: bytes, output_format: str, *, streams: bool) -> AsyncGenerator[bytes, None]:
        """The result's bytes piece by piece; `stats` grows with them.

        Raises:
            ClickHouseError: at any piece; a caller that has sent some must tell its client.
        """
        read_header = header_reader(output_format) if streams else None
        handle: Any = None
        if read_header is not None:
            try:
                handle = await self.run(lambda: self._connection.send_query(sql, output_format, params={}))
            except ClickHouseError as refused:
                if _UNSTREAMABLE not in refused.text:
                    raise
        if handle is None or read_header is None:
            async for piece in self._whole(sql, output_format):
                yield piece
            return
        first = True
        while True:
            piece, ended = await self.run(lambda: self._fetch(handle))
            yield piece if first or not piece else piece[read_header(piece) :]
            first = False
            if ended:
                return

    def _fetch(self, handle: Any) -> tuple[bytes, bool]:
        fetched = self._connection.streaming_fetch_result(handle)
        self.stats.add(fetched)
        return fetched.bytes(), fetched.rows_read() == 0

    async def _whole(self, sql: bytes, output_format: str) -> AsyncGenerator[bytes, None]:
        result = await self.run(lambda: self._query(sql, output_format))
        self.stats.add(result)
        view = result.get_memview().view()
        for start in range(0, len(result), _SLICE_BYTES):
            yield bytes(view[start : start + _SLICE_BYTES])

    async def insert(self, head: InsertHead, data: Path) -> None:
        """Run an INSERT with the data in the file `data`; on return the rows are in the table.

        The data go through a file: chDB 4.4.0's streaming insert answers well and stores nothing when an error comes
        after parsing (a violated constraint, too many partitions), and data behind the statement are cut at 256 KiB.

        Raises:
            ClickHouseError: no such table, column or format; the data is malformed or cannot be written.
        """
        done = await self.run(lambda: self._query(_from_file(head.sql, head.settings, head.format, data), "Null"))
        self.stats.written_rows = self.stats.read_rows = done.rows_written()
        self.stats.written_bytes = self.stats.read_bytes = done.bytes_written()
        self.stats.result_rows, self.stats.result_bytes = self.stats.written_rows, self.stats.written_bytes


def _from_file(sql: str, settings: str, input_format: str, data: Path) -> str:
    return f"{sql} FROM INFILE {quote(str(data))} COMPRESSION 'none' {settings} FORMAT {input_format}"
