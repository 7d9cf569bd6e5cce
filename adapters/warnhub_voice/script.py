"""What a call says: the warning twice, and after each time a key to press.

https://www.twilio.com/docs/voice/twiml/gather
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from twilio.twiml.voice_response import Gather, VoiceResponse

LONGEST = 4_000
"""Characters Twilio takes of a document that comes with the call."""

KEYS: Mapping[str, str] = {"1": "received", "2": "moved", "3": "help", "4": "cannot"}
ASKED = {
    "zh": "收到请按一，人员已转移请按二，需要帮助请按三，无法执行请按四。",
    "en": "Press 1 if you have heard this, 2 if your people have moved, 3 if you need help, 4 if you cannot do it.",
}
THANKS = {
    "zh": {
        "1": "已记录：收到。",
        "2": "已记录：人员已转移。",
        "3": "已记录：需要帮助。值班台会联系您。",
        "4": "已记录：无法执行。值班台会联系您。",
    },
    "en": {"1": "Recorded: received.", "2": "Recorded: moved.", "3": "Recorded: help needed.", "4": "Recorded: you cannot."},
}
MISSED = {"zh": "没有收到您的按键，值班台会再次呼叫。", "en": "No key was pressed. The desk will call again."}


def frame_of(language: str) -> str:
    """`zh` or `en`: the language of our own words."""
    return "zh" if language.lower().startswith("zh") else "en"


def write_script(text: str, language: str, voice: str, action: str, wait: int, audio: str = "") -> str:
    """The document of a call: said twice, then the question; a key ends it. `action` is where the key goes, `wait` seconds.

    With `audio`, the address of a recording, that is played in place of the text.
    """
    spoken, frame = ("zh-CN" if frame_of(language) == "zh" else "en-US"), frame_of(language)
    for length in (len(text), 600, 300):
        document = VoiceResponse()
        for _ in range(2):
            gather = Gather(input="dtmf", num_digits=1, timeout=wait, action=action, method="POST")
            if audio:
                gather.play(audio)
            else:
                gather.say(text[:length], language=spoken, voice=voice)
            gather.say(ASKED[frame], language=spoken, voice=voice)
            document.append(gather)
        document.say(MISSED[frame], language=spoken, voice=voice)
        if len(str(document)) <= LONGEST:
            break
    return str(document)


def write_reply(digit: str, language: str, voice: str, action: str, wait: int) -> bytes:
    """What is said after a key: thanks, or the question again for a key that means nothing."""
    frame = frame_of(language)
    spoken = "zh-CN" if frame == "zh" else "en-US"
    document = VoiceResponse()
    if digit in KEYS:
        document.say(THANKS[frame][digit], language=spoken, voice=voice)
        document.hangup()
    else:
        gather = Gather(input="dtmf", num_digits=1, timeout=wait, action=action, method="POST")
        gather.say(ASKED[frame], language=spoken, voice=voice)
        document.append(gather)
        document.say(MISSED[frame], language=spoken, voice=voice)
    return str(document).encode()


def with_query(url: str, more: str) -> str:
    """`url` with one more part of its query."""
    return f"{url}{'&' if urlsplit(url).query else '?'}{more}"
