"""What loudspeakers say."""

import re
import time

import cn2an
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warnhub.plan.speech import spoken_text

CASES = [
    # dates and clocks
    ("2026年", "二零二六年"),
    ("2026年6月12日", "二零二六年六月十二日"),
    ("2020年02月05日10时53分39秒", "二零二零年二月五日十时五十三分三十九秒"),
    ("6月12日", "六月十二日"),
    ("06月08日", "六月八日"),
    ("10月20日", "十月二十日"),
    ("2026-06-12", "二零二六年六月十二日"),
    ("2026/6/12", "二零二六年六月十二日"),
    ("2026-2027年", "二零二六到二零二七年"),
    ("2026汛期", "二零二六汛期"),
    ("16:20", "十六点二十分"),
    ("16：20", "十六点二十分"),
    ("16:00", "十六点"),
    ("08:05", "八点零五分"),
    ("2:30", "两点三十分"),
    ("00:00", "零点"),
    ("24:00", "二十四点"),
    ("16:20:30", "十六点二十分三十秒"),
    ("16:20-18:00", "十六点二十分到十八点"),
    ("16时05分", "十六时零五分"),
    ("08时", "八时"),
    ("2点", "两点"),
    ("2日", "二日"),
    ("6月12日-14日", "六月十二日到十四日"),
    ("12—14日", "十二到十四日"),
    ("2026-06-12T08:20:00Z", "二零二六年六月十二日十六点二十分"),
    ("2026-06-12 16:20:00+08:00", "二零二六年六月十二日十六点二十分"),
    ("2026-06-12 16:20", "二零二六年六月十二日十六点二十分"),
    # ranges
    ("3—5小时", "三到五小时"),
    ("3-5级", "三到五级"),
    ("6至7级", "六到七级"),
    ("10～20厘米", "十到二十厘米"),
    ("2—3小时", "两到三小时"),
    ("50~100mm", "五十到一百毫米"),
    ("50mm-100mm", "五十到一百毫米"),
    ("30-50%", "百分之三十到百分之五十"),
    ("30%~50%", "百分之三十到百分之五十"),
    ("风力8-9级(阵风10级)", "风力八到九级，阵风十级"),
    # amounts
    ("100毫米", "一百毫米"),
    ("1.5米", "一点五米"),
    ("0.05毫米", "零点零五毫米"),
    ("2小时", "两小时"),
    ("2级", "二级"),
    ("2个", "两个"),
    ("2000米", "两千米"),
    ("10002人", "一万零二人"),
    ("12,000人", "一万二千人"),
    ("12345元", "一万二千三百四十五元"),
    ("3.5万", "三点五万"),
    ("50mm", "五十毫米"),
    ("5 cm", "五厘米"),
    ("1.25m", "一点二五米"),
    ("80km/h", "八十公里每小时"),
    ("25m/s", "二十五米每秒"),
    ("350m³/s", "三百五十立方米每秒"),
    ("2,350m3/s", "两千三百五十立方米每秒"),
    ("100mm/3h", "一百毫米每三小时"),
    ("0.5毫米/小时", "零点五毫米每小时"),
    ("980hPa", "九百八十百帕"),
    ("12km²", "十二平方公里"),
    ("30%", "百分之三十"),
    ("100%", "百分之百"),
    ("5‰", "千分之五"),
    ("1/3", "三分之一"),
    ("1:5", "一比五"),
    ("≥50毫米", "大于等于五十毫米"),
    ("能见度<50m", "能见度小于五十米"),
    ("雨量>100mm & 持续", "雨量大于一百毫米和持续"),
    ("20年一遇", "二十年一遇"),
    ("2000年一遇", "两千年一遇"),
    ("６级大风", "六级大风"),
    ("第9号台风“梅花”", "第九号台风梅花"),
    ("2609号台风", "二六零九号台风"),
    ("细颗粒物PM2.5", "细颗粒物PM二点五"),
    # cold
    ("38℃", "三十八摄氏度"),
    ("-5℃", "零下五摄氏度"),
    ("最低气温-5～-2℃", "最低气温零下五到零下二摄氏度"),
    ("气温-5到3℃", "气温零下五到三摄氏度"),
    ("降至-3度", "降至零下三度"),
    ("-3", "负三"),
    ("新桥-3号点", "新桥，三号点"),
    # codes said digit by digit
    ("12379", "幺二三七九"),
    ("12379热线", "幺二三七九热线"),
    ("110", "幺幺零"),
    ("拨打110、119或120", "拨打幺幺零、幺幺九或幺二零"),
    ("累计降水110毫米", "累计降水一百一十毫米"),
    ("120人", "一百二十人"),
    ("电话0598-2251234", "电话零五九八二二五幺二三四"),
    ("手机13800138000", "手机幺三八零零幺三八零零零"),
    ("+86 138 0013 8000", "幺三八零零幺三八零零零"),
    ("400-123-4567", "四零零幺二三四五六七"),
    ("值班电话:66881", "值班电话，六六八八幺"),
    ("G70高速和S219", "G七零高速和S二幺九"),
    # levels
    ("IV级", "四级"),
    ("Ⅳ级", "四级"),
    ("大风蓝色预警[IV级/一般]", "大风蓝色预警，四级，一般"),
    ("道路结冰黄色预警/III/较重", "道路结冰黄色预警，三级，较重"),
    ("暴雨红色预警[I级/特别重大]", "暴雨红色预警，一级，特别重大"),
    # what is not speech
    ("11B03暴雨", "暴雨"),
    ("编号41000041600000_20200205105119_0。", "编号。"),
    ("详见 https://www.example.gov.cn/a?b=1。请关注", "详见。请关注"),
    ("登录www.example.com查询", "登录查询"),
    ("访问12379.cn了解", "访问了解"),
    ("邮箱a.b@example.com联系", "邮箱联系"),
    ("<p>请立即<b>转移</b></p>", "请立即转移"),
    ("大雨<br>&nbsp;请避险", "大雨。请避险"),
    ("请\u202e转\u200b移\x07", "请转移"),
    # pauses
    ("请注意:暴雨;大风!", "请注意，暴雨，大风！"),
    ("1、准备;2、停止", "一、准备，二、停止"),
    ("①转移②避险", "一，转移，二，避险"),
    ("古镇镇—新桥乡一带……", "古镇镇，新桥乡一带"),
    ("【演练】大雨。。!", "演练，大雨！"),
    ("看U.S. Army公告", "看U S Army公告"),
    ("", ""),
    ("。,", ""),
]


