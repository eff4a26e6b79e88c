"""The client for threaded programs: a bounded queue and one background thread that sends."""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from types import TracebackType
from typing import Any, Final

from snag_sdk.delivery import Delivery, tell
from snag_sdk.errors import SHUT_DOWN, BadAnswerError, QueueFullError
from snag_sdk.events_api import EventsApi
from snag_sdk.options import Options
from snag_sdk.outbox import Outbox

_EXIT_TIMEOUT_S: Final = 5.0  # a program that ends without shutdown() waits this long for what is queued


class Client(EventsApi):
    """`Client("wk_..", host="https://t.shop.example")`; see `Options` for the rest. Safe to share between threads.

    Use it as a context manager, or call `shutdown()` at the end. Works across `fork`: the child starts with an empty
    queue of its own, since what is queued belongs to the parent.
    """

    def __init__(self, write_key: str, **options: Any) -> None:
        super().__init__(Options(write_key, **options))
        self._transport = self.options.transport()
        self._lock = threading.Lock()
        self._start_empty()
        this = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _after_fork(this))
        self._at_exit = lambda: _before_exit(this)
        atexit.register(self._at_exit)

    def _start_empty(self) -> None:
        self._outbox = Outbox(self.options.max_queue_size)
        self._give_up = threading.Event()
        self._thread: threading.Thread | None = None

    def _enqueue(self, event: bytes) -> bool:
        if self.options.sync_mode:
            with self._lock:
                self._deliver([event])
            return True
        if not self._outbox.put(event):
            closed = self._give_up.is_set()
            why = "the client is shut down" if closed else f"the queue is full at {self.options.max_queue_size} events"
            tell(self.options.on_error, QueueFullError(f"{why}; the event is dropped."), [event])
            return False
        if self._thread is None:
            self._start_thread()
        return True

    def _start_thread(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._send_batches, name="snag-sdk", daemon=True)
                self._thread.start()

    def _send_batches(self) -> None:
        options, outbox = self.options, self._outbox
        while batch := outbox.take(options.flush_at, options.max_batch_bytes, options.flush_interval):
            try:
                self._deliver(batch)
            finally:
                outbox.done()

    def _deliver(self, batch: list[bytes]) -> None:
        delivery = Delivery(batch, self.options.retry, self.options.on_error)
        while not self._give_up.is_set():
            wait_s = delivery.after(self._transport.post(delivery.body()))
            if wait_s is None:
                return
            self._give_up.wait(wait_s)
        tell(self.options.on_error, BadAnswerError(SHUT_DOWN), batch)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything queued so far is delivered or given up; False after `timeout` seconds."""
        return self._outbox.flush(timeout) if self._thread is not None else True

    def shutdown(self, timeout: float | None = 10.0) -> bool:
        """Take no more events, deliver what is queued, stop. False when `timeout` seconds were not enough.

        What is left then goes to `on_error`.
        """
        atexit.unregister(self._at_exit)
        deadline = None if timeout is None else time.monotonic() + timeout
        self._outbox.close()
        delivered = self.flush(timeout)
        self._give_up.set()
        if self._thread is not None:
            left_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            self._thread.join(None if left_s is None else left_s + self.options.timeout)  # a request may be under way
        self._transport.close()
        return delivered

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    def after_fork_in_child(self) -> None:
        """Start over with nothing queued, no thread and no connection: all of them are the parent's."""
        self._lock = threading.Lock()
        self._start_empty()
        self._transport = self.options.transport()


def _after_fork(this: weakref.ref[Client]) -> None:
    client = this()
    if client is not None:
        client.after_fork_in_child()


def _before_exit(this: weakref.ref[Client]) -> None:
    client = this()
    if client is not None:
        client.shutdown(_EXIT_TIMEOUT_S)
