"""What field pages say: Chinese first, English beside it, whoever reads."""

from typing import NamedTuple


class Said(NamedTuple):
    """The same in both languages."""

    zh: str
    en: str


LEVELS = {
    "red": Said("红色 I级·特别严重", "Red"),
    "orange": Said("橙色 II级·严重", "Orange"),
    "yellow": Said("黄色 III级·较重", "Yellow"),
    "blue": Said("蓝色 IV级·一般", "Blue"),
}

CHOICES = {
    "received": Said("已收到", "Received"),
    "moved": Said("已转移群众", "People moved"),
    "help": Said("需要支援", "Need help"),
    "cannot": Said("无法执行", "Cannot do it"),
}

OWN = {
    "received": CHOICES["received"],
    "moved": Said("我已转移", "I have moved"),
    "help": Said("需要帮助", "I need help"),
    "cannot": Said("无法转移", "I cannot move"),
}
"""The same choices, as somebody says them who answers for nobody else."""


class Ending(NamedTuple):
    """How a warning came to its end: in a word, and in a sentence."""

    short: str
    zh: str
    en: str


OVER = {
    "cancelled": Ending("已解除", "本预警已解除", "This warning was cancelled"),
    "superseded": Ending("已更新", "本预警已被新预警取代，请以新预警为准", "A newer warning took its place"),
    "expired": Ending("已过期", "本预警已过有效期", "This warning has expired"),
    "rejected": Ending("未发布", "本预警没有发布", "This warning was not released"),
    "pending": Ending("未发布", "本预警尚未发布", "This warning is not released yet"),
}

TROUBLES = {
    "agent": Said(
        "这次提交不像是人点的，没有记录。请用手机浏览器打开本页再选一次。", "Not recorded: please use a phone's browser."
    ),
    "trap": Said("这次提交不像是人填的，没有记录。请重新选择并提交。", "Not recorded: please choose again."),
    "nonce": Said("没有记录。请在本页重新选择并提交。", "Not recorded: please choose again on this page."),
    "fast": Said("太快了，没有记录。请看清内容，再选择并提交。", "Too fast, not recorded: please read, choose and send again."),
    "old": Said("页面打开太久，没有记录。请重新选择并提交。", "This page was open too long: please choose again."),
    "choice": Said("没有记录。请先选一项，再提交。", "Not recorded: please choose one first."),
    "many": Said(
        "同一地址短时间内提交太多，没有记录。如果您是本人，请在本页再选一次并提交。",
        "Not recorded: one address answered for many. If you are a person, choose and send once more.",
    ),
    "unread": Said("答复已记录，但照片无法读取，没有收下。", "Your answer is recorded; the photo could not be read."),
    "place": Said(
        "没有记录。位置请填经纬度，如 26.123, 117.456，或留空。",
        "Not recorded: type the place as 26.123, 117.456, or leave it empty.",
    ),
    "photo": Said("没有记录。照片太大，请换一张或不附照片。", "Not recorded: the photo is too large."),
    "busy": Said("提交太多，没有记录。请等一分钟再试。", "Too many at once, not recorded: please try again in a minute."),
}
