"""HTTP sessions: what SET and USE said, kept between the requests of one session_id.

A session is the list of its successful SET and USE statements, repeated on each request's fresh connection; so
a request's own settings can never stay behind. Temporary tables would need a connection of their own per session
and are refused with the way out.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from deploy.local.clickhouse.errors import (
    BAD_ARGUMENTS,
    NOT_IMPLEMENTED,
    SESSION_IS_LOCKED,
    SESSION_NOT_FOUND,
    error,
)

DEFAULT_TIMEOUT_S = 60.0  # ClickHouse's default_session_timeout
MAX_TIMEOUT_S = 3600.0  # ClickHouse's max_session_timeout
# A session is replayed on every request: far beyond what a tool sets, still under a few ms.
_MAX_STATEMENTS = 200


@dataclass
class HttpSession:
    """One session: its statements, whether a request holds it, and when (monotonic seconds) it ends."""

    statements: list[str] = field(default_factory=list)
    held: bool = False
    expires_s: float = 0.0

    def remember(self, words: tuple[str, ...], statement: str) -> None:
        """Keep a successful statement if later requests depend on it.

        Raises:
            ClickHouseError: the session is full.
        """
        if words[:1] not in (("SET",), ("USE",)):
            return
        if words[0] == "USE":
            self.statements = [kept for kept in self.statements if not kept.lstrip().upper().startswith("USE")]
        if len(self.statements) >= _MAX_STATEMENTS:
            raise error(BAD_ARGUMENTS, f"the session has {_MAX_STATEMENTS} SET statements: start a new session_id")
        self.statements.append(statement)


class Sessions:
    """All sessions by (user, session_id). `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: dict[tuple[str, str], HttpSession] = {}

    @contextmanager
    def hold(self, user: str, session_id: str, timeout_s: float, *, must_exist: bool) -> Iterator[HttpSession]:
        """The session for the time of one request; a missing one is made unless `must_exist`.

        Raises:
            ClickHouseError: held by another request, or missing.
        """
        now_s = self._clock()
        for key in [key for key, old in self._sessions.items() if not old.held and old.expires_s <= now_s]:
            del self._sessions[key]
        session = self._sessions.get((user, session_id))
        if session is None:
            if must_exist:
                raise error(SESSION_NOT_FOUND, f"Session {session_id} not found")
            session = self._sessions[(user, session_id)] = HttpSession()
        if session.held:
            raise error(SESSION_IS_LOCKED, f"Session {session_id} is locked by a concurrent client")
        session.held = True
        try:
            yield session
        finally:
            session.held = False
            session.expires_s = self._clock() + timeout_s


def refuse_temporary(words: tuple[str, ...]) -> None:
    """Refuse CREATE TEMPORARY TABLE, which would be gone before the next request.

    Raises:
        ClickHouseError: always for such a statement.
    """
    if words[:1] == ("CREATE",) and "TEMPORARY" in words:
        raise error(
            NOT_IMPLEMENTED,
            "temporary tables do not outlive a request here: use ENGINE = Memory with a name of your own, "
            "or send the data with the query as an external table",
        )
