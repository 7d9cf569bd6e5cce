"""The words of a warning: what stands first, what must never be missing, what no template may do."""

import logging
import re
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warnhub.alert import Alert, Area, Kind, Level, Original, Spoken, Status, Text
from warnhub.hazards import hazard_name, hazard_table
from warnhub.plan.actions import Frame, action_table, find_entry, short_action
from warnhub.plan.content import Purpose
from warnhub.plan.segments import count_segments, first_segment
from warnhub.plan.templates import WordingError
from warnhub.plan.trial import check_words
from warnhub.plan.wording import Wording, make_words
from warnhub.port import CODE, LINK, Words
from warnhub.roles import Role

COUNTY = Wording(signature="云岭应急")
SENT = datetime(2026, 6, 12, 8, 20, tzinfo=UTC)
LATER = SENT + timedelta(hours=3)
CHANNELS = ("sms", "wechat", "push", "loudspeaker")
CHINESE = Text(
    headline="云岭县气象台发布暴雨红色预警[I级/特别严重]",
    description="预计未来3小时，古镇镇、新桥乡将出现100毫米以上降雨，可能引发山洪。",
    instruction="1、政府及相关部门做好应急和抢险工作；2、停止集会、停课、停业；3、危险地带人员转移。",
    sender_name="云岭县气象台",
)
ENGLISH = Text(language="en-GB", description="More than 100 mm of rain within 3 hours.", instruction="Stay in. Keep off roads.")
TIBETAN = Text(language="bo", description="ཆར་པ་ཆེན་པོ།", sender_name="གནམ་གཤིས་ཁང་།")


def storm(**given: object) -> Alert:
    """A red rainstorm in two townships."""
    values: dict[str, object] = {
        "identifier": "99012341600000_20260612162000_0",
        "sender": "云岭县气象台",
        "sent": SENT,
        "status": Status.ACTUAL,
        "kind": Kind.ALERT,
        "hazard": "11B03",
        "level": Level.RED,
        "effective": SENT,
        "expires": LATER,
        "areas": [Area(name="古镇镇"), Area(name="新桥乡,古镇镇")],
        "texts": [CHINESE, ENGLISH],
        "original": Original(form="native"),
    }
    return Alert.model_validate(values | given)


def words(alert: Alert | None = None, channel: str = "sms", role: Role = Role.RESIDENT, **given: object) -> Words:
    """What `role` gets; the responsible are asked to confirm unless the case says otherwise."""
    asked = {"confirm": role.responsible} | given
    return make_words(COUNTY, alert or storm(), channel=channel, role=role, **asked)  # type: ignore[arg-type]


def test_sms_to_residents() -> None:
    """Signature, event, what to do, who says so; no link; the long list for officials stays out."""
    assert words().text == (
        "【云岭应急】暴雨红色预警，危险地带请立即转移，勿外出。云岭县气象台6月12日16:20发布，古镇镇、新桥乡。"
        "预计未来3小时，古镇镇、新桥乡将出现100毫米以上降雨，可能引发山洪。"
    )


def test_sms_to_the_responsible() -> None:
    """Their own task and the place of their link, before anything longer."""
    text = words(role=Role.GRIDWORKER).text
    assert text.startswith(f"【云岭应急】暴雨红色预警，立即转移危险地带群众。收到请点 {LINK} 或回复{CODE} 云岭县气象台")
    assert "停课、停业" in text


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("drill", [False, True])
def test_first_segment_of_every_hazard(language: str, drill: bool) -> None:
    """Whatever the hazard, level and role: event, action and the place of the link stand in the first 67 characters.

    In English the link may come after them, but before anything else.
    """
    frame: Frame = "zh" if language == "zh-CN" else "en"
    codes = [code for code in hazard_table() if code.startswith("11") and len(hazard_name(code, frame)) <= 20]
    for code, level, role in product(codes, Level, (Role.RESIDENT, Role.VILLAGE_HEAD)):
        alert = storm(hazard=code, level=level, texts=[CHINESE.model_copy(update={"event": ""})])
        text = words(alert, role=role, language=language, drill=drill).text
        first = first_segment(text.replace(LINK, LINK + "x" * 100))[:67]
        assert short_action(code, level, role, frame)[:16] in first, text
        place = first if frame == "zh" else text[: text.index("云岭县")]
        assert (LINK in place) == role.responsible, text


