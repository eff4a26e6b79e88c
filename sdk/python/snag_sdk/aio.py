"""The client for asyncio programs: the same calls; a task of the running loop sends, no thread waits."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Any

from snag_sdk.delivery import Delivery, tell
from snag_sdk.errors import SHUT_DOWN, BadAnswerError, QueueFullError
from snag_sdk.events_api import EventsApi
from snag_sdk.options import Options


class AsyncClient(EventsApi):
    """Make it, and call it, inside a running event loop; `async with AsyncClient("wk_..") as snag: snag.track(..)`."""

    def __init__(self, write_key: str, **options: Any) -> None:
        super().__init__(Options(write_key, **options))
        self._transport = self.options.transport()
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(self.options.max_queue_size)
        self._full = asyncio.Event()  # a batch is complete, or somebody flushes
        self._hurry = 0  # callers of flush that wait
        self._sender: asyncio.Task[None] | None = None
        self._closed = False

    def _enqueue(self, event: bytes) -> bool:
        try:
            if self._closed:
                raise asyncio.QueueFull
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            why = "the client is shut down" if self._closed else "the queue is full"
            tell(self.options.on_error, QueueFullError(f"{why}; the event is dropped."), [event])
            return False
        if self._queue.qsize() + 1 >= self.options.flush_at:  # the sender holds a batch's first event in hand
            self._full.set()
        if self._sender is None:
            self._sender = asyncio.get_running_loop().create_task(self._send_batches(), name="snag-sdk")
        return True

    async def _send_batches(self) -> None:
        while True:
            batch = [await self._queue.get()]
            if not self._hurry:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._full.wait(), self.options.flush_interval)
            self._full.clear()
            size = len(batch[0])
            most = self.options.flush_at
            while len(batch) < most and size < self.options.max_batch_bytes and not self._queue.empty():
                batch.append(self._queue.get_nowait())
                size += len(batch[-1])
            try:
                await self._deliver(batch)
            finally:
                for _ in batch:
                    self._queue.task_done()

    async def _deliver(self, batch: list[bytes]) -> None:
        delivery = Delivery(batch, self.options.retry, self.options.on_error)
        try:
            while True:
                answer = await asyncio.to_thread(self._transport.post, delivery.body())
                wait_s = delivery.after(answer)
                if wait_s is None:
                    return
                await asyncio.sleep(wait_s)
        except asyncio.CancelledError:
            tell(self.options.on_error, BadAnswerError(SHUT_DOWN), batch)
            raise

    async def flush(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109  as Client.flush
        """Wait until everything queued so far is delivered or given up; False after `timeout` seconds."""
        self._hurry += 1
        self._full.set()
        try:
            await asyncio.wait_for(self._queue.join(), timeout)
        except TimeoutError:
            return False
        finally:
            self._hurry -= 1
        return True

    async def shutdown(self, timeout: float | None = 10.0) -> bool:  # noqa: ASYNC109  as Client.shutdown
        """Take no more events, deliver what is queued, stop. False when `timeout` seconds were not enough."""
        self._closed = True
        delivered = await self.flush(timeout)
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.wait([self._sender])
        left = [self._queue.get_nowait() for _ in range(self._queue.qsize())]
        if left:
            tell(self.options.on_error, BadAnswerError(SHUT_DOWN), left)
        self._transport.close()
        return delivered

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shutdown()
