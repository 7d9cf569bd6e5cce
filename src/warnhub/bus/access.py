"""How every client of Kafka's comes to the brokers: where they are, TLS, and who we are."""

import ssl
from pathlib import Path
from typing import Any

from warnhub.config import ConfigError, Settings


def kafka_options(settings: Settings) -> dict[str, Any]:
    """What each aiokafka client is made with. Raises `ConfigError` for a file that cannot be used, naming its setting."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka,
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_security_protocol.endswith("SSL"):
        options["ssl_context"] = make_context(settings)
    if settings.kafka_security_protocol.startswith("SASL"):
        assert settings.kafka_password is not None
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    return options


def make_context(settings: Settings) -> ssl.SSLContext:
    """The brokers' certificates are checked against `kafka_cafile`, or this machine's own authorities, and for their names."""
    try:
        context = ssl.create_default_context(cafile=settings.kafka_cafile)
    except (OSError, ssl.SSLError) as error:
        raise unusable("kafka_cafile", settings.kafka_cafile, error) from None
    if settings.kafka_certfile is not None:
        password = settings.kafka_key_password
        try:
            context.load_cert_chain(
                settings.kafka_certfile, settings.kafka_keyfile, password.get_secret_value() if password else no_password
            )
        except (OSError, ssl.SSLError) as error:
            raise unusable("kafka_certfile and kafka_keyfile", settings.kafka_certfile, error) from None
    return context


def no_password() -> str:
    """For a key that needs one: else OpenSSL asks on the terminal, and waits."""
    return ""


def unusable(name: str, path: Path | None, error: OSError) -> ConfigError:
    """A file that cannot be used."""
    return ConfigError(f"{name}: cannot use {path}: {error.strerror or type(error).__name__}")