@pytest.mark.parametrize(("text", "said"), CASES)
def test_chinese(text: str, said: str) -> None:
    """Each form as a newsreader says it."""
    assert spoken_text(text) == said


def test_whole_message() -> None:
    """A whole warning, in the form agencies write it."""
    text = (
        "云岭县气象台2026年06月12日16时20分发布暴雨红色预警[I级/特别严重]:预计未来3小时,古镇镇、新桥乡将出现100毫米以上降雨,"
        "伴有8-10级大风。请立即转移!咨询电话:12379"
    )
    assert spoken_text(text) == (
        "云岭县气象台二零二六年六月十二日十六时二十分发布暴雨红色预警，一级，特别严重，预计未来三小时，古镇镇、新桥乡将出现一百毫米以上降雨，"
        "伴有八到十级大风。请立即转移！咨询电话，幺二三七九"
    )


def test_zone() -> None:
    """A time with an offset is told where the loudspeaker stands, on that day."""
    assert spoken_text("2026-06-12T20:20:00Z", "Asia/Shanghai") == "二零二六年六月十三日四点二十分"
    assert spoken_text("2026-06-12T20:20:00Z", "Asia/Urumqi") == "二零二六年六月十三日两点二十分"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Winds 80 mph, hail 1.5in.", "Winds eighty miles per hour, hail one point five inches."),
        ("Rain 100 mm in 3h, 25-30 m/s. -5 °C", None),
        ("Until 16:05 call 911 or 12379", "Until sixteen oh five call nine one one or one two three seven nine"),
        ("From 16:20-18:00", "From sixteen twenty to eighteen hundred hours"),
        ("Evacuate 1,250 people now", "Evacuate one thousand two hundred and fifty people now"),
        ("Issued 2026-06-12T08:20:00Z.", "Issued June twelve, two thousand and twenty six sixteen twenty."),
        ("Chance 30-50%", "Chance thirty to fifty per cent"),
        ("See https://example.org/now today", "See today"),
        ("THE RIVER IS RISING. LEAVE YOUR HOMES NOW.", "The river is rising. Leave your homes now."),
    ],
)
def test_english(text: str, said: str | None) -> None:
    """Latin words alone are told in English."""
    expected = said or (
        "Rain one hundred millimetres in three hours, twenty five to thirty metres per second. minus five degrees Celsius"
    )
    assert spoken_text(text) == expected


def test_named_language() -> None:
    """The language decides where the words do not."""
    assert spoken_text("12", language="en") == "twelve"
    assert spoken_text("12", language="zh-CN") == "十二"
    assert spoken_text("大雨 12", language="en") == "大雨 twelve"


HARD = st.text(alphabet=st.sampled_from("0123456789-—~:/.,%°℃mkhs年月日时分至到级IV[]() \n<>&;@wtpWT暴雨Zé²①𝟙٣☂\ue000\u202e"))


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(), HARD))
def test_any_text(text: str) -> None:
    """Whatever comes in: no digit, no address and no markup is spoken, in either language."""
    for language in ("", "en", "zh"):
        said = spoken_text(text, language=language)
        assert not re.search(r"\d|://|www\.|[\ue000\u202e\x00-\x09\x0b-\x1f]", said)
        assert said == said.strip()


@settings(max_examples=100, deadline=None)
@given(st.text("abcxyz0123456789./?=&-_", min_size=1), st.sampled_from(["http://", "https://", "www.", "HTTP://"]))
def test_no_address(tail: str, head: str) -> None:
    """An address is never read, whatever stands around it."""
    assert spoken_text(f"请看 {head}{tail},谢谢") in {"请看，谢谢", "请看谢谢"}


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 999_999_999))
def test_amounts_read_back(number: int) -> None:
    """An amount, said and read back, is the same."""
    assert int(cn2an.cn2an(spoken_text(f"{number}毫米").removesuffix("毫米"), "smart")) == number


def test_long_text_is_quick() -> None:
    """The longest text an alert may carry, made of what rules trip over, is done in time."""
    for seed in ("1-", "a@", "<script>", "1~", "12:", "电话 "):
        began = time.process_time()
        spoken_text((seed * 20_000)[:20_000])
        assert time.process_time() - began < 5
