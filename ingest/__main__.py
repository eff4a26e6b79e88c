"""`python -m ingest`: the collector as a process, or as several."""

from __future__ import annotations

import sys

from ingest.geoip import GeoIpError
from ingest.handshake import TlsError
from ingest.processes import Processes
from ingest.server import serve
from schemas.logs import configure_logs
from schemas.settings import SettingsError, load_settings


def main() -> None:
    """Serve until SIGTERM or SIGINT, then end with exit code 0."""
    configure_logs("ingest")
    try:
        settings = load_settings()
        if settings.ingest.processes > 1:
            sys.exit(Processes(settings).run())
        serve(settings)
    except (SettingsError, GeoIpError, TlsError) as error:
        sys.exit(f"collector: {error}")


if __name__ == "__main__":
    main()
