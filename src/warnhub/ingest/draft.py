"""An alert in the making, of a form made of objects or rows: what its reader gathered, through the gates, to the one schema."""

from dataclasses import dataclass, field
from datetime import datetime

from warnhub.alert import (
    Alert,
    Area,
    Certainty,
    Kind,
    Level,
    Original,
    Parameter,
    Reference,
    Resource,
    Scope,
    Severity,
    Status,
    Text,
    Urgency,
)
from warnhub.ingest.fields import Record
from warnhub.ingest.mapping import check_titles
from warnhub.ingest.references import MOST, check_references
from warnhub.ingest.times import check_sent, settle_span

ENDS = (Kind.CANCEL, Kind.ACK, Kind.ERROR)
Times = tuple[datetime | None, datetime | None, datetime | None]


@dataclass(slots=True)
class Draft:
    """What a reader gathered. `times` are effective, onset, expires; `codes` event codes, only to tell a test by."""

    record: Record
    identifier: str
    sender: str
    sent: datetime
    status: Status
    kind: Kind
    hazard: str
    level: Level
    original: Original
    references: list[Reference] = field(default_factory=list)
    severity: Severity = Severity.UNKNOWN
    urgency: Urgency = Urgency.UNKNOWN
    certainty: Certainty = Certainty.UNKNOWN
    times: Times = (None, None, None)
    areas: list[Area] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    parameters: list[Parameter] = field(default_factory=list)
    resources: list[Resource] = field(default_factory=list)
    scope: Scope = Scope.PUBLIC
    codes: list[str] = field(default_factory=list)

    @property
    def ends(self) -> bool:
        """Whether it ends or answers another alert."""
        return self.kind in ENDS

    def gate(self) -> None:
        """What it refers to, what its titles say, and when it was sent."""
        record, findings = self.record, self.record.findings
        check_sent(self.sent, record.path("sent"), findings)
        own = Reference(identifier=self.identifier, sender=self.sender, sent=self.sent)
        check_references(self.references, own, self.kind, record.path("references"), findings)
        titles = [words for text in self.texts for words in (text.headline, text.event) if words]
        check_titles(self.status, self.kind, [self.hazard, *self.codes], titles, record.path("headline"), findings)

    def build(self) -> Alert:
        """The alert, with its times settled."""
        record, findings = self.record, self.record.findings
        self.gate()
        span = settle_span(self.times, self.sent, self.hazard, self.ends, record.path("expires"), findings)
        given = {"expires_given": span.expires_given, "effective_given": span.effective_given}
        return Alert(
            identifier=self.identifier,
            sender=self.sender,
            sent=self.sent,
            status=self.status,
            kind=self.kind,
            references=findings.first(record.path("references"), self.references, MOST),
            hazard=self.hazard,
            level=self.level,
            urgency=self.urgency,
            severity=self.severity,
            certainty=self.certainty,
            effective=span.effective,
            onset=span.onset,
            expires=span.expires,
            areas=self.areas,
            texts=self.texts,
            parameters=findings.first(record.base, self.parameters, 500),
            resources=self.resources,
            scope=self.scope,
            original=self.original.model_copy(update=given),
        )
