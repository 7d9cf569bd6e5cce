"""What Prometheus reads. Labels are providers, reasons and levels: never a person, never an address."""

from prometheus_client import Counter, Gauge, Histogram

ALERTS = Counter("warnhub_alerts", "Alerts received, by agency and what became of them", ["agency", "state"])
HANDED = Counter("warnhub_handed", "Messages handed to a provider, by outcome", ["provider", "outcome"])
BATCHES = Counter("warnhub_batches", "Batches processed", ["provider"])
REPORTS = Counter("warnhub_reports", "Receipts taken, by what became of them", ["provider", "result"])
ACKS = Counter("warnhub_acks", "Acknowledgements, by evidence", ["evidence"])
PAGES = Counter("warnhub_field_pages", "Field pages, by what was done: opened, ahead, machine, answered, refused", ["act"])
WAITING = Gauge("warnhub_waiting_batches", "Batches that wait, by provider and lane", ["provider", "lane"])
OLDEST = Gauge("warnhub_oldest_batch_seconds", "Age of the oldest batch that is due", ["provider"])
IN_HAND = Gauge("warnhub_batches_in_hand", "Batches that this process is handing over, by provider", ["provider"])
JOINED = Gauge(
    "warnhub_bus_joined", "Whether this process works on the outbox's entries: scaled out, reads its part of the topics"
)
ORPHANS = Gauge("warnhub_orphan_receipts", "Receipts whose delivery is not found yet")
DRIFT = Gauge("warnhub_tally_drift", "Warnings in force whose counts and batches differ, as the last scrape saw it")
INGEST = Histogram("warnhub_ingest_seconds", "POST to committed", buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5))
PARTS_FAILED = Counter("warnhub_parts_failed", "Parts of the engine that broke and were started again", ["part"])
SOURCE_AGE = Gauge("warnhub_source_age_seconds", "Time since a polled source answered well", ["source"])
SOURCE_FAILURES = Gauge("warnhub_source_failures", "Times a mirror has failed in a row", ["source", "mirror"])
SOURCE_PARKED = Gauge("warnhub_source_parked", "Entries of a polled source that wait for a person", ["source"])
