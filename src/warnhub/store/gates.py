"""Tables of the ways in: whom to trust how, how an alert is read beyond its words, and what has been said before.

trust        what is agreed with an agency about signatures and coordinates
certificate  the certificates an agency signs with, pinned by a person
nonce        what a signed request may be used once for
reading      how the desk, by rule or by an officer, reads an alert: it ends something, or it applies to other areas
reissue      alerts that say again, under another identifier, what an earlier one says
"""

from sqlalchemy import JSON, Boolean, Column, ForeignKey, LargeBinary, Table, Text, UniqueConstraint

from warnhub.store.tables import Id, Time, metadata, serial

trust = Table(
    "trust",
    metadata,
    Column("agency_id", Text, ForeignKey("agency.id"), primary_key=True),
    Column("signed", Boolean, nullable=False),
    Column("datum", Text, nullable=False),
    Column("secret", LargeBinary),
)

certificate = Table(
    "certificate",
    metadata,
    serial(),
    Column("agency_id", Text, ForeignKey("agency.id"), nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("pem", Text, nullable=False),
    Column("added_at", Time, nullable=False),
    UniqueConstraint("agency_id", "fingerprint"),
)

nonce = Table(
    "nonce",
    metadata,
    Column("agency_id", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("at", Time, nullable=False, index=True),
)

reading = Table(
    "reading",
    metadata,
    Column("alert_id", Id, ForeignKey("alert.id"), primary_key=True),
    Column("changes", JSON, nullable=False),
    Column("actor", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("at", Time, nullable=False),
)

reissue = Table(
    "reissue",
    metadata,
    Column("alert_id", Id, ForeignKey("alert.id"), primary_key=True),
    Column("first_id", Id, ForeignKey("alert.id"), nullable=False, index=True),
)
