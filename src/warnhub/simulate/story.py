"""What the demonstration's agencies say: a red rainstorm in the national form, and a landslide in CAP that gets worse."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from lxml import etree

ZONE = ZoneInfo("Asia/Shanghai")
CAP = "urn:oasis:names:tc:emergency:cap:1.2"


def rainstorm_xml(now: datetime, county: str, towns: list[tuple[str, str]]) -> bytes:
    """A red rainstorm warning of the county's weather office, for `towns` as (12-digit code, name), in the national profile."""
    local = now.astimezone(ZONE)
    text = "过去3小时我县大部降雨量已达100毫米以上,预计仍将持续,山洪、滑坡风险很高。"
    root = etree.Element("alert")
    stamp = local.strftime("%Y%m%d%H%M%S")
    fields = {
        "identifier": f"{county}41600000_{stamp}",
        "sender": "云岭县气象台",
        "senderCode": f"{county}41600000",
        "sendTime": said_time(local),
        "status": "Actual",
        "msgType": "Alert",
        "scope": "Public",
    }
    for name, value in fields.items():
        etree.SubElement(root, name).text = value
    etree.SubElement(root, "code")
    etree.SubElement(root, "references")
    info = etree.SubElement(root, "info")
    fields = {
        "language": "zh-CN",
        "eventType": "11B03",
        "urgency": "Immediate",
        "severity": "Red",
        "certainty": "Observed",
        "effective": said_time(local),
        "onset": "",
        "expires": said_time(local + timedelta(hours=6)),
        "senderName": "值班签发员",
        "headline": "云岭县气象台发布暴雨红色预警[I级/特别严重]",
        "description": text,
        "instruction": "立即转移危险地带群众。",
    }
    for name, value in fields.items():
        etree.SubElement(info, name).text = value
    area = etree.SubElement(info, "area")
    etree.SubElement(area, "areaDesc").text = "云岭县"
    etree.SubElement(area, "polygon")
    etree.SubElement(area, "circle")
    etree.SubElement(area, "geocode").text = ",".join(code for code, _ in towns)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def said_time(moment: datetime) -> str:
    """A time as the national profile writes it: a blank, not a T."""
    return moment.strftime("%Y-%m-%d %H:%M:%S+08:00")


def landslide_cap(now: datetime, identifier: str, severity: str, ring: list[tuple[float, float]], before: str = "") -> bytes:
    """A landslide warning of the county's natural-resources office as OASIS CAP 1.2; `ring` is (lon, lat), `before` the
    reference of the alert it updates."""
    names: dict[str | None, str] = {None: CAP}
    root = etree.Element(f"{{{CAP}}}alert", nsmap=names)  # type: ignore[arg-type]  # the stubs know no default namespace

    def add(parent: etree._Element, name: str, value: str) -> None:
        etree.SubElement(parent, f"{{{CAP}}}{name}").text = value

    colour = {"Severe": "橙色", "Moderate": "黄色"}[severity]
    fields = {
        "identifier": identifier,
        "sender": "云岭县自然资源局",
        "sent": now.astimezone(ZONE).isoformat(timespec="seconds"),
        "status": "Actual",
        "msgType": "Update" if before else "Alert",
        "scope": "Public",
    }
    for name, value in fields.items():
        add(root, name, value)
    if before:
        add(root, "references", before)
    info = etree.SubElement(root, f"{{{CAP}}}info")
    fields = {
        "language": "zh-CN",
        "category": "Geo",
        "event": "滑坡",
        "urgency": "Expected",
        "severity": severity,
        "certainty": "Likely",
    }
    for name, value in fields.items():
        add(info, name, value)
    code = etree.SubElement(info, f"{{{CAP}}}eventCode")
    add(code, "valueName", "GB/T 35561")
    add(code, "value", "11D01")
    add(info, "expires", (now + timedelta(hours=12)).astimezone(ZONE).isoformat(timespec="seconds"))
    add(info, "senderName", "云岭县自然资源局")
    add(info, "headline", f"云岭县自然资源局{'更新' if before else '发布'}滑坡{colour}预警")
    add(info, "description", "坡体24小时位移超过40毫米。")
    add(info, "instruction", "坡下群众请转移到安置点。")
    area = etree.SubElement(info, f"{{{CAP}}}area")
    add(area, "areaDesc", "滑坡隐患点周边")
    add(area, "polygon", " ".join(f"{lat:.5f},{lon:.5f}" for lon, lat in ring))
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))
