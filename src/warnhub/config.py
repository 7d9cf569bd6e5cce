"""Settings: parsed once, at the edge, and refused whole.

Sources, the first wins: `WARNHUB_*` variables, `WARNHUB_*_FILE` variables (the value is read from that file, for secrets), the
TOML file named by `WARNHUB_CONFIG` (default `warnhub.toml` if it exists), the defaults here. In the TOML file any key may have
a `_file` twin too.
"""

import os
import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from warnhub.alert import Level
from warnhub.crypto import decode_key

Indicator = Literal["coverage", "reach", "confirm", "median", "doors", "tasks", "effect"]
"""What a ranking may weigh; defined in `warnhub.response.figures`."""


def default_weights() -> dict[Indicator, float]:
    """What each indicator counts for, unless the county says otherwise."""
    return {"coverage": 0.25, "confirm": 0.35, "median": 0.15, "doors": 0.15, "tasks": 0.1, "effect": 0.1}


class ConfigError(Exception):
    """The configuration cannot be used; each line names a field, what is wrong with it, and never a secret."""


class County(BaseModel):
    """Whose warning desk this is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "云岭县"
    code: str = Field(default="990123", pattern=r"^[0-9]{6}$")
    bureau: str = "云岭县应急管理局"
    signature: str = Field(default="云岭应急", min_length=2, max_length=12)
    zone: str = "Asia/Shanghai"
    telephone: str = "12379"
    currency: str = Field(default="CNY", pattern=r"^[A-Z]{3}$")

    @field_validator("zone")
    @classmethod
    def real_zone(cls, value: str) -> str:
        """An IANA zone this machine knows."""
        try:
            return ZoneInfo(value).key
        except (KeyError, ValueError, OSError):
            raise ValueError("is not an IANA time zone such as Asia/Shanghai") from None


class Limits(BaseModel):
    """What one request may cost."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_bytes: int = Field(default=8_000_000, gt=0)
    max_polygons: int = Field(default=1_000, gt=0)
    max_points: int = Field(default=50_000, gt=0)
    batch_size: int = Field(default=1_000, gt=0, le=5_000)


class Source(BaseModel):
    """A feed or a document that is polled, on behalf of the agency it speaks for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    agency: str = Field(min_length=1)
    urls: list[str] = Field(min_length=1, max_length=10)
    kind: Literal["feed", "document"] = "feed"
    elsewhere: Literal["pass", "hold"] = "pass"
    hosts: list[str] = Field(default_factory=list)
    networks: list[str] = Field(default_factory=list)
    every: float = Field(default=60, ge=5)
    timeout: float = Field(default=20, gt=0, le=120)
    max_bytes: int = Field(default=8_000_000, gt=0)

    @field_validator("urls")
    @classmethod
    def real_urls(cls, value: list[str]) -> list[str]:
        """http or https, with a host and no name or password in them."""
        for url in value:
            parts = urlsplit(url)
            if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
                raise ValueError("must be http or https addresses without a password in them")
        return value

    @field_validator("networks")
    @classmethod
    def real_networks(cls, value: list[str]) -> list[str]:
        """Networks as 10.1.0.0/16."""
        return [str(ip_network(one)) for one in value]

    @property
    def allowed(self) -> set[str]:
        """The hosts that may be asked."""
        return {(urlsplit(url).hostname or "").lower() for url in self.urls} | {host.lower() for host in self.hosts}


class Oidc(BaseModel):
    """An identity provider (OpenID Connect) that people may come in by. `roles`: group → role at the desk; `claim`: where the
    provider names groups; `name`: what stands on the button."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    issuer: str = Field(pattern=r"^https?://[^/]+")
    client_id: str
    client_secret: SecretStr
    roles: dict[str, str]
    claim: str = "groups"
    name: str = "统一认证 / single sign-on"


SASL = ("kafka_sasl_mechanism", "kafka_username", "kafka_password")
TLS = ("kafka_cafile", "kafka_certfile", "kafka_keyfile", "kafka_key_password")


class FileSource(PydanticBaseSettingsSource):
    """`WARNHUB_X_FILE` names a file that holds X."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """The text of the file, stripped of its last newline."""
        path = os.environ.get(f"WARNHUB_{field_name.upper()}_FILE")
        return (Path(path).read_text("utf-8").rstrip("\n") if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Every field that has a file."""
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


class TomlSource(PydanticBaseSettingsSource):
    """`warnhub.toml`, with `_file` twins resolved beside it."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """Not used: the whole file is read at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """The file as a dictionary; {} where there is none."""
        named = os.environ.get("WARNHUB_CONFIG")
        path = Path(named or "warnhub.toml")
        if not path.exists():
            if named:
                raise ConfigError(f"WARNHUB_CONFIG: there is no file {path}")
            return {}
        try:
            return read_twins(tomllib.loads(path.read_text("utf-8")), path.parent)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path}: not TOML: {error}") from error


def read_twins(table: dict[str, Any], base: Path) -> dict[str, Any]:
    """`table` with each `key_file = "path"` replaced by `key` = the file's text."""
    out: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            out[key] = read_twins(value, base)
        elif key.endswith("_file") and isinstance(value, str):
            try:
                out[key.removesuffix("_file")] = (base / value).read_text("utf-8").rstrip("\n")
            except OSError as error:
                raise ConfigError(f"{key}: cannot read {value}: {error.strerror}") from error
        else:
            out[key] = value
    return out


