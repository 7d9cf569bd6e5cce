"""What WeChat posts to us: the end of a send, a person's words, a person who leaves.

https://developers.weixin.qq.com/doc/service/guide/product/template_message/Template_Message_Operation_Specifications.html
"""

import hashlib
from datetime import UTC, datetime

from lxml import etree

from warnhub.port import Reason, Refused, Report, State

MOST = 65_536
"""Bytes; a call-back has about one thousand."""

ENDS = {
    "success": (State.DELIVERED, None),
    "failed:userblock": (State.FAILED, Reason.RECIPIENT),
    "failed:systemfailed": (State.FAILED, Reason.UNREACHABLE),  # certainly not shown, and may be tried again
    "failed:freqlimit": (State.FAILED, Reason.REJECTED),
}
"""By `Status` without its spaces, which differ from one failure to the next."""


def parsed(body: bytes) -> dict[str, str]:
    """The elements right under `<xml>`, by name. Raises `Refused` for a document type, entities, size or another form."""
    if len(body) > MOST:
        raise Refused("the call-back is too large")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise Refused("the call-back is not XML") from None
    if root.tag != "xml" or root.getroottree().docinfo.internalDTD is not None:
        raise Refused("the call-back is not in WeChat's form")
    return {child.tag: (child.text or "").strip() for child in root if isinstance(child.tag, str)}


def reports(said: dict[str, str]) -> list[Report]:
    """What a call-back reports; nothing for the many events that are none of ours."""
    openid, kind = said.get("FromUserName", ""), said.get("MsgType", "")
    event = said.get("Event", "") if kind == "event" else kind
    stamp = said.get("CreateTime", "")
    at = datetime.fromtimestamp(int(stamp), UTC) if stamp.isdecimal() and len(stamp) < 12 else None
    if event == "TEMPLATESENDJOBFINISH":
        return [ended(said, openid, at)]
    if event == "unsubscribe":
        key = digest(openid, event, stamp)
        return [Report(key, address=openid, code=event, opt_out=True, at=at)]
    if event == "text":
        return [Report(digest(openid, said.get("MsgId", "")), address=openid, reply=said.get("Content", ""), at=at)]
    return []


def ended(said: dict[str, str], openid: str, at: datetime | None) -> Report:
    """How one send ended. WeChat names it by its own id and the openid; our reference does not come back."""
    number, status = said.get("MsgID", ""), said.get("Status", "")
    state, reason = ENDS.get(status.replace(" ", "").lower(), (State.FAILED, Reason.UNEXPECTED))
    code = "" if state is State.DELIVERED else status[:60]
    key = digest(openid, number, status)
    return Report(key, state, provider_id=number, address=openid, reason=reason, code=code, at=at)


def digest(*parts: str) -> str:
    """A key that repeats with its parts and shows none of them."""
    return hashlib.blake2s("\n".join(parts).encode(), digest_size=16).hexdigest()
