"""All configuration, typed, with a default for everything: CLI > environment (SNAG_) > .env > snag.toml > default."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource
from pydantic_settings.exceptions import SettingsError as SourceError

from schemas.products import PRODUCTS, SESSIONS, Product
from schemas.topics import majority

CONFIG_FILE: Final = "snag.toml"
DOTENV_FILE: Final = ".env"

_MIB: Final = 1024 * 1024


class SettingsError(ValueError):
    """The configuration cannot be used; the text names the setting, the cause and where it is set."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SiteSettings(_Section):
    """A site, the write keys that may send events for it, and the origins of pages that may.

    `allowed_origins`: such as `https://shop.example` or `https://*.shop.example`; empty means any. Browsers name the
    origin of a page; what is sent from elsewhere has none and is not restricted.
    """

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$")]
    write_keys: Annotated[tuple[SecretStr, ...], Field(min_length=1)]
    allowed_origins: tuple[Annotated[str, Field(pattern=r"^https?://(\*\.)?[^/*?#\s]+$")], ...] = ()


class KafkaSettings(_Section):
    """How to reach Kafka and how its topics are laid out.

    `bootstrap`: host:port of one broker, or of several with commas between. An event is acknowledged when
    `min_insync_replicas` of its `replication` copies exist; by default a majority: 2 of 3.
    """

    bootstrap: str = "127.0.0.1:9092"
    topic_prefix: str = ""
    partitions: Annotated[int, Field(ge=1, le=1024)] = 8
    replication: Annotated[int, Field(ge=1, le=9)] = 1
    min_insync_replicas: Annotated[int | None, Field(ge=1, le=9)] = None

    @property
    def least_in_sync(self) -> int:
        """How many copies of a record must exist before Kafka acknowledges it."""
        return self.min_insync_replicas or majority(self.replication)

    @model_validator(mode="after")
    def _not_more_than_there_are(self) -> KafkaSettings:
        if self.least_in_sync > self.replication:
            raise ValueError(
                f"min_insync_replicas = {self.least_in_sync} with replication = {self.replication} would refuse every "
                "event: lower the first or raise the second"
            )
        return self


class ClickHouseSettings(_Section):
    """How to reach ClickHouse's HTTP interface."""

    url: str = "http://127.0.0.1:8123"
    database: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = "snag"
    user: str = "default"
    password: SecretStr = SecretStr("")


