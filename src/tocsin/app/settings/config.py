"""The one typed settings tree: its defaults run everything on one machine."""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from tocsin.app.settings.backup_settings import BackupSettings, IntegritySettings
from tocsin.app.settings.cold_settings import ColdSettings
from tocsin.app.settings.config_errors import ConfigError
from tocsin.app.settings.retention_settings import RetentionSettings
from tocsin.app.settings.search_settings import SearchSettings
from tocsin.ingest.files.file_settings import FileSettings, check_sources
from tocsin.ingest.pull.pull_settings import PullSettings, WebhookSettings, different_names


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Port = Annotated[int, Field(ge=0, le=65535)]
_MAX_CONNECTIONS = Field(
    1000, ge=1, description="Most TCP connections at once; one more is refused and logged."
)


class HttpSettings(_Section):
    """The door for browsers, API clients and HTTP senders."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: Port = Field(8600, description="TCP port to listen on; 0 picks a free one.")
    secure_cookies: bool = Field(
        False, description="Mark cookies Secure; set it when TLS ends here or at a proxy before us."
    )
    body_limit_bytes: int = Field(
        64 * 1024 * 1024, ge=1024, description="Largest request body taken in, in bytes."
    )


class SyslogListener(_Section):
    """One more syslog listener, whose sources are named ``syslog/<name>/<host>``."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", description="What its sources are called by."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    udp_port: Port | None = Field(None, description="UDP port; none without it.")
    tcp_port: Port | None = Field(None, description="TCP port (with tls_certificate: TLS).")
    tls_certificate: Path | None = Field(
        None, description="Certificate (PEM, its chain behind it): TLS on tcp_port."
    )
    tls_key: Path | None = Field(None, description="Its key (PEM, not encrypted).")
    tls_client_ca: Path | None = Field(
        None, description="CA (PEM) that senders' certificates must be signed by."
    )
    max_connections: int = _MAX_CONNECTIONS

    @model_validator(mode="after")
    def _is_whole(self) -> "SyslogListener":
        if self.udp_port is None and self.tcp_port is None:
            raise ValueError("needs udp_port or tcp_port")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("needs tls_certificate and tls_key together")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise ValueError("needs tls_certificate and tls_key beside tls_client_ca")
        if self.tls_certificate is not None and (
            self.tcp_port is None or self.udp_port is not None
        ):
            raise ValueError("TLS is over TCP: needs tcp_port, and no udp_port")
        return self


