"""The browser SDK's files: `/s.js`, which moves with every release, and versioned ones that never change."""

from __future__ import annotations

import functools
import gzip
from collections.abc import Callable
from importlib.resources import files
from typing import Final

from ingest.adapters.adapter import Answer, Page, Request, problem
from ingest.refusal import RequestError

_MOVING: Final = "s.js"
_MOVING_CACHE: Final = b"public, max-age=3600"  # a release reaches every page within the hour
_FROZEN_CACHE: Final = b"public, max-age=31536000, immutable"


@functools.cache
def _scripts() -> dict[str, tuple[bytes, bytes]]:
    """Name -> (bytes, the same compressed), read on first use."""
    folder = files("ingest") / "static"
    scripts = {file.name: file.read_bytes() for file in folder.iterdir() if file.name.endswith(".js")}
    return {name: (code, gzip.compress(code, 9, mtime=0)) for name, code in scripts.items()}


def _answer(request: Request, name: str, cache: bytes) -> Answer:
    found = _scripts().get(name)
    if found is None:
        versions = ", ".join(sorted(_scripts()))
        return problem(
            request, RequestError("not_found", f"{name[:100]!r} is no file of the SDK; there are {versions}.")
        )
    plain, compressed = found
    packed = b"gzip" in request.header(b"accept-encoding")
    headers = ((b"cache-control", cache), (b"x-content-type-options", b"nosniff"), (b"vary", b"accept-encoding"))
    return Answer(
        body=compressed if packed else plain,
        content_type=b"text/javascript; charset=utf-8",
        headers=(*headers, (b"content-encoding", b"gzip")) if packed else headers,
    )


def _moving(request: Request, _known: Callable[[bytes], bool]) -> Answer:
    return _answer(request, _MOVING, _MOVING_CACHE)


def _frozen(request: Request, _known: Callable[[bytes], bool]) -> Answer:
    return _answer(request, f"s-{request.parameters['rest']}", _FROZEN_CACHE)


SDK_FILES: Final = (Page(name="sdk_moving", serve=_moving), Page(name="sdk_frozen", serve=_frozen))