class IngestSettings(_Section):
    """The collector: where it listens, and the limits of what it takes.

    `paths` moves routes away from what ad blockers look for. By a route's path, all places where it is served instead:
    {"/v1/batch": ["/v1/batch", "/parcel"]}. A name ending in `*` stands for all paths that begin so, and the `*` in its
    places for the rest: {"/*": ["/*", "/shop-data/*"]}.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    linger_ms: Annotated[float, Field(ge=0)] = 5.0
    max_body_bytes: Annotated[int, Field(ge=1024)] = 5 * _MIB
    max_batch_events: Annotated[int, Field(ge=1)] = 2500
    max_event_bytes: Annotated[int, Field(ge=256)] = 256 * 1024
    max_nesting: Annotated[int, Field(ge=2, le=500)] = 32
    max_in_flight_bytes: Annotated[int, Field(ge=_MIB)] = 64 * _MIB
    future_tolerance_s: Annotated[float, Field(ge=0)] = 24 * 3600.0
    ack_timeout_s: Annotated[float, Field(gt=0)] = 5.0
    paths: dict[str, tuple[str, ...]] = {}
    spool_dir: Path | None = None  # none: `spool` in local.data_dir
    spool_max_bytes: Annotated[int, Field(ge=_MIB)] = 1024 * _MIB
    spool_after_s: Annotated[float, Field(gt=0)] = 0.4
    stop_timeout_s: Annotated[float, Field(ge=1)] = 15.0
    max_connections: Annotated[int, Field(ge=1)] = 10_000  # of one process
    processes: Annotated[int, Field(ge=1, le=256)] = 1
    reuse_port: bool = False
    tls_certificate: Path | None = None
    tls_key: Path | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> IngestSettings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("TLS needs both ingest.tls_certificate and ingest.tls_key, as PEM files")
        return self


class CookieSettings(_Section):
    """The first-party visitor cookie: HttpOnly, given to browsers that send no visitor id of their own."""

    enabled: bool = False
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "snag_visitor"
    max_age_s: Annotated[int, Field(ge=1)] = 365 * 24 * 3600
    same_site: Literal["strict", "lax", "none"] = "lax"
    secure: bool = True
    domain: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]*$")] = ""

    @model_validator(mode="after")
    def _none_needs_secure(self) -> CookieSettings:
        if self.same_site == "none" and not self.secure:
            raise ValueError("browsers drop a cookie with same_site = none that is not secure: set secure = true")
        return self


class PrivacySettings(_Section):
    """What the collector learns of a client beside its events, and what of it is kept. See docs/privacy.md."""

    opt_out: Literal["count", "drop", "ignore"] = "count"
    ip: Literal["drop", "truncate"] = "drop"
    geoip: Path | None = None
    trusted_proxies: tuple[IPvAnyNetwork, ...] = ()
    mask: bool = True
    cookie: CookieSettings = CookieSettings()
    forget_key: SecretStr | None = None


_RATE: Final = r"^(|[1-9][0-9]*/([1-9][0-9]* ?)?(second|minute|hour|day))$"


class LimitSettings(_Section):
    """What one client may send, counted by each collector process: "1000/minute", "50/5 second", or "" for no limit.

    A visitor with more than `hot_events_per_minute` (0: no bound) counts in rates only.
    """

    requests_per_key: Annotated[str, Field(pattern=_RATE)] = ""
    requests_per_ip: Annotated[str, Field(pattern=_RATE)] = ""
    hot_events_per_minute: Annotated[int, Field(ge=0)] = 6000


class WriterSettings(_Section):
    """Kafka to ClickHouse: how much one insert holds, how a failing one is tried again, how long somebody is erased."""

    group: str = "snag-writer"
    insert_interval_s: Annotated[float, Field(gt=0)] = 1.0
    max_insert_bytes: Annotated[int, Field(ge=1024)] = 32 * _MIB
    retry_min_s: Annotated[float, Field(gt=0)] = 0.2
    retry_max_s: Annotated[float, Field(gt=0)] = 10.0
    erase_interval_s: Annotated[float, Field(gt=0)] = 60.0
    erase_for_days: Annotated[int, Field(ge=1)] = 30
    health_port: Annotated[int, Field(ge=0, le=65535)] = 0


class LiveSettings(_Section):
    """The live workers: what they work out, the clocks of sessions and funnels, and how their state is kept.

    `products`: of sessions, funnels, friction and rates those that are wanted; sessions are always among them.
    `clock_skew_s`: by how much the clocks of the workers' machines may differ, far above what time servers leave. When
    so much time has passed, a partition's new owner says its live cohorts anew.
    `clock` = "topic": the workers make no ticks, whoever fills the topic `ticks` tells the time (`make score` does).
    """

    app_id: str = "snag-live"
    products: frozenset[Product] = PRODUCTS
    buckets: Annotated[int, Field(ge=1, le=4096)] = 32
    session_idle_s: Annotated[float, Field(gt=0)] = 1800.0
    session_max_s: Annotated[float, Field(gt=0)] = 24 * 3600.0
    abandon_after_s: Annotated[float, Field(gt=0)] = 1800.0
    lateness_s: Annotated[float, Field(ge=0)] = 24 * 3600.0
    emit_interval_s: Annotated[float, Field(ge=0)] = 3.0
    friction: dict[str, dict[str, float | tuple[str, ...]]] = {}
    clock_skew_s: Annotated[float, Field(ge=0)] = 60.0
    clock: Literal["system", "topic"] = "system"
    tick_interval_s: Annotated[float, Field(gt=0)] = 1.0
    checkpoint_interval_s: Annotated[float, Field(gt=0)] = 20.0
    standby_replicas: Annotated[int, Field(ge=0)] = 0
    session_timeout_s: Annotated[float, Field(gt=1)] = 10.0
    health_port: Annotated[int, Field(ge=0, le=65535)] = 0

    @field_validator("products")
    @classmethod
    def _sessions_always(cls, products: frozenset[Product]) -> frozenset[Product]:
        if SESSIONS not in products:
            raise ValueError('sessions must be among them, since all other rows are described by them: add "sessions"')
        return products


class LocalSettings(_Section):
    """The one-command stack."""

    data_dir: Path = Path(".snag")
    live_workers: Annotated[int, Field(ge=1, le=64)] = 1


class Settings(BaseSettings):
    """Everything that can be configured. Nested fields in the environment: SNAG_KAFKA__BOOTSTRAP=host:9092."""

    model_config = SettingsConfigDict(
        env_prefix="SNAG_",
        env_nested_delimiter="__",
        env_file=DOTENV_FILE,
        toml_file=CONFIG_FILE,
        extra="forbid",
        frozen=True,
    )

    sites: tuple[SiteSettings, ...] = (SiteSettings(name="shop", write_keys=(SecretStr("wk_local"),)),)
    funnels_dir: Path | None = None
    kafka: KafkaSettings = KafkaSettings()
    clickhouse: ClickHouseSettings = ClickHouseSettings()
    ingest: IngestSettings = IngestSettings()
    privacy: PrivacySettings = PrivacySettings()
    limits: LimitSettings = LimitSettings()
    writer: WriterSettings = WriterSettings()
    live: LiveSettings = LiveSettings()
    local: LocalSettings = LocalSettings()

    reads: ClassVar[tuple[str, ...]] = ("cli", "environment", DOTENV_FILE, CONFIG_FILE, "default")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The order of `reads`; a value from an earlier source hides the same value from a later one."""
        return init_settings, env_settings, dotenv_settings, TomlConfigSettingsSource(settings_cls)

    def spool_root(self) -> Path:
        """Where the collector keeps what Kafka has not taken yet."""
        return self.ingest.spool_dir or self.local.data_dir / "spool"

    def funnels_root(self) -> Path:
        """Where a site's own funnels lie; the folder need not exist."""
        return self.funnels_dir or self.local.data_dir / "funnels"


def load_settings(**overrides: Any) -> Settings:
    """The settings as the CLI and every part read them; `overrides` are the CLI's own, nested as the model is.

    Raises SettingsError when one is unreadable or not as it must be; no value is in its text, it may be a secret.
    """
    try:
        return Settings(**overrides)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{CONFIG_FILE} is no TOML: {error}. Mend it, or move it away.") from None
    except SourceError as error:
        raise SettingsError(f"{error}. Lists and tables in an environment variable are written as JSON.") from None
    except ValidationError as error:
        raise SettingsError("\n".join(_problem(found) for found in error.errors(include_input=False))) from None


def _problem(found: ErrorDetails) -> str:
    name = ".".join(map(str, found["loc"]))
    variable = "SNAG_" + "__".join(map(str, found["loc"])).upper()
    message = found["msg"]
    return (
        f"Setting {name}: {message[:1].lower()}{message[1:]}. It is set by {variable}, {DOTENV_FILE} or {CONFIG_FILE}."
    )
