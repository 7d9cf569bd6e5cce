"""Every page of the console by name, as somebody who may see it opens it: for the tests and the pictures."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stop:
    """One page. `path` is below /console and may name a warning: `{living}`; `officer` "" is nobody yet."""

    name: str
    path: str
    officer: str = "wang"

    def at(self, given: Mapping[str, str]) -> str:
        """Its address."""
        return f"/console{self.path.format(**given)}"


STOPS = (
    Stop("login", "/login", ""),
    Stop("now", ""),
    Stop("wall", "/wall"),
    Stop("warning-living", "/warnings/{living}"),
    Stop("warning-pending", "/warnings/{pending}"),
    Stop("warning-held", "/warnings/{held}"),
    Stop("warning-drill", "/warnings/{drill}"),
    Stop("warning-over", "/warnings/{over}"),
    Stop("release", "/warnings/{pending}/release"),
    Stop("release-drill", "/warnings/{drill}/release"),
    Stop("reject", "/warnings/{held}/reject"),
    Stop("cancel", "/warnings/{living}/cancel"),
    Stop("map-town", "/warnings/{living}?place={town}"),
    Stop("faults", "/warnings/{living}/faults?provider=sms.aliyun&code=MOBILE_NOT_ON_SERVICE"),
    Stop("pause", "/warnings/{living}/pause"),
    Stop("resend", "/warnings/{living}/resend"),
    Stop("person", "/warnings/{living}/people/{person}"),
    Stop("compose", "/compose"),
    Stop("compose-upgrade", "/compose?of={living}&act=upgrade"),
    Stop("drills", "/drills"),
    Stop("directory", "/directory"),
    Stop("directory-town", "/directory?place={town}"),
    Stop("directory-person", "/directory/people/{person}"),
    Stop("search", "/search?q=云"),
    Stop("policy", "/policy"),
    Stop("policy-admin", "/policy", "boss"),
    Stop("agencies", "/agencies", "boss"),
    Stop("channels", "/channels"),
    Stop("users", "/users", "boss"),
    Stop("audit", "/audit"),
    Stop("reports", "/reports"),
    Stop("report-warning", "/reports/warnings/{living}"),
    Stop("report-quarter", "/reports/quarters/2026Q2"),
    Stop("report-year", "/reports/years/2026"),
    Stop("me", "/me"),
    Stop("agency", "/mine", "rain"),
    Stop("agency-warning", "/mine/{living}", "rain"),
    Stop("township", "/own", "town"),
    Stop("township-warning", "/own/{living}", "town"),
    Stop("lost", "/nowhere"),
)
WIDTHS = (360, 1024, 1920)
