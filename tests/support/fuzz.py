"""`python -m tests.support.fuzz SECONDS`: coverage-guided fuzzing of every adapter by atheris, in this process.

The first bytes of an input choose route, method, headers and compression; the rest is the body, mutated with the words
that the adapters know. A crash, a 5xx, a hang or too much memory ends it with a report and an exit code other than 0.
"""

from __future__ import annotations

import gzip
import re
import resource
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ingest"], enable_loader_override=False):
    from tests.support.asgi import in_process

from schemas.routes import ROUTES
from tests.support.hostile import KEY, words

_PLAIN = re.compile(r"[\w ./:$-]+", re.ASCII)
_MEMORY_MIB = 1024
_HANG_S = 10
_TYPES = (b"application/json", b"text/plain", b"application/x-www-form-urlencoded", b"application/reports+json")


def main() -> None:
    """Fuzz for the given number of seconds."""
    seconds = int(sys.argv[1])
    names = list(ROUTES)
    with tempfile.TemporaryDirectory() as directory, in_process(Path(directory)) as collector:

        def one(data: bytes) -> None:
            source = atheris.FuzzedDataProvider(data)
            route = ROUTES[names[source.ConsumeIntInRange(0, len(names) - 1)]]
            path = route.paths[source.ConsumeIntInRange(0, len(route.paths) - 1)].replace("{", "").replace("}", "")
            method = route.methods[source.ConsumeIntInRange(0, len(route.methods) - 1)]
            headers = {
                b"x-write-key": KEY.encode(),
                b"content-type": _TYPES[source.ConsumeIntInRange(0, len(_TYPES) - 1)],
            }
            is_compressed = source.ConsumeBool()
            body = source.ConsumeBytes(source.remaining_bytes())
            query = b"writeKey=wk_local&" + (body[:200] if method == "GET" else b"")
            sent = gzip.compress(body, 1) if is_compressed else body
            answer = collector.request(
                method, path, query=query, headers=headers, body=sent if method == "POST" else b""
            )
            if answer.status >= 500:
                raise AssertionError((method, path, answer))

        dictionary = Path(directory) / "words"
        dictionary.write_text("".join(f'"\\x22{word}\\x22"\n' for word in words() if _PLAIN.fullmatch(word)))
        limits = [
            f"-dict={dictionary}",
            f"-max_total_time={seconds}",
            f"-rss_limit_mb={_high_water_mib() + _MEMORY_MIB}",
            f"-timeout={_HANG_S}",
            "-max_len=4096",
        ]
        atheris.Setup([sys.argv[0], *limits], one)
        atheris.Fuzz()


def _high_water_mib() -> int:
    """The most memory this process is said to have held: Linux counts that of the process which started it too."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