def test_agencies_own_short_instruction() -> None:
    """One short sentence of the agency's is what to do, in every channel, and is not said twice."""
    alert = storm(texts=[CHINESE.model_copy(update={"instruction": "请立即转移。"})])
    assert "暴雨红色预警，请立即转移。" in words(alert).text
    assert words(alert, "wechat").fields["action"] == "请立即转移"
    assert words(alert, "push").text.count("请立即转移") == 1


@pytest.mark.parametrize("length", [10, 300, 2_000, 19_999])
@pytest.mark.parametrize("segments", [2, 4])
def test_sms_is_bounded(length: int, segments: int) -> None:
    """However long the agency writes, the message with a link has at most so many parts, cut after a sentence."""
    sentence = "预计未来降雨持续，请注意防范。"
    alert = storm(texts=[CHINESE.model_copy(update={"description": (sentence * 1_400)[:length]})])
    county = Wording(signature="云岭应急", segments=segments)
    for role, drill in product((Role.RESIDENT, Role.LEADER), (False, True)):
        text = make_words(county, alert, channel="sms", role=role, confirm=True, drill=drill).text
        assert count_segments(text.replace(LINK, "x" * county.link)).count <= segments
        assert length < 300 or re.search(r"。…(以上为演练。)?$", text)


def test_cut_without_sentences() -> None:
    """A text without a stop is cut where it must be, and a Latin one without leaving its alphabet."""
    alert = storm(texts=[CHINESE.model_copy(update={"description": "雨" * 1_000})])
    assert words(alert).text.endswith("雨…")
    long = ENGLISH.model_copy(update={"description": "Rain will fall. " * 200})
    text = make_words(
        Wording(signature=""), storm(texts=[long], areas=[]), channel="sms", role=Role.RESIDENT, language="en", agency="Met"
    ).text
    assert text.endswith("Rain will fall....")
    assert count_segments(text).encoding == "GSM-7"
    assert count_segments(text).count == 4


def test_agencys_own_text() -> None:
    """What the agency wrote for a channel is used there: with signature, link and drill marks, and nothing of ours between."""
    own = Spoken(channel="sms", text="【气象】云岭县气象台16时20分发布暴雨红色预警。请古镇镇立即转移!")
    alert = storm(spoken=[own, Spoken(channel="loudspeaker", text="各位村民,3小时内有大暴雨,请看http://a.cn/b")])
    assert words(alert).text == "【云岭应急】〔气象〕云岭县气象台16时20分发布暴雨红色预警。请古镇镇立即转移!"
    assert words(alert, role=Role.LEADER, drill=True).text == (
        "【演练】【云岭应急】〔气象〕云岭县气象台16时20分发布暴雨红色预警。"
        f"收到请点 {LINK} 或回复{CODE} 请古镇镇立即转移!以上为演练。"
    )
    assert words(alert, "loudspeaker", Role.SPEAKER).text == "各位村民，三小时内有大暴雨，请看。"
    assert "大暴雨" not in words(alert, "push").text
    assert "气象〕" not in words(alert, language="en").text


@pytest.mark.parametrize(("channel", "language", "role"), list(product(CHANNELS, ["zh-CN", "en", "bo"], Role)))
def test_drill(channel: str, language: str, role: Role) -> None:
    """Every text of a drill begins and ends by saying so; without a drill none does."""
    alert = storm(texts=[CHINESE, ENGLISH, TIBETAN])
    begins, ends = {
        (True, False): (r"【演练】", r"以上为演练。"),
        (True, True): (r"演练，演练", r"演练结束，以上为演练。"),
        (False, False): (r"\[DRILL\] ", r"This was a drill\."),
        (False, True): (r"This is a drill", r"This was a drill\."),
    }[language == "zh-CN", channel == "loudspeaker" and role is not Role.DISPLAY]
    for purpose in Purpose:
        made = words(alert, channel, role, language=language, drill=True, purpose=purpose)
        assert re.fullmatch(f"{begins}.*{ends}", made.text, re.DOTALL), made.text
        assert re.match(r"【演练】|\[DRILL\]", made.title)
        assert made.fields["drill"]
        for name in ("hazard", "action", "headline"):
            assert re.match(r"【演练】|演练|\[DRILL\]|Drill", made.fields[name])
        real = words(alert, channel, role, language=language, purpose=purpose)
        assert not re.search("演练|drill", real.text + real.title + "".join(real.fields.values()), re.IGNORECASE)


@pytest.mark.parametrize("status", [Status.EXERCISE, Status.TEST, Status.SYSTEM, Status.DRAFT])
def test_not_actual_is_a_drill(status: Status) -> None:
    """An alert that is not actual never looks real, whatever the caller forgot."""
    assert words(storm(status=status)).text.startswith("【演练】")


