"""What an import says about a file: what changed, and each line that cannot be used."""

from collections.abc import Callable
from dataclasses import dataclass, field

from warnhub.store.areas import Saved

MOST = 1_000
"""Bad lines and warnings that are kept to be shown; all of them are counted."""

Progress = Callable[[str, int, int], None]
"""Told (stage, lines done, lines in all); the stage is `check` or `write`, and the total is 0 while it is unknown."""

RULES = {
    "required": "不能为空 / must not be empty",
    "column": "缺少这一列 / this column is missing",
    "unknown_column": "不认识这一列,已忽略 / this column is not known and was ignored",
    "cells": "单元格比表头多 / more cells than the header has",
    "form": "格式不对 / is not of the expected form",
    "encoding": "有无法识别的字符,请另存为 UTF-8 / has characters that cannot be read; save the file as UTF-8",
    "file": "文件无法读取 / the file cannot be read",
    "phone": "不是有效的手机号 / is not a valid mobile number",
    "role": "不认识这个角色 / is not a known role",
    "yes_no": "请填 是 或 否 / must be yes or no",
    "code": "不是 6、9、12 或 15 位区划代码 / is not a division code of 6, 9, 12 or 15 digits",
    "area": "没有这个区划代码 / no area has this code",
    "parent": "上级区划不存在 / the area around it does not exist",
    "repeat": "编号在文件中重复 / was given before in this file",
    "taken": "此编号已属于另一类对象 / belongs to something of another kind",
    "shape": "不是多边形 / is not a polygon",
    "range": "不是经纬度坐标 / is not (longitude, latitude) in degrees",
    "swapped": "经纬度顺序颠倒 / has latitude before longitude",
    "repaired": "边界自相交,已修复 / crossed itself and was repaired",
    "unknown_ref": "没有这个编号的人 / nobody has this ref",
    "itself": "是本人 / is the person itself",
    "count": "不是这里可用的整数 / is not a whole number that can stand here",
    "shelter": "没有这个编号的安置点,请先导入安置点 / no shelter has this ref; import the shelters first",
    "rank": "班次请填 A 或 B / must be A or B",
    "moment": "请填时间,如 2026-06-12 08:00 / must be a time such as 2026-06-12 08:00",
    "span": "结束须晚于开始且不超过七天 / must end after it begins, within seven days",
    "recurring": "重复规则无法使用(按日、周、月、年,最多一千次) / repeats by a rule that cannot be followed "
    "(by day, week, month or year, at most a thousand times)",
    "second_push": "只保留一个推送地址 / only one push address is kept",
}


@dataclass(frozen=True, slots=True)
class BadLine:
    """One thing wrong with one line (1 is the header; in GeoJSON, 1 is the first feature); addresses are masked."""

    line: int
    field: str
    rule: str
    value: str = ""

    @property
    def message(self) -> str:
        """The rule in words, Chinese and English."""
        return RULES[self.rule]

    def __str__(self) -> str:
        shown = f"「{self.value}」" if self.value else ""
        return f"第 {self.line} 行 / line {self.line}: {self.field}{shown} {self.message}"


@dataclass(slots=True)
class Report:
    """What came of an import. `bad` and `warnings` hold the first thousand; `bad_count` counts every bad line.

    Nothing is written when there are bad lines, unless the import was asked to be partial.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    lines: int = 0
    bad_count: int = 0
    warning_count: int = 0
    bad: list[BadLine] = field(default_factory=list)
    warnings: list[BadLine] = field(default_factory=list)

    def refuse(self, *found: BadLine) -> None:
        """Count one line that cannot be used, for each reason found."""
        self.bad_count += 1
        self.bad += found[: max(0, MOST - len(self.bad))]

    def warn(self, *found: BadLine) -> None:
        """Note something that does not keep a line from being used."""
        self.warning_count += len(found)
        self.warnings += found[: max(0, MOST - len(self.warnings))]

    def count(self, saved: Saved) -> None:
        """Add what was written."""
        self.added += saved.added
        self.updated += saved.updated
        self.unchanged += saved.unchanged
