"""Chinese as Kokoro reads it: misaki's phonemes, made in a process that ends with its answer.

    python -m warnhub_loudspeaker.phonemes < texts > phonemes

Texts and phonemes are a list of strings as JSON. The word lists take 80 MB each, which must not lie beside the voice's model:
here they are held one after the other, and given back before the model speaks.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Sequence

WORD = "\x1f"
"""Stands between two words while one list is forgotten and the other read."""

HAN = re.compile("[\u4e00-\u9fff]+")
BREVE = "\u032f"
"""misaki's mark of a vowel that is no syllable; Kokoro was not taught it."""


def segmented(texts: Sequence[str]) -> list[str]:
    """The texts with numerals as words, and `WORD` between the words of jieba's list, which is forgotten."""
    import cn2an
    import jieba

    jieba.setLogLevel(logging.WARNING)
    read = [cn2an.transform(text, "an2cn") for text in texts]
    cut = [HAN.sub(lambda found: WORD.join(jieba.lcut(found[0])), text) for text in read]
    jieba.dt.FREQ.clear()
    return cut


def spelled(texts: Sequence[str]) -> list[str]:
    """What `misaki.zh.ZHG2P` makes of each text, by its own parts: as a whole it holds both lists at once."""
    cut = segmented(texts)
    # pypinyin would copy its lists lest somebody adds to them.
    os.environ["PYPINYIN_NO_DICT_COPY"] = "1"
    from misaki.zh import ZHG2P

    marked = [ZHG2P.map_punctuation(text) for text in cut]
    heard = [HAN.sub(lambda found: ZHG2P.word2ipa(found[0]), text) for text in marked]
    return [text.replace(WORD, " ").replace(BREVE, "") for text in heard]


if __name__ == "__main__":
    # Libraries that print must not speak into the answer.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    json.dump(spelled(json.load(sys.stdin)), answer)
    answer.close()