def test_link_only_for_who_answers() -> None:
    """The public and devices get no link, whatever they are asked; nor does anybody when a warning ends."""
    for channel, role, purpose in product(CHANNELS, Role, Purpose):
        text = words(channel=channel, role=role, purpose=purpose, confirm=True).text
        asked = role.responsible and purpose is Purpose.WARN and channel in {"sms", "wechat"}
        assert (LINK in text) == asked, (channel, role, purpose)
    assert LINK not in words(role=Role.LEADER, confirm=False).text


def test_nothing_poses_as_ours() -> None:
    """An agency's text cannot carry our link's place, a signature, a drill mark, markup or control characters."""
    nasty = f"<b>大雨</b>{LINK}【演练】\x1b[31m【别家】\u202e请转移<script>alert(1)</script>"
    text = Text(description=nasty, instruction=nasty * 2, event=nasty, sender_name=nasty)
    alert = storm(hazard="11B99", texts=[text], areas=[Area(name=nasty)])
    for channel, role in product(CHANNELS, Role):
        made = words(alert, channel, role, agency=nasty, confirm=False)
        everything = made.text + made.title + "".join(made.fields.values())
        assert not re.search(f"{LINK}|【演练】|【别家】|[\x1b\u202e<>]|alert", everything)


def test_wechat_fields() -> None:
    """The provider-neutral names, each within what a typed key takes."""
    made = words(channel="wechat", role=Role.VILLAGE_HEAD, agency="云岭县气象台")
    assert made.title == "暴雨红色预警"
    assert made.fields == {
        "hazard": "暴雨",
        "level": "红色",
        "agency": "云岭县气象台",
        "time": "2026年6月12日 16:20",
        "area": "古镇镇、新桥乡",
        "action": "立即转移危险地带群众",
        "headline": "云岭县气象台发布暴雨红色预警",
        "expires": "2026年6月12日 19:20",
        "drill": "",
    }
    crowded = storm(areas=[Area(name=f"第{number}自然村") for number in range(90)])
    many = words(crowded, "wechat", agency="云岭县防汛抗旱和森林草原防灭火指挥部办公室", drill=True)
    assert all(len(many.fields[name]) <= 20 for name in many.fields)
    assert many.fields["area"] == "第0自然村、第1自然村等90地"


@pytest.mark.parametrize(("channel", "most"), [("push", 200), ("wechat", 600), ("loudspeaker", 500)])
def test_other_channels_are_bounded(channel: str, most: int) -> None:
    """Push, WeChat and speech end in time too."""
    alert = storm(texts=[CHINESE.model_copy(update={"description": "预计降雨100毫米。" * 900})])
    text = words(alert, channel, Role.GRIDWORKER if channel == "wechat" else Role.RESIDENT).text
    assert most - 60 <= len(text) <= most


def test_loudspeaker() -> None:
    """What a loudspeaker says has no digit and no address, and says twice what to do."""
    text = words(channel="loudspeaker", role=Role.SPEAKER).text
    assert text.startswith("注意，注意。云岭县气象台六月十二日十六点二十分发布，暴雨红色预警，危险地带请立即转移，勿外出。")
    assert text.endswith("再说一遍，暴雨红色预警，危险地带请立即转移，勿外出。")
    assert "一百毫米以上" in text


def test_display() -> None:
    """A screen on the same line shows figures, and the words written for screens."""
    assert "6月12日16:20" in words(channel="loudspeaker", role=Role.DISPLAY).text
    alert = storm(spoken=[Spoken(channel="display", text="暴雨红警 请转移")])
    assert words(alert, "loudspeaker", Role.DISPLAY).text == "暴雨红警 请转移。"


def test_cancel() -> None:
    """An all-clear says so in every channel, from the cancelling alert itself."""
    alert = storm(kind=Kind.CANCEL, texts=[CHINESE.model_copy(update={"description": "强降雨已经结束。"})])
    assert words(alert, role=Role.LEADER).text == (
        "【云岭应急】暴雨红色预警已解除。云岭县气象台6月12日16:20发布，古镇镇、新桥乡。强降雨已经结束。"
    )
    assert words(alert, "push").title == "暴雨红色预警解除"
    assert words(alert, "wechat").fields["action"] == "预警已解除"
    assert "all clear" in words(alert, language="en").text


