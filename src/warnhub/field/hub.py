"""What the pages of the field need of the running system."""

from typing import Protocol

from warnhub.console.hub import Field
from warnhub.response.responder import Responder
from warnhub.store.engine import Store


class Hub(Field, Protocol):
    """What they work with."""

    @property
    def store(self) -> Store: ...
    @property
    def responder(self) -> Responder: ...
