"""From the rows of a batch to what its provider is given: a message for each, or crowds of those who hear the same words."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from warnhub.channels import Provider
from warnhub.config import Settings
from warnhub.crypto import KeyRing, Unreadable, base36, make_reference
from warnhub.dispatch.handover import Item
from warnhub.dispatch.wordbook import Cause, Story, Wordbook, asks_back
from warnhub.port import Crowd, Outgoing, Reason
from warnhub.roles import Role
from warnhub.store.batches import Batch, Line
from warnhub.store.ledger import Move
from warnhub.store.states import Rank


class Frame(NamedTuple):
    """What all messages of a batch share. `page` is "" where nobody is asked to confirm; `leaf` is which of their pages a link
    leads to; `cause` why the wave was cut."""

    page: str
    hook: str
    expires: datetime
    drill: bool
    repeat: int
    volume: int
    leaf: str
    cause: Cause


class Load(NamedTuple):
    """Part of a batch: messages of the same words, and whose they are."""

    recipients: Sequence[int]
    messages: Crowd


class Packer:
    """Makes what is sent."""

    def __init__(self, settings: Settings, keys: KeyRing, wordbook: Wordbook, providers: Mapping[str, Provider]) -> None:
        self.settings = settings
        self.keys = keys
        self.wordbook = wordbook
        self.providers = providers

    def frame(self, story: Story, batch: Batch) -> Frame:
        """What all messages of a batch share, worked out once."""
        base = self.settings.public_url
        rule = story.rules.get(Role(batch.role))
        loud = rule.loudspeaker if rule else None
        known = self.providers.get(batch.provider)
        cause = story.waves.get(batch.wave, Cause(round=batch.round))
        linked = known is not None and known.settings.links and (asks_back(story, batch.role) or bool(cause.task))
        channel, _, provider = batch.provider.partition(".")
        return Frame(
            page=f"{base}/a/" if linked else "",
            hook=f"{base}/hooks/{channel}/{provider}?ref=",
            expires=datetime.fromtimestamp(story.warning.expires_at / 1000, UTC),
            drill=story.warning.drill is not None,
            repeat=loud.times if loud else 1,
            volume=loud.volume if loud else 80,
            leaf="/tasks" if cause.task else "",
            cause=cause,
        )

    def items(self, story: Story, batch: Batch, lines: Sequence[Line]) -> tuple[list[Item], list[Move]]:
        """The messages of a batch, and what is to be recorded of those who get none."""
        frame = self.frame(story, batch)
        readable, moves = self.sort(batch, lines)
        languages = {entry.language for entry, _ in readable}
        shared = {language: self.outgoing(story, batch, language, frame) for language in languages}
        made = (self.message(batch, entry, address, shared[entry.language], frame) for entry, address in readable)
        return [Item(entry.recipient, message) for (entry, _), message in zip(readable, made, strict=True)], moves

    def crowds(self, story: Story, batch: Batch, lines: Sequence[Line], frame: Frame) -> tuple[list[Load], list[Move]]:
        """The same without an object for each recipient, where none carries a link: a crowd a language, the largest last."""
        readable, moves = self.sort(batch, lines)
        kinds: dict[str, tuple[list[int], list[str]]] = defaultdict(lambda: ([], []))
        for entry, address in readable:
            people, addresses = kinds[entry.language]
            people.append(entry.recipient)
            addresses.append(address)
        head = f"w{base36(batch.wave)}-r"
        loads = []
        for language, (people, addresses) in sorted(kinds.items(), key=lambda kind: len(kind[1][0])):
            common = self.outgoing(story, batch, language, frame)
            loads.append(Load(people, Crowd(common, [head + base36(person) for person in people], addresses, frame.hook)))
        return loads, moves

    def sort(self, batch: Batch, lines: Sequence[Line]) -> tuple[list[tuple[Line, str]], list[Move]]:
        """Who can be told, with the address; a blocked or broken address is only its owner's."""
        readable, moves, unseal = [], [], self.keys.unseal
        for entry in lines:
            if entry.blocked:
                moves.append(Move(batch.id, entry.recipient, Rank.SUPPRESSED, entry.blocked))
                continue
            try:
                readable.append((entry, unseal(entry.address)))
            except Unreadable:
                moves.append(Move(batch.id, entry.recipient, Rank.FAILED, Reason.REJECTED, "unreadable"))
        return readable, moves

    def message(self, batch: Batch, entry: Line, address: str, common: Outgoing, frame: Frame) -> Outgoing:
        """What one recipient gets. `common` is what they share who read the same language."""
        reference = make_reference(batch.wave, entry.recipient)
        link = frame.page and f"{frame.page}{self.keys.link_token(batch.wave, entry.recipient)}{frame.leaf}"
        return Outgoing(
            reference,
            address,
            common.words,
            common.lane,
            common.expires,
            link,
            frame.hook + reference,
            common.drill,
            common.repeat,
            common.volume,
            self.keys.reply_code(entry.recipient) if link and batch.channel == "sms" else "",
        )

    def outgoing(self, story: Story, batch: Batch, language: str, frame: Frame) -> Outgoing:
        """What all messages of this batch in one language share."""
        return Outgoing(
            reference="",
            address="",
            words=self.wordbook.words(story, batch.channel, batch.role, language, frame.cause.round, frame.cause.task),
            lane=batch.lane,
            expires=frame.expires,
            drill=frame.drill,
            repeat=frame.repeat,
            volume=frame.volume,
        )
