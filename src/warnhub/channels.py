"""Finding the installed channels, and making the configured ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

import httpx
from pydantic import ValidationError

from warnhub.client import make_client
from warnhub.config import ConfigError
from warnhub.port import Bulk, Channel, ChannelSettings

GROUP = "warnhub.channels"


@dataclass(frozen=True, slots=True)
class Provider:
    """A configured provider of a channel: `name` is `channel.provider`, e.g. `sms.aliyun`."""

    name: str
    channel: str
    adapter: Channel
    settings: ChannelSettings

    @property
    def batch_size(self) -> int:
        """Recipients in a batch: one call's worth, or half a second of calls, so that red never waits longer."""
        if isinstance(self.adapter, Bulk):
            return type(self.adapter).most
        return max(1, int(self.settings.rate / 2))


def installed_channels() -> dict[str, Any]:
    """Every channel that is installed: name → entry point."""
    return {point.name: point for point in entry_points(group=GROUP)}


def make_providers(configured: Mapping[str, Mapping[str, Any]], transport: httpx.AsyncBaseTransport) -> dict[str, Provider]:
    """The enabled providers. A `ConfigError` names the provider and each field that is wrong, and shows no value."""
    known = installed_channels()
    made: dict[str, Provider] = {}
    for name, section in configured.items():
        if name not in known:
            raise ConfigError(f"providers.{name}: no such channel is installed; there are: {', '.join(sorted(known))}")
        adapter = known[name].load()
        try:
            settings = adapter.Settings.model_validate(dict(section))
        except ValidationError as error:
            lines = (f"providers.{name}.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
            raise ConfigError("\n".join(lines)) from None
        if settings.enabled:
            client = make_client(transport, settings.timeout)
            made[name] = Provider(name, name.partition(".")[0], adapter(settings, client), settings)
    return made


def by_channel(providers: Mapping[str, Provider]) -> dict[str, list[Provider]]:
    """The providers of each channel, the heaviest first."""
    found: dict[str, list[Provider]] = {}
    for provider in sorted(providers.values(), key=lambda p: (-p.settings.weight, p.name)):
        found.setdefault(provider.channel, []).append(provider)
    return found