def test_withdrawn_and_replaced() -> None:
    """A warning sent by mistake is corrected without repeating what it asked for."""
    withdrawn = words(purpose=Purpose.WITHDRAW)
    assert withdrawn.text == "【云岭应急】更正：云岭县气象台6月12日16:20发布的暴雨红色预警已撤销，请勿按原预警行动。"
    assert words(channel="push", purpose=Purpose.WITHDRAW).title == "暴雨红色预警撤销"
    assert "以最新预警为准" in words(purpose=Purpose.REPLACE).text
    for channel, purpose in product(CHANNELS, (Purpose.WITHDRAW, Purpose.REPLACE, Purpose.CLEAR)):
        made = words(channel=channel, purpose=purpose)
        assert "转移" not in made.text + made.title + "".join(made.fields.values())


def test_change_and_reminder() -> None:
    """Raised, lowered, updated, and the second time: the text differs, so that no carrier drops it as a repeat."""
    assert "暴雨红色预警（由橙色升级），" in words(previous=Level.ORANGE).text
    assert "暴雨蓝色预警（由红色降级），" in words(storm(level=Level.BLUE), previous=Level.RED).text
    assert "暴雨红色预警（更新），" in words(storm(kind=Kind.UPDATE)).text
    assert "（第2次提醒）" in words(again=2).text
    assert "(raised from orange) (reminder 3):" in words(language="en", previous=Level.ORANGE, again=3).text


def test_languages() -> None:
    """Chinese and English always; another where the agency wrote it, in an English frame; else Chinese."""
    assert words(language="zh").language == "zh"
    assert words(language="en").text == (
        "【云岭应急】Red rainstorm warning: leave danger zones now; others stay in. "
        "云岭县气象台, 12 Jun 16:20, 古镇镇, 新桥乡. More than 100 mm of rain within 3 hours."
    )
    bare = words(storm(texts=[CHINESE]), language="en").text
    assert "leave danger zones now" in bare
    assert "预计" not in bare
    tibetan = words(storm(texts=[CHINESE, TIBETAN]), language="bo")
    assert tibetan.language == "bo"
    assert "Red rainstorm warning" in tibetan.text
    assert TIBETAN.description in tibetan.text
    assert words(language="bo").language == "zh-CN"
    assert words(language="bo").text == words().text


def test_unknown_hazard() -> None:
    """A code that says nothing is named by the agency's own word, without its colour."""
    text = CHINESE.model_copy(update={"event": "持续阴雨橙色预警信号"})
    assert "持续阴雨红色预警" in words(storm(hazard="11B99", texts=[text])).text
    assert "暴雨红色预警" in words(storm(texts=[text])).text


def test_who_says_so() -> None:
    """The agency's name as given, else as the alert has it; never the person who signed a national message."""
    signed = CHINESE.model_copy(update={"sender_name": "签发员甲"})
    assert "云岭县气象台6月12日" in words(storm(texts=[signed])).text
    assert "省气象局6月12日" in words(storm(texts=[signed]), agency="省气象局").text
    coded = storm(sender="99012341600000", texts=[CHINESE])
    assert words(coded, "wechat").fields["agency"] == "云岭县气象台"


class TestActions:
    """The table of what to do."""

    def test_every_code_has_an_entry(self) -> None:
        """The longest prefix wins; a code nobody knows has the general words."""
        assert find_entry("11A51") is not find_entry("11A01")
        assert find_entry("11D07") is action_table()["11D"]
        assert find_entry("99Z99") is action_table()[""]

    def test_short(self) -> None:
        """In both languages, for every level: short enough for the first message, without a full stop."""
        for entry, level in product(action_table().values(), Level):
            for said in (entry.pair(level).public, entry.pair(level).duty):
                assert 0 < len(said.zh) <= 14
                assert 0 < len(said.en) <= 44
                assert said.zh[-1] not in "。，"
                assert said.en[-1] not in ".,"

    def test_red_where_water_and_earth_move(self) -> None:
        """Flash floods, landslides, floods and storms at red: go now."""
        for code in ("11A51", "11D01", "11B37", "11A01", "11B03"):
            assert "请立即转移" in short_action(code, Level.RED, Role.RESIDENT, "zh")
            assert re.search("转移", short_action(code, Level.RED, Role.GRIDWORKER, "zh"))