class SyslogSettings(_Section):
    """The syslog listeners (RFC 3164 and 5424; UDP, and TCP with either framing of RFC 6587)."""

    enabled: bool = Field(True, description="Listen for syslog.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    udp_port: Port = Field(5514, description="UDP port; 0 picks a free one.")
    tcp_port: Port = Field(5514, description="TCP port; 0 picks a free one.")
    max_connections: int = _MAX_CONNECTIONS
    listeners: tuple[SyslogListener, ...] = Field(
        (),
        description="More listeners, each a table `[[syslog.listeners]]` with `name`, `host`, "
        "`udp_port`, `tcp_port`, `max_connections`, and for TLS `tls_certificate`, `tls_key`, `tls_client_ca`.",
    )

    @field_validator("listeners")
    @classmethod
    def _names_differ(cls, listeners: tuple[SyslogListener, ...]) -> tuple[SyslogListener, ...]:
        names = [one.name for one in listeners]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two listeners are named {sorted(twice)[0]!r}; each needs its own")
        return listeners


class OtlpSettings(_Section):
    """OpenTelemetry over gRPC; over HTTP it comes in at the door of ``http``."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    grpc_port: Port | None = Field(
        None, description="TCP port, 4317 by custom; 0 picks a free one, none without it."
    )
    tls_certificate: Path | None = Field(
        None, description="Certificate (PEM, its chain behind it): TLS on grpc_port."
    )
    tls_key: Path | None = Field(None, description="Its key (PEM, not encrypted).")
    tls_client_ca: Path | None = Field(
        None, description="CA (PEM) that senders' certificates must be signed by."
    )

    @model_validator(mode="after")
    def _is_whole(self) -> "OtlpSettings":
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("needs tls_certificate and tls_key together")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise ValueError("needs tls_certificate and tls_key beside tls_client_ca")
        return self


class DuplicatesSettings(_Section):
    """What senders give an id to (Elastic's ``_id``) and send again is not stored twice."""

    hours: float = Field(24.0, gt=0, description="How long an id is remembered, in h.")
    most_ids: int = Field(
        2_000_000, ge=1000, description="Most ids remembered, each 32 bytes of memory and disk."
    )


class SpoolSettings(_Section):
    """What is acknowledged but not yet stored."""

    limit_bytes: int = Field(
        4 * 1024**3, ge=1024**2, description="Size at which senders are slowed down, in bytes."
    )


class FlowSettings(_Section):
    """The way of an event from the spool to the store."""

    batch_bytes: int = Field(
        32 * 1024**2, ge=1024, description="Spool bytes worked on at a time, in bytes."
    )
    cut_s: float = Field(
        1.0, gt=0, le=60, description="Longest wait for a batch to fill before it is stored, in s."
    )


class EnrichSettings(_Section):
    """What is added to events from elsewhere; `networks.yml` in the data folder is always read."""

    geoip_files: tuple[Path, ...] = Field(
        (), description="Databases in MaxMind's format (.mmdb), the more exact first."
    )


class StoreSettings(_Section):
    """Where state and events are kept, and their upkeep."""

    state: str = Field(
        "",
        description="PostgreSQL that keeps state and durable runs, `postgresql://user@host/database`; "
        "empty: the data folder.",
    )
    events: str = Field(
        "",
        description="ClickHouse that keeps events, `clickhouse://user@host:8123/database` "
        "(`clickhouses://`: TLS); empty: the data folder.",
    )

    merge_interval_s: float = Field(
        30.0,
        gt=0,
        description="Time between looks for small segments to merge, in s; those of the last hour "
        "every 5 s at most while few records wait.",
    )


class DetectSettings(_Section):
    """Which rules run."""

    shipped_pack: bool = Field(True, description="Run the rules Tocsin ships.")
    rules: tuple[Path, ...] = Field(
        (),
        description="More folders or files of Sigma rules; `rules/` in the data folder is always read.",
    )
    reload_interval_s: float = Field(
        5.0, gt=0, description="Time between looks for changed files of rules and mappings, in s."
    )
    rule_cpu_share: float = Field(
        0.2, gt=0, le=1, description="Share of a processor core a rule may use in the long run."
    )
    rule_cpu_burst_s: float = Field(
        30.0, gt=0, description="Processor time a rule may use at once beyond its share, in s."
    )
    fill_days: float = Field(
        7.0, ge=0, description="How far back gaps of rules are filled by themselves, in days."
    )
    backtest_stretch_rows: int = Field(
        500_000, ge=1, description="Events after which a backtest keeps how far it is."
    )


class HealthSettings(_Section):
    """How the platform watches its own sources."""

    silence_interval_s: float = Field(
        15.0, gt=0, description="Time between looks for silent sources, in s."
    )
    measure_interval_s: float = Field(
        30.0, gt=0, description="Time between measurements for the health rules, in s."
    )


class RespondSettings(_Section):
    """Bounds on what response may do."""

    approval_deadline_s: int = Field(
        4 * 3600, ge=10, description="Time a person has to answer an approval, in s."
    )
    default_lease_s: int = Field(
        4 * 3600, ge=10, description="Time a containment holds unless asked otherwise, in s."
    )
    longest_lease_s: int = Field(
        7 * 86400, ge=60, description="Longest time a containment may be asked for, in s."
    )
    nftables: bool = Field(
        False, description="Also block on this machine with nftables (needs the privilege to)."
    )
    never_touch: tuple[str, ...] = Field(
        (), description="More addresses, networks or asset names no action may touch."
    )


class AccessSettings(_Section):
    """Who may come in, and for how long."""

    session_idle_s: int = Field(
        12 * 3600, ge=60, description="Idle time that ends a session, in s."
    )
    session_longest_s: int = Field(
        7 * 86400, ge=60, description="Age at which a session ends in any case, in s."
    )


class Settings(BaseSettings):
    """All settings. A file given with --config (TOML), overridden by ``TOCSIN_SECTION__NAME``."""

    model_config = SettingsConfigDict(
        env_prefix="TOCSIN_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    home: Path = Field(Path("tocsin-data"), description="Data folder; everything is kept in it.")
    http: HttpSettings = HttpSettings()
    syslog: SyslogSettings = SyslogSettings()
    otlp: OtlpSettings = OtlpSettings()
    files: tuple[FileSettings, ...] = Field(
        (), description="Log files that are followed: `[[files]]`, one table a source."
    )
    pull: PullSettings = PullSettings()
    webhooks: tuple[WebhookSettings, ...] = Field(
        (), description="Doors at `/in/<name>` for signed webhooks: `[[webhooks]]`."
    )
    duplicates: DuplicatesSettings = DuplicatesSettings()
    spool: SpoolSettings = SpoolSettings()
    flow: FlowSettings = FlowSettings()
    enrich: EnrichSettings = EnrichSettings()
    store: StoreSettings = StoreSettings()
    retention: RetentionSettings = RetentionSettings()
    cold: ColdSettings = ColdSettings()
    backup: BackupSettings = BackupSettings()
    integrity: IntegritySettings = IntegritySettings()
    search: SearchSettings = SearchSettings()
    detect: DetectSettings = DetectSettings()
    health: HealthSettings = HealthSettings()
    respond: RespondSettings = RespondSettings()
    access: AccessSettings = AccessSettings()

    @field_validator("files")
    @classmethod
    def _sources_differ(cls, files: tuple[FileSettings, ...]) -> tuple[FileSettings, ...]:
        check_sources(files)
        return files

    @field_validator("webhooks")
    @classmethod
    def _webhooks_differ(cls, webhooks: tuple[WebhookSettings, ...]) -> tuple[WebhookSettings, ...]:
        different_names("webhooks", webhooks)
        return webhooks

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags before the environment before the file; no .env file, no secrets folder."""
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))


def secret_in_environment(variable: str) -> str | None:
    """The value of a variable that a setting ``…_env`` names; None when there is none."""
    return os.environ.get(variable)


def load_settings(config: Path | None = None, **flags: Any) -> Settings:
    """Read settings from ``config`` (TOML), the environment and ``flags``; the later win.

    ``flags`` are dotted names with double underscores (``http__port=0``); None is "not given".
    Raises ConfigError naming each wrong setting.
    """
    if config is not None and not config.is_file():
        raise ConfigError(f"{config}: no such file; give an existing TOML file with --config")
    tree: dict[str, Any] = {}
    for name, value in flags.items():
        if value is not None:
            *path, last = name.split("__")
            place = tree
            for part in path:
                place = place.setdefault(part, {})
            place[last] = value
    loader = type("Settings", (Settings,), {"model_config": SettingsConfigDict(toml_file=config)})
    try:
        loaded: Settings = loader(**tree)
    except ValidationError as error:
        where = (
            f"{config}, environment or command line" if config else "environment or command line"
        )
        lines = [
            f"{where}: {'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{config}: not valid TOML: {error}") from error
    return loaded
