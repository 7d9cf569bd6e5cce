"""Who a recipient is to a warning: the roles, their names, and which of them answer for others."""

from enum import StrEnum


class Role(StrEnum):
    """What a recipient does when a warning comes. The order is the order of planning within a level."""

    COUNTY_DUTY = "county_duty"
    TOWNSHIP_DUTY = "township_duty"
    VILLAGE_HEAD = "village_head"
    GRIDWORKER = "gridworker"
    LEADER = "leader"
    AGENCY = "agency"
    SPEAKER = "speaker"
    DISPLAY = "display"
    RESIDENT = "resident"

    @property
    def zh(self) -> str:
        """The role's name in Chinese."""
        return NAMES[self][0]

    @property
    def en(self) -> str:
        """The role's name in English."""
        return NAMES[self][1]

    @property
    def responsible(self) -> bool:
        """Whether this person answers for others: is told first and asked to confirm."""
        return self in RESPONSIBLE

    @property
    def person(self) -> bool:
        """Whether this is a person rather than a device."""
        return self not in DEVICES

    def name_in(self, language: str) -> str:
        """The role's name: Chinese for any Chinese tag, English otherwise."""
        return self.zh if language.lower().startswith("zh") else self.en


NAMES = {
    Role.COUNTY_DUTY: ("县级值班", "county duty"),
    Role.TOWNSHIP_DUTY: ("乡镇值班", "township duty"),
    Role.VILLAGE_HEAD: ("村负责人", "village head"),
    Role.GRIDWORKER: ("网格员", "gridworker"),
    Role.LEADER: ("包保领导", "leader"),
    Role.AGENCY: ("联动单位", "agency"),
    Role.SPEAKER: ("大喇叭", "loudspeaker"),
    Role.DISPLAY: ("显示屏", "display"),
    Role.RESIDENT: ("居民", "resident"),
}

RESPONSIBLE = frozenset({Role.COUNTY_DUTY, Role.TOWNSHIP_DUTY, Role.VILLAGE_HEAD, Role.GRIDWORKER, Role.LEADER, Role.AGENCY})
DEVICES = frozenset({Role.SPEAKER, Role.DISPLAY})