class TestTemplates:
    """A county's own templates."""

    def folder(self, tmp_path: Path, text: str, name: str = "zh/sms.j2") -> Wording:
        """A wording with one template of the county's own."""
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return Wording(signature="云岭应急", folder=tmp_path)

    def test_ours_pass(self) -> None:
        """What we ship renders in every case."""
        check_words(COUNTY)

    def test_laid_over(self, tmp_path: Path) -> None:
        """One template of the county's own is used, the others stay ours, and it may use ours."""
        text = "{% block text %}{% include 'zh/lead.j2' %}!{% if confirm %}{{ link }}{% endif %}{{ body }}{% endblock %}"
        county = self.folder(tmp_path, text)
        check_words(county)
        assert make_words(county, storm(), channel="sms", role=Role.RESIDENT).text.startswith(
            "暴雨红色预警，危险地带请立即转移，勿外出!预计"
        )
        assert make_words(county, storm(), channel="push", role=Role.RESIDENT) == words(channel="push")

    def test_cannot_hide_a_drill(self, tmp_path: Path) -> None:
        """A template that says nothing of drills cannot make one look real."""
        county = self.folder(tmp_path, "{% block text %}{{ body }}{% endblock %}{% block title %}快跑{% endblock %}")
        made = make_words(county, storm(), channel="sms", role=Role.RESIDENT, drill=True)
        assert made.text.startswith("【演练】")
        assert made.text.endswith("以上为演练。")
        assert made.title == "【演练】快跑"

    @pytest.mark.parametrize(
        "attack",
        [
            "{{ ''.__class__.__mro__[1].__subclasses__() }}",
            "{{ event.__class__ }}",
            "{{ self.__init__.__globals__ }}",
            "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
            "{{ lipsum.__globals__ }}",
            "{{ '{0.__class__}'.format(event) }}",
            "{{ 'a' * 1000000000 }}",
            "{{ 10 ** 10 ** 10 }}",
            "{% for n in range(1000000000) %}x{% endfor %}",
            "{% for n in range(90000) %}x{% endfor %}",
            "{% include '/etc/passwd' %}",
            "{% include '../../../../etc/passwd' %}",
            "{{ nobody }}",
            "{{ event.secret }}",
            "{{ event + 1 }}",
            "{{ 1 // 0 }}",
            "{% if %}",
            "",
        ],
    )
    def test_attack(self, tmp_path: Path, attack: str, caplog: pytest.LogCaptureFixture) -> None:
        """What reaches out of its text, eats memory or breaks is refused when tried, and never stops a warning."""
        county = self.folder(tmp_path, "{% block text %}" + attack + "{% endblock %}")
        with pytest.raises(WordingError, match="sms"):
            check_words(county)
        with caplog.at_level(logging.ERROR):
            made = make_words(county, storm(), channel="sms", role=Role.RESIDENT)
        assert made.text == words().text
        assert "the county's template failed" in caplog.text

    def test_lost_link(self, tmp_path: Path) -> None:
        """A template that forgets the link, or gives it to all, is refused when tried."""
        with pytest.raises(WordingError, match="no place for the link"):
            check_words(self.folder(tmp_path / "a", "{% block text %}{{ event }}{% endblock %}"))
        with pytest.raises(WordingError, match="nobody asked for"):
            check_words(self.folder(tmp_path / "b", "{% block text %}{{ event }}{{ link }}{% endblock %}"))

    def test_another_language(self, tmp_path: Path) -> None:
        """A county may frame a language of its own."""
        county = self.folder(tmp_path, "{% block text %}བརྡ་ཐོ། {{ body }}{% endblock %}", "bo/sms.j2")
        alert = storm(texts=[CHINESE, TIBETAN])
        assert make_words(county, alert, channel="sms", role=Role.RESIDENT, language="bo").text.startswith("བརྡ་ཐོ། ཆར་")


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=400),
    st.text(max_size=300),
    st.text(max_size=60),
    st.sampled_from(CHANNELS),
    st.sampled_from(list(Role)),
    st.sampled_from(["zh-CN", "en"]),
    st.booleans(),
)
def test_any_agency_text(
    description: str, instruction: str, event: str, channel: str, role: Role, language: str, drill: bool
) -> None:
    """Whatever an agency writes: a bounded text with its marks, a link only where one belongs, and no control character."""
    text = Text(language=language, description=description, instruction=instruction, event=event)
    made = words(storm(texts=[text], hazard="11B99"), channel, role, language=language, drill=drill)
    assert made.text.count(LINK) == (role.responsible and channel in {"sms", "wechat"})
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", made.text + made.title)
    assert channel != "sms" or count_segments(made.text.replace(LINK, "x" * 40)).count <= 4
    assert (
        drill == bool(re.search("演练|drill", made.text.replace(description, ""), re.IGNORECASE))
        or "drill" in description.lower()
    )
    assert all(len(value) <= 20 for value in made.fields.values())
