"""Main-thread time of clicks with the browser SDK on the page, and with others' scripts on the same page.

Real clicks (trusted input events) in headless Chromium, as fast as it takes them, or `--pause-ms` apart. Two figures:
the browser's own count of scripts' time (DevTools `Performance.getMetrics`), less that of the page without any script,
and the samples of its CPU profiler that lie in functions of the script's files or in what these call. Needs node, npm
and chromium.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.support.browser import FLAGS, http_server, page_handler

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HERE: Final = Path(__file__).parent
STATIC: Final = HERE.parents[1] / "ingest" / "static"
CLICKS: Final = 1000
PAUSED_CLICKS: Final = 100  # with a pause after each
ROUNDS: Final = 3  # the median of them is printed
SAMPLE_US: Final = 100
HTML: Final = "text/html; charset=utf-8"
SCRIPT: Final = "text/javascript"
BODY: Final = "".join(
    f'<a href="#l{n}" id="b{n}">Item {n}</a><button data-umami-event="add">Add {n}</button> ' for n in range(200)
)
UMAMI: Final = "umami@2.10.0"
"""The newest on npm: the whole application, unpacked here for its tracker's source without its dependencies."""

UMAMI_SHA512: Final = "+lmrnV0751R6U2rkIgVAlE1nWI7yZawlMlJDguW9tlFacCKhnGeCyc7tCMIhNNYIiGIQy4DEX5IzJhm4b3+dPA=="
TELLS: Final = {
    "snag": "every click with selector, place and label; dead, rage; forms, scroll, errors, requests, vitals",
    "plausible": "page views; of clicks only outbound links, downloads and forms",
    "web-vitals": "five vitals; nothing of clicks",
    "snowplow": "page views, pings; clicks on links",
    "umami": "page views; of clicks only those on elements with data-umami-event, here every button",
}


