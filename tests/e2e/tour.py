"""Every page of the console and of the field by name, as somebody who may see it opens it: for the tests and the pictures."""

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stop:
    """One page. `path` is below /console, or the field's /a, and may name what the stage has: `{living}`.

    `officer` "" is nobody yet.
    """

    name: str
    path: str
    officer: str = "wang"

    @property
    def field(self) -> bool:
        """Whether it is a page for those outside."""
        return self.path.startswith("/a/")

    def at(self, given: Mapping[str, str]) -> str:
        """Its address."""
        path = self.path.format(**given)
        return path if self.field else f"/console{path}"

    def shows(self, route: str) -> bool:
        """Whether it is a page of this route; a word in the route's place of a parameter is none."""
        bare = self.path.partition("?")[0]
        given = re.sub(r"{(\w+)}", r"=\1", bare)
        pattern = "".join(
            ".+" if ":path" in part else r"(=\w+|\d{4}(Q\d)?)" if part.startswith("{") else re.escape(part)
            for part in re.split(r"({[^}]+})", route)
            if part
        )
        return re.fullmatch(pattern, given) is not None


EXCLUDED = {
    "/static/{name}": "style, script and icon: files, not pages",
    "/login/sso": "leads to the identity provider; test_sso goes the whole way with a provider of its own",
    "/login/sso/back": "the way back from the identity provider, which leads on to a page; test_sso goes it",
    "/stream": "live parts of the first page: events, not a page",
    "/wall/stream": "live parts of the wall: events, not a page",
    "/warnings/{uid}/stream": "live parts of a warning: events, not a page",
    "/warnings/{uid}/attachments/{number}": "a file that came with an alert, as it came",
    "/warnings/{uid}/photos/{proof}": "a photograph, shown inside the page of a person; test_proofs looks at it",
    "/points/{ref}/photos/{photo}": "a photograph, opened from the page of a point; test_views looks at it",
    "/proposals/{uid}/photos/{photo}": "a photograph, opened from the page of a proposal; test_views looks at it",
    "/warnings/{uid}/speech": "a recording, played inside the page of a warning",
    "/reports/warnings/{uid}/export/{kind}": "a report as a file",
    "/reports/quarters/{period}/export/{kind}": "a report as a file",
    "/reports/years/{period}/export/{kind}": "a report as a file",
    "/a/doors.js": "the door list's script: a file, not a page",
    "/a/worker.js": "the door list's worker: a file, not a page",
}
"""Addresses that answer a GET and are no page of their own, each with its reason."""

STOPS = (
    Stop("login", "/login", ""),
    Stop("now", ""),
    Stop("wall", "/wall"),
    Stop("warning-living", "/warnings/{living}"),
    Stop("warning-pending", "/warnings/{pending}"),
    Stop("warning-held", "/warnings/{held}"),
    Stop("warning-drill", "/warnings/{drill}"),
    Stop("warning-over", "/warnings/{over}"),
    Stop("warning-typhoon", "/warnings/{typhoon}"),
    Stop("warning-paused", "/warnings/{paused}"),
    Stop("warning-village", "/warnings/{living}?village={village}"),
    Stop("held", "/held"),
    Stop("settle", "/warnings/{held}/settle"),
    Stop("release", "/warnings/{pending}/release"),
    Stop("release-drill", "/warnings/{drill}/release"),
    Stop("reject", "/warnings/{held}/reject"),
    Stop("cancel", "/warnings/{living}/cancel"),
    Stop("map-town", "/warnings/{living}?place={town}"),
    Stop("map-village", "/warnings/{living}?place={village}"),
    Stop("faults", "/warnings/{living}/faults?provider=sms.aliyun&code=MOBILE_NOT_ON_SERVICE"),
    Stop("pause", "/warnings/{living}/pause"),
    Stop("resume", "/warnings/{paused}/resume"),
    Stop("resend", "/warnings/{living}/resend"),
    Stop("person", "/warnings/{living}/people/{person}"),
    Stop("doors", "/warnings/{typhoon}/doors"),
    Stop("tasks", "/warnings/{typhoon}/tasks"),
    Stop("task", "/tasks/{task}"),
    Stop("unwoken", "/warnings/{living}/unwoken"),
    Stop("figures", "/warnings/{living}/figures"),
    Stop("opinions", "/warnings/{living}/opinions"),
    Stop("points", "/points"),
    Stop("point", "/points/{point}"),
    Stop("runs", "/runs"),
    Stop("run", "/runs/{run}"),
    Stop("lessons", "/lessons"),
    Stop("proposals", "/proposals"),
    Stop("proposal", "/proposals/{proposal}"),
    Stop("roster", "/roster"),
    Stop("compose", "/compose"),
    Stop("compose-upgrade", "/compose?of={paused}&act=upgrade"),
    Stop("compose-extend", "/compose?of={living}&act=extend"),
    Stop("drills", "/drills"),
    Stop("directory", "/directory"),
    Stop("directory-town", "/directory?place={town}"),
    Stop("directory-person", "/directory/people/{person}"),
    Stop("search", "/search?q=云"),
    Stop("search-none", "/search?q=zzzz"),
    Stop("policy", "/policy"),
    Stop("policy-admin", "/policy", "boss"),
    Stop("policy-rule", "/policy?rule=0", "boss"),
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
    Stop("township-person", "/own/{living}/{own_person}", "town"),
    Stop("viewer", "", "qian"),
    Stop("viewer-warning", "/warnings/{living}", "qian"),
    Stop("lost", "/nowhere"),
    Stop("field", "/a/{token}", ""),
    Stop("field-resident", "/a/{resident}", ""),
    Stop("field-doors", "/a/{token}/doors", ""),
    Stop("field-close", "/a/{token}/doors/close", ""),
    Stop("field-tasks", "/a/{token}/tasks", ""),
    Stop("field-report", "/a/{resident}/report", ""),
)
WIDTHS = (360, 1024, 1920)
