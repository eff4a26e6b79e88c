"""`python -m processors.live`: one live worker, configured by the settings, stopped by SIGTERM or SIGINT."""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path
from typing import Final

import faust
import mode.loop

from processors.health import serve_health
from processors.live.app import create_app
from processors.live.crash import exit_after_crash
from schemas.logs import configure_logs
from schemas.metrics import Metrics
from schemas.settings import load_settings

_GC_THRESHOLDS: Final = (50_000, 20, 50)  # state is many long-lived objects without cycles: look at them seldom


def main() -> None:
    """Run until stopped. Exits 0 after a clean stop, 1 after a crash."""
    configure_logs("live")
    mode.loop.use("uvloop")
    settings = load_settings()
    metrics = Metrics()
    with tempfile.TemporaryDirectory(prefix="snag-live-") as work_dir:
        app, live = create_app(settings, metrics, Path(work_dir))
        serve_health(settings.live.health_port, ready=live.not_ready, registry=metrics.registry, observe=live.observe)
        gc.set_threshold(*_GC_THRESHOLDS)
        worker = faust.Worker(app, loglevel="INFO", override_logging=False, redirect_stdouts=False, quiet=True)
        exit_after_crash(lambda: bool(app.crashed))
        worker.execute_from_commandline()


if __name__ == "__main__":
    main()
