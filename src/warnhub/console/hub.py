"""What pages need of the running system."""

from collections.abc import Mapping
from typing import Protocol

from warnhub.channels import Provider
from warnhub.config import Settings
from warnhub.crypto import KeyRing
from warnhub.desk import Desk
from warnhub.dispatch.wordbook import Wordbook
from warnhub.feedback.acks import Acks
from warnhub.feedback.steering import Steering
from warnhub.monitor.board import Card
from warnhub.monitor.summary import Summary
from warnhub.plan.audience import Places
from warnhub.plan.policy import Policy
from warnhub.response.responder import Responder
from warnhub.store.engine import Store


class Figures(Protocol):
    """A warning's figures, shared by everybody who looks."""

    async def summary(self, uid: str, fresh: float = 1.0) -> Summary | None:
        """At most `fresh` seconds old; None if there is no such warning."""
        ...


class Cards(Protocol):
    """What field pages show, in memory."""

    async def look(self, wave: int) -> Card | None:
        """The card behind a link; None if no message of ours has this number."""
        ...

    def is_worker(self, card: Card, recipient: int) -> bool:
        """Whether somebody answers for others in this warning."""
        ...


class Field(Protocol):
    """What the field page works with."""

    @property
    def settings(self) -> Settings: ...
    @property
    def keys(self) -> KeyRing: ...
    @property
    def acks(self) -> Acks: ...
    @property
    def board(self) -> Cards: ...


class Hub(Field, Protocol):
    """What the console works with. `notices`: what the adapters want an operator to know."""

    @property
    def store(self) -> Store: ...
    @property
    def desk(self) -> Desk: ...
    @property
    def steering(self) -> Steering: ...
    @property
    def places(self) -> Places: ...
    @property
    def policies(self) -> Mapping[int, Policy]: ...
    @property
    def providers(self) -> Mapping[str, Provider]: ...
    @property
    def wordbook(self) -> Wordbook: ...
    @property
    def monitor(self) -> Figures: ...
    @property
    def responder(self) -> Responder: ...
    @property
    def notices(self) -> list[str]: ...
