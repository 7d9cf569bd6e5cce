"""What the pages of the field say, Chinese first."""

from warnhub.console.phrases import Said

STATES = {
    "open": Said("未敲门", "not yet"),
    "reached": Said("已见到", "reached"),
    "moved": Said("已转移", "moved"),
    "absent": Said("不在家", "not home"),
    "refused": Said("不肯走", "refused"),
    "help": Said("要支援", "needs help"),
}
NEEDS = {
    "alone": Said("独居", "alone"),
    "old": Said("老人", "old"),
    "disabled": Said("行动不便", "disabled"),
    "children": Said("儿童", "children"),
    "point": Said("隐患点", "hazard point"),
    "river": Said("临河", "by the river"),
}
REASONS = ("外出，已电话告知", "空户，无人居住", "不肯走，已交村干部", "已求援，等待支援", "由别人转移")
"""Suggestions for why a door stays as it is."""

TROUBLES = {
    "busy": Said("试得太多了，请等 15 分钟，或打电话给值班室。", "Too many tries: wait 15 minutes, or call the desk."),
    "number": Said("没有登记您的手机号，请打电话给值班室。", "Your number is not registered: please call the desk."),
    "wrong": Said(
        "不对。请输入收到短信的这个手机号的最后四位。", "Wrong: the last four digits of the phone that got the message."
    ),
    "form": Said("没有记录，请重试。", "Not recorded, please try again."),
    "agent": Said("没有记录：这不像是人操作的。", "Not recorded: this does not look like a person."),
    "over": Said("这条预警已结束，不再记录。", "This warning is over; nothing more is recorded."),
    "reasons": Said("还有住户没有见到，也没有写原因，名单不能关闭。", "Some doors have neither been answered nor explained."),
    "photo": Said("照片太大，最多 6 MB。", "The photo is too large: 6 MB at most."),
    "unread": Said("照片读不出来，其余已上报。", "The photo cannot be read; the rest is reported."),
    "place": Said("请写明看到了什么。", "Please say what you saw."),
}

DANGERS = {
    "11D01": Said("滑坡、裂缝、塌方", "landslide, cracks"),
    "11D02": Said("泥石流", "debris flow"),
    "11A51": Said("山洪", "flash flood"),
    "11A01": Said("河水上涨、漫堤", "river rising"),
    "11A02": Said("积水、内涝", "flooded streets"),
    "11A03": Said("水库、堤坝异常", "reservoir or dam"),
    "12P08": Said("停电", "power cut"),
    "11Y99": Said("其它险情", "another danger"),
}
