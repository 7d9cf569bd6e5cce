"""From bytes to alerts: every form an agency may send, through the same gates, to the one schema."""

from warnhub.ingest.findings import Limits
from warnhub.ingest.forms import read_alerts

__all__ = ["Limits", "read_alerts"]