class Settings(BaseSettings):
    """Everything WarnHub can be told. One object, made once in the composition root."""

    model_config = SettingsConfigDict(
        env_prefix="WARNHUB_", env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    database_url: str = "sqlite:///warnhub.sqlite3"
    secret_key: SecretStr
    public_url: str = Field(default="http://127.0.0.1:8080", pattern=r"^https?://[^/]+(/.*[^/])?$")
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65_535)
    audio_dir: Path = Path("audio")
    words_dir: Path | None = None
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    log_json: bool = True
    session_hours: float = Field(default=12, gt=0)
    trusted_proxies: tuple[str, ...] = ()
    oidc: Oidc | None = None
    county: County = County()
    limits: Limits = Limits()
    stations: Path | None = None
    tables_dir: Path | None = None
    providers: dict[str, dict[str, Any]] = Field(default_factory=dict)
    sources: dict[str, Source] = Field(default_factory=dict)
    lease_seconds: float = Field(default=60, gt=0)
    office_code: str | None = Field(default=None, pattern=r"^[0-9]{14}$")
    signing_key: SecretStr | None = None
    signing_certificate: str | None = None
    kafka: str | None = Field(default=None, pattern=r"^[^\s,:/]+:[0-9]+(,[^\s,:/]+:[0-9]+)*$")
    canary: str = Field(default="", pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9])?$")
    canary_drill: str = ""
    door_levels: tuple[Level, ...] = (Level.RED, Level.ORANGE)
    weights: dict[Indicator, Annotated[float, Field(ge=0, le=100)]] = Field(default_factory=default_weights)
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    kafka_cafile: Path | None = None
    kafka_certfile: Path | None = None
    kafka_keyfile: Path | None = None
    kafka_key_password: SecretStr | None = None
    kafka_prefix: str = Field(default="warnhub", pattern=r"^[A-Za-z0-9._-]{1,100}$")
    kafka_partitions: int = Field(default=8, ge=1, le=1_000)
    kafka_replication: int = Field(default=1, ge=1, le=10)
    worker: bool = False
    otel_endpoint: str | None = Field(default=None, pattern=r"^https?://[^/@\s]+(/[^\s]*)?$")
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = Field(default=None, ge=0, le=65_535)

    @field_validator("trusted_proxies")
    @classmethod
    def real_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Addresses or networks, such as 127.0.0.1 or 10.0.0.0/8."""
        for name in value:
            try:
                ip_network(name, strict=False)
            except ValueError:
                raise ValueError(f"{name!r} is neither an address nor a network") from None
        return value

    @model_validator(mode="after")
    def whole_access(self) -> "Settings":
        """All that Kafka's security protocol needs, and nothing it would not use: what is set and not used is a mistake."""
        protocol = self.kafka_security_protocol
        sasl, tls = protocol.startswith("SASL"), protocol.endswith("SSL")
        asked = {"kafka": protocol != "PLAINTEXT"} | dict.fromkeys(SASL, sasl)
        used = dict.fromkeys(SASL, sasl) | dict.fromkeys(TLS, tls)
        wrong = [f"{name}: is needed with {protocol}" for name, need in asked.items() if need and not getattr(self, name)]
        wrong += [
            f"{name}: is not used with kafka_security_protocol {protocol}"
            for name, use in used.items()
            if not use and getattr(self, name) is not None
        ]
        if (self.kafka_certfile is None) != (self.kafka_keyfile is None):
            missing = "kafka_certfile" if self.kafka_certfile is None else "kafka_keyfile"
            wrong.append(f"{missing}: is needed, for a certificate and its key go together")
        if self.kafka_key_password is not None and tls and self.kafka_keyfile is None:
            wrong.append("kafka_key_password: is not used without kafka_keyfile")
        if wrong:
            raise ValueError("\n".join(wrong))
        return self

    @property
    def scaled(self) -> bool:
        """Whether this installation is several processes: PostgreSQL and Kafka."""
        return self.kafka is not None and not self.database_url.startswith("sqlite")

    @field_validator("secret_key")
    @classmethod
    def usable_key(cls, value: SecretStr) -> SecretStr:
        """A master key of 32 bytes."""
        decode_key(value.get_secret_value())
        return value

    @field_validator("database_url")
    @classmethod
    def known_database(cls, value: str) -> str:
        """SQLite or PostgreSQL, by any of their usual spellings."""
        scheme = value.partition("://")[0].partition("+")[0]
        if scheme not in {"sqlite", "postgresql", "postgres"}:
            raise ValueError(f"must begin with sqlite:// or postgresql://, not {scheme}://")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, variables, files named by variables, the TOML file."""
        return init_settings, env_settings, FileSource(settings_cls), TomlSource(settings_cls)


def load_settings(**given: Any) -> Settings:
    """The settings, or a `ConfigError` that names every field that is wrong."""
    try:
        return Settings(**given)
    except ValidationError as error:
        raise ConfigError("\n".join(describe(problem) for problem in error.errors())) from None
    except OSError as error:
        raise ConfigError(f"cannot read {error.filename}: {error.strerror}") from error


def describe(problem: Any) -> str:
    """One line for one field, with what to do for the commonest."""
    field = ".".join(str(part) for part in problem["loc"])
    if not field:
        return str(problem["msg"]).removeprefix("Value error, ")
    if field == "secret_key" and problem["type"] == "missing":
        return "secret_key: is missing; set WARNHUB_SECRET_KEY or WARNHUB_SECRET_KEY_FILE (make one with `warnhub key`)"
    return f"{field}: {problem['msg'].removeprefix('Value error, ').removeprefix(f'{field} ')}"
