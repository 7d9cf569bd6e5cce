"""Alerts as documents, for the tests of the ways in: the published examples, small files, and one fault at a time."""

from pathlib import Path

from warnhub.alert import Alert, Verdict
from warnhub.ingest.findings import Findings, Limits

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "schemas" / "examples"
DATA = ROOT / "tests" / "data" / "alerts"
SHARED = ROOT.parent / "shared"

SQUARE = "26.60,117.30 26.60,117.50 26.80,117.50 26.80,117.30 26.60,117.30"


def example(name: str) -> str:
    """A published example."""
    return (EXAMPLES / name).read_text("utf-8")


def sample(name: str) -> str:
    """A file of the tests' own."""
    return (DATA / name).read_text("utf-8")


def swap(text: str, old: str, new: str) -> bytes:
    """The document with one thing changed; the thing must be there."""
    assert old in text, old
    return text.replace(old, new, 1).encode()


def cap(area: str = f"<polygon>{SQUARE}</polygon>", info: str = "", head: str = "", event: str = "暴雨") -> str:
    """A small CAP 1.2 alert with these additions."""
    return (
        '<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>a-1</identifier><sender>met.example</sender>'
        "<sent>2026-06-12T16:00:00+08:00</sent><status>Actual</status><msgType>Alert</msgType><scope>Public</scope>"
        f"{head}<info><language>zh-CN</language><category>Met</category><event>{event}</event><urgency>Immediate</urgency>"
        "<severity>Severe</severity><certainty>Likely</certainty><expires>2026-06-12T19:00:00+08:00</expires>"
        f"<headline>标题</headline>{info}<area><areaDesc>云岭县</areaDesc>{area}</area></info></alert>"
    )


def rules(found: Verdict | Findings) -> list[str]:
    """The rules that are broken, the gravest first."""
    return [problem.rule for problem in found.problems]


def places(verdict: Verdict, rule: str) -> list[str]:
    """Where a rule is broken."""
    return [problem.path for problem in verdict.problems if problem.rule == rule]


def taken(verdict: Verdict) -> Alert:
    """The alert, which must be there."""
    assert verdict.alert is not None, verdict.problems
    return verdict.alert


__all__ = ["SHARED", "Findings", "Limits", "cap", "example", "places", "rules", "sample", "swap", "taken"]
