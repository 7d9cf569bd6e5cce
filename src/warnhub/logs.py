"""Logging: structured, and with nothing in it that must not be: secrets, tokens in URLs, and phone numbers are taken out."""

import logging
import re
from collections.abc import MutableMapping
from typing import Any

import structlog

SECRET_KEYS = re.compile(r"(?i)(token|secret|password|authorization|api_?key|cookie)")
PHONE = re.compile(r"(?<![0-9A-Za-z])(\+?86)?1[3-9][0-9]{9}(?![0-9])|\+[1-9][0-9]{7,14}")
QUERY = re.compile(r"(?i)((?:access_token|token|key|secret|signature|sig)=)[^&\s\"']+")


def redact_text(text: str) -> str:
    """`text` without phone numbers and without the values of secret query parameters."""
    return PHONE.sub(lambda found: f"••••{found.group()[-4:]}", QUERY.sub(r"\1••••", text))


def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The structlog processor."""
    for key, value in event.items():
        if SECRET_KEYS.search(key):
            event[key] = "••••"
        elif isinstance(value, str):
            event[key] = redact_text(value)
    return event


def set_up(level: str = "info", as_json: bool = True) -> None:
    """Configure both structlog and the standard library's logging to one stream, standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False) if as_json else structlog.dev.ConsoleRenderer()
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, renderer],
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # httpx writes whole URLs at INFO, and WeChat takes its token in one.
    for name in ("httpx", "httpcore", "twilio", "uvicorn.access", "alembic", "mqtt"):
        logging.getLogger(name).setLevel(logging.WARNING)
