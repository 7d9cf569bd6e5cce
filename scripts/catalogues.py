"""The console's words: `catalogues.py --check` judges the catalogues; `catalogues.py --tidy` sorts them.

Complete means: both languages have every message, with the same places to fill in; nothing is fuzzy or empty; whatever a
template or a module asks for by its whole name is there; and nothing is kept that nobody asks for.
"""

import re
import sys
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from warnhub.console.strings import LOCALES

ROOT = Path(__file__).resolve().parents[1]
HOUSE = ROOT / "src" / "warnhub" / "console"
LOCALE = HOUSE / "locale"
HANZI = re.compile(r"[\u4e00-\u9fff]")
HALF_WIDTH = re.compile(r"[\u4e00-\u9fff][,:;?!]")
HEAD = (
    'msgid ""\nmsgstr ""\n"Language: {lang}\\n"\n"MIME-Version: 1.0\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n'
    '"Content-Transfer-Encoding: 8bit\\n"\n\n'
)
ASKED = (re.compile(r"""\b(?:t|say)\(\s*"([\w.]+)"\s*[),]"""), re.compile(r"""\b(?:t|say)\([^()]*?"([\w.]+)" if """))
STEM = re.compile(r"""f?["']([\w]+(?:\.[\w]+)*\.)(?:["']\s*[~+]|\{)""")
WHOLE = re.compile(r"""["']([a-z_0-9]+(?:\.[a-z_0-9]+)*)["']""")


def load(lang: str) -> dict[str, Catalog]:
    """A language's catalogues by file name."""
    folder = LOCALE / LOCALES[lang] / "LC_MESSAGES"
    return {path.name: read_po(BytesIO(path.read_bytes()), abort_invalid=True) for path in sorted(folder.glob("*.po"))}


def messages(catalogues: dict[str, Catalog]) -> dict[str, str]:
    """Messages that may be shown, by id."""
    return {str(one.id): str(one.string) for book in catalogues.values() for one in book if one.id and not one.fuzzy}


def doubles(catalogues: dict[str, Catalog]) -> list[str]:
    """Ids that stand in two catalogues of a language."""
    ids = [str(one.id) for book in catalogues.values() for one in book if one.id]
    return sorted({key for key in ids if ids.count(key) > 1})


def sources() -> str:
    """Everything that may ask for a message."""
    code = [*HOUSE.rglob("*.html"), *(ROOT / "src" / "warnhub").rglob("*.py")]
    return "\n".join(path.read_text("utf-8") for path in code)


def check() -> list[str]:
    """What is wrong, a line each."""
    zh, en = messages(load("zh")), messages(load("en"))
    wrong = [f"{key}: not in zh_CN" for key in en.keys() - zh.keys()] + [f"{key}: not in en" for key in zh.keys() - en.keys()]
    wrong += [f"{key}: stands in two catalogues" for lang in LOCALES for key in doubles(load(lang))]
    for key in sorted(zh.keys() & en.keys()):
        wrong += [f"{key}: {why}" for why in judge(zh[key], en[key])]
    said = sources()
    asked = {key for pattern in ASKED for key in pattern.findall(said)}
    wrong += [f"{key}: asked for, but in no catalogue" for key in sorted(asked - zh.keys())]
    stems, whole = tuple(STEM.findall(said)), set(WHOLE.findall(said))
    wrong += [f"{key}: nobody asks for it" for key in sorted(zh) if key not in whole and not key.startswith(stems)]
    return wrong


def judge(zh: str, en: str) -> list[str]:
    """What is wrong with one message."""
    holes = [set(re.findall(r"{(\w+)", words)) for words in (zh, en)]
    rules = {
        "is empty": not zh.strip() or not en.strip(),
        "the places to fill in differ": holes[0] != holes[1],
        "there is Chinese in the English": bool(HANZI.search(en)),
        "Chinese takes its own punctuation": bool(HALF_WIDTH.search(zh)),
    }
    return [why for why, broken in rules.items() if broken]


def tidy() -> None:
    """Write each catalogue in the order of its ids, a line a message, so that two people's additions rarely meet."""
    for lang in LOCALES:
        for name, book in load(lang).items():
            body = BytesIO()
            write_po(body, book, width=0, sort_output=True, omit_header=True)
            (LOCALE / LOCALES[lang] / "LC_MESSAGES" / name).write_bytes(
                HEAD.format(lang=LOCALES[lang]).encode() + body.getvalue()
            )


def main() -> int:
    """Exit code 1 where something is wrong."""
    if "--tidy" in sys.argv:
        tidy()
    wrong = check()
    print("\n".join(wrong))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
