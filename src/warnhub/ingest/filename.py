"""File names of the national profile: what they say, checked against what stands inside.

`senderCode_time_eventType_SEVERITY_MSGTYPE.XML` (GB/T 35965.1 section 4), the time being the identifier's, or when it was
signed or sent; in counties
`identifier_eventType_COLOR_MsgType.xml` with an identifier of 29 or 31 characters; attachments add `_P_NN` (a scan of the
approval) or `_O_NN`.
"""

import re
from pathlib import PurePosixPath
from zoneinfo import ZoneInfo

from warnhub.alert import Alert, Verdict
from warnhub.ingest.findings import add_problems, problem
from warnhub.ingest.mapping import mapping

BEIJING = ZoneInfo("Asia/Shanghai")
NAME = re.compile(r"(\d{14})_(\d{14})(?:_(\d))?_([0-9A-Z]{5})_([A-Z]+)_([A-Z]+)(?:_([PO])_(\d{2}))?", re.ASCII)


def check_name(name: str, verdict: Verdict) -> Verdict:
    """The verdict, held where a name of the profile says something else than the message it is of."""
    alert = verdict.alert
    found = NAME.fullmatch(PurePosixPath(name).stem.upper())
    if alert is None or alert.original.form != "national" or found is None:
        return verdict
    more = [problem("filename", "FILENAME_MISMATCH", said, meant) for said, meant in differences(alert, found)]
    return add_problems(verdict, more)


def differences(alert: Alert, found: "re.Match[str]") -> list[tuple[str, str]]:
    """What the name says, and what the message does, where they differ."""
    sender, time, serial, event, colour, kind = found.groups()[:6]
    code, _, rest = alert.identifier.partition("_")
    stamp, _, number = rest.partition("_")
    times = {f"{one.astimezone(BEIJING):%Y%m%d%H%M%S}" for one in (alert.sent, alert.effective)}
    pairs = [
        (sender, code or alert.original.agency_code),
        (time, time if time in times else stamp),
        (event, alert.hazard),
        (mapping()["colours"].get(colour.lower(), colour), alert.level.value),
        (kind.lower(), kind.lower() if kind.lower() == alert.status else alert.kind.value),
    ]
    if serial and number:
        pairs.append((serial, number))
    return [(said, meant) for said, meant in pairs if said != meant]
