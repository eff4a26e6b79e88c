"""The alert agent: merges the partitions' per-minute counts of a site, runs the rules, sends each change of state.

Keyed by site. Alerts are sent at once. The state follows every two seconds and after each alert: it is written, Kafka
has it, and only then are the records behind it acknowledged; so a repeat after a crash gives the same alerts with the
same ids. Counts are snapshots: a repeated record of `metrics` does no harm.

A site without traffic gets its time from the live workers: they say how far each source partition has come, and the
least of all is the site's time. While one lags or is down, nothing is called silent.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from faust.types import TP

from processors.domain.alerts.site import SiteAlerts, advance, hear, load, observe
from processors.live.output import Output
from processors.live.tick import Frontiers, decode_frontiers
from schemas.alert_rule import AlertRule
from schemas.cloudevent import alert_headers
from schemas.event import from_ms
from schemas.logs import get_logger
from schemas.metrics import Metrics
from schemas.rows import AlertRow, MinuteMetrics

log = get_logger(__name__)

CLOCK_PERIOD_S: Final = 30.0
"""How often a site without traffic is told the time, so that its alerts lapse."""

_SAVE_INTERVAL_S: Final = 2.0  # a state of some kilobytes a site: not for every one of several records a second

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(MinuteMetrics).decode


class AlertAgent:
    """Holds the sites of the `metrics` partitions this process owns. `table` is a Faust table of raw bytes by site.

    `partitions` is the number of source partitions, all of which must have been heard of before time passes.
    """

    def __init__(
        self, app: Any, table: Any, output: Output, rules: Sequence[AlertRule], metrics: Metrics, *, partitions: int
    ) -> None:
        self._app, self._table, self._output, self._rules, self._metrics = app, table, output, rules, metrics
        self._partitions = partitions
        self._sites: dict[int, dict[str, SiteAlerts]] = {}
        self._frontiers: dict[int, int] = {}
        self._changed: set[tuple[int, str]] = set()
        self._pending: list[Any] = []
        self._saved_s = 0.0

    async def run(self, stream: Any) -> None:
        """The agent's body: one record after the other, acknowledged when its consequences are stored."""
        async for event in stream.noack().events():
            await self.on_event(event)

    async def on_event(self, event: Any) -> None:
        """Take in one record of `metrics`: counts of a site, or, without a key, the frontiers of a live worker."""
        message = event.message
        if TP(message.topic, message.partition) not in self._app.consumer.assignment():
            return  # delivered from a buffer after the partition was taken away; its new owner reads it
        self._pending.append(event)
        if event.key is None:
            said = await self._on_frontiers(message.partition, event.value)
        else:
            said = await self._on_metrics(message.partition, event.value)
        if said or event.key is None or time.monotonic() - self._saved_s >= _SAVE_INTERVAL_S:
            await self._save()

    async def _on_metrics(self, partition: int, value: bytes) -> bool:
        try:
            metrics = _decode(value)
        except msgspec.DecodeError:
            log.error("metrics record is unreadable, skipped", partition=partition)
            return False
        state = self._of(partition).get(metrics.site)
        if state is None:
            state = self._of(partition)[metrics.site] = SiteAlerts(site=metrics.site)
            hear(state, self._frontiers)
        self._changed.add((partition, metrics.site))
        return await self._say(observe(state, metrics, self._rules))

    async def _on_frontiers(self, partition: int, value: bytes) -> bool:
        try:
            told: Frontiers = decode_frontiers(value)
        except msgspec.DecodeError:
            log.error("frontiers are unreadable, skipped", partition=partition)
            return False
        self._frontiers |= told.frontiers
        for site, state in self._of(partition).items():
            hear(state, told.frontiers)
            if state.pending:  # what is judged next depends on it, also after a crash
                self._changed.add((partition, site))
        if len(self._frontiers) < self._partitions:
            return False
        now = from_ms(min(self._frontiers.values()))
        said = False
        for site, state in self._of(partition).items():
            changes = advance(state, now, self._rules)
            if changes:
                self._changed.add((partition, site))
                said |= await self._say(changes)
        return said

    def _of(self, partition: int) -> dict[str, SiteAlerts]:
        sites = self._sites.get(partition)
        if sites is None:
            sites = self._sites[partition] = self._load(partition)
        return sites

    def _load(self, partition: int) -> dict[str, SiteAlerts]:
        prefix = b"%d/" % partition
        found: dict[str, SiteAlerts] = {}
        for key in self._table:
            if key.startswith(prefix):
                site = key[len(prefix) :].decode()
                try:
                    found[site] = load(self._table[key])
                except msgspec.DecodeError:
                    log.error("alert state of another version dropped: usual levels are learned anew", site=site)
        return found

    async def _say(self, changes: Sequence[AlertRow]) -> bool:
        for alert in changes:
            await self._output.send_alert(alert.fingerprint.encode(), _encode(alert), alert_headers(alert))
            self._metrics.counter("snag_alerts_total", alert.rule, alert.status).inc()
            log.info("alert", rule=alert.rule, status=alert.status, site=alert.site, funnel=alert.funnel, seq=alert.seq)
        return bool(changes)

    async def _save(self) -> None:
        self._saved_s = time.monotonic()
        changed, self._changed = self._changed, set()
        pending, self._pending = self._pending, []
        for partition, site in changed:
            state = self._sites.get(partition, {}).get(site)
            if state is not None:
                self._table[b"%d/%s" % (partition, site.encode())] = state.dump()
        if changed:
            await self._app.producer.flush()
        for event in pending:
            event.ack()

    def forget(self) -> None:
        """Drop all state: partitions are changing hands. What was not acknowledged is read again by its next owner."""
        self._sites.clear()
        self._frontiers.clear()
        self._changed.clear()
        self._pending.clear()