def main() -> None:
    """Build the peers, measure all, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pause-ms", type=int, default=0, help=f"between clicks; then there are {PAUSED_CLICKS}")
    pause_ms: int = parser.parse_args().pause_ms
    chromium = shutil.which("chromium")
    if chromium is None or shutil.which("npm") is None:
        sys.exit("bench/browser needs chromium and npm: apt-get install chromium npm")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - after the check above

    with tempfile.TemporaryDirectory() as out:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=HERE, check=True)
        subprocess.run(["node", "peers.mjs", out, str(umami(Path(out)))], cwd=HERE, check=True)
        scripts = {path.stem: path.read_bytes() for path in sorted(Path(out).glob("*.js"))}
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=list(FLAGS))
            empty = median(browser, {}, "", pause_ms)
            clicks = f"{PAUSED_CLICKS} clicks {pause_ms} ms apart" if pause_ms else f"{CLICKS} clicks"
            print(f"{clicks}, median of {ROUNDS}; ms of the main thread above the page without a script")
            print(f"{'':<12}{'gzip KB':>8}{'counted ms':>12}{'profiled ms':>13}  tells")
            snag = {path.name: path.read_bytes() for path in STATIC.glob("*.js")}
            sizes = [len(gzip.compress(snag[name], 9)) for name in snag if name == "s.js" or "friction" in name]
            tag = '<script async src="/s.js" data-key="k">'
            row("snag", sum(sizes), median(browser, snag, tag, pause_ms), empty)
            for name, code in scripts.items():
                tag = f'<script async src="/{name}.js" data-website-id="w">'
                row(name, len(gzip.compress(code, 9)), median(browser, {f"{name}.js": code}, tag, pause_ms), empty)
            browser.close()


def umami(folder: Path) -> Path:
    """The unpacked package; ends the program when it is not the one that is meant."""
    said = subprocess.run(
        ["npm", "pack", "--json", "--silent", UMAMI], cwd=folder, check=True, capture_output=True, text=True
    ).stdout
    packed = folder / json.loads(said)[0]["filename"]
    if base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode() != UMAMI_SHA512:
        sys.exit(f"{UMAMI} is not the package it was: its hash differs from UMAMI_SHA512")
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package"


def row(name: str, size_bytes: int, found: tuple[float, float], empty: tuple[float, float]) -> None:
    """Print one line of the table."""
    counted_ms = max(0.0, found[0] - empty[0])
    print(f"{name:<12}{size_bytes / 1000:>8.1f}{counted_ms:>12.0f}{found[1]:>13.0f}  {TELLS[name]}")


def median(browser: Browser, scripts: dict[str, bytes], tag: str, pause_ms: int) -> tuple[float, float]:
    """Counted and profiled time in ms of the clicks on a page with `tag`."""
    rounds = [clicked(browser, scripts, tag, pause_ms) for _ in range(ROUNDS)]
    return statistics.median(r[0] for r in rounds), statistics.median(r[1] for r in rounds)


def clicked(browser: Browser, scripts: dict[str, bytes], tag: str, pause_ms: int) -> tuple[float, float]:
    """One round."""
    html = f"<!doctype html><meta charset=utf-8><title>Shop</title>{tag}{'</script>' if tag else ''}{BODY}"
    answers = {f"/{name}": (200, SCRIPT, code) for name, code in scripts.items()}
    answers |= {"/": (200, HTML, html.encode()), "/favicon.ico": (200, "image/x-icon", b"")}
    answers |= dict.fromkeys(("/s", "/take"), (200, "application/json", b'{"accepted":1,"rejected":[]}'))
    answers["/api/send"] = (200, "text/plain", b"ok")
    answers["/com.snowplowanalytics.snowplow/tp2"] = (200, "text/plain", b"ok")
    with http_server(page_handler(answers)) as address:
        context = browser.new_context(viewport={"width": 1000, "height": 800})
        page = context.new_page()
        page.goto(address)
        page.wait_for_load_state("networkidle")
        devtools = context.new_cdp_session(page)
        devtools.send("Performance.enable")
        devtools.send("Profiler.enable")
        devtools.send("Profiler.setSamplingInterval", {"interval": SAMPLE_US})

        def counted_ms() -> float:
            metrics = {m["name"]: m["value"] for m in devtools.send("Performance.getMetrics")["metrics"]}
            return float(metrics["ScriptDuration"]) * 1000

        before = counted_ms()
        devtools.send("Profiler.start")
        for n in range(PAUSED_CLICKS if pause_ms else CLICKS):
            place = {"x": 20 + n * 37 % 900, "y": 15 + n * 23 % 80, "button": "left", "clickCount": 1}
            devtools.send("Input.dispatchMouseEvent", {"type": "mousePressed", **place})
            devtools.send("Input.dispatchMouseEvent", {"type": "mouseReleased", **place})
            time.sleep(pause_ms / 1000)
        page.wait_for_load_state("networkidle")
        profile = devtools.send("Profiler.stop")["profile"]
        after = counted_ms()
        context.close()
    return after - before, profiled_ms(profile, {f"{address}/{name}" for name in scripts})


def profiled_ms(profile: dict[str, Any], urls: set[str]) -> float:
    """Time of a CPU profile in functions from `urls` and in what they call."""
    own: set[int] = set()
    waiting = [(node, False) for node in profile["nodes"][:1]]
    by_id = {node["id"]: node for node in profile["nodes"]}
    while waiting:
        node, inside = waiting.pop()
        inside = inside or node["callFrame"]["url"] in urls
        if inside:
            own.add(node["id"])
        waiting += [(by_id[child], inside) for child in node.get("children", [])]
    spent: Counter[int] = Counter()
    for sample, delta_us in zip(profile["samples"], profile["timeDeltas"], strict=True):
        spent[sample] += delta_us
    return sum(us for node_id, us in spent.items() if node_id in own) / 1000


if __name__ == "__main__":
    main()
