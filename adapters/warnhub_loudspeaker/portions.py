"""What is said at once, and how long a speaker breathes after it."""

import math
import re
from collections.abc import Iterator

LONGEST = 64
"""Phonemes said at once, some sixteen characters: each takes 1.6 MB while they are said, beside the model's 150."""

SENTENCE_PAUSE, CLAUSE_PAUSE, WORD_PAUSE = 0.4, 0.25, 0.02
"""Seconds of silence after what is said at once."""

ENDS = ".!?;"
CLAUSE = re.compile(r"[^,:.!?;]*[,:.!?;]*\s*")


def portions(phonemes: str, most: int = LONGEST) -> Iterator[tuple[str, float]]:
    """A sentence in portions of at most `most` phonemes, each with the pause after it: by clause, long ones between words."""
    held = ""
    for clause in CLAUSE.findall(phonemes):
        if held and len(held) + len(clause) > most:
            yield held, CLAUSE_PAUSE
            held = ""
        held += clause
        if len(held) > most:
            *first, held = shares(held, most)
            yield from ((share, WORD_PAUSE) for share in first)
    if held.strip():
        yield held, SENTENCE_PAUSE if held.strip()[-1] in ENDS else CLAUSE_PAUSE


def shares(clause: str, most: int) -> list[str]:
    """The words of a clause in shares of like length, at most `most`; a word that is longer is cut anywhere."""
    words = [word[at : at + most] for word in clause.split(" ") for at in range(0, len(word), most)]
    share = math.ceil(len(clause) / math.ceil(len(clause) / most))
    out = [words[0]]
    for word in words[1:]:
        if len(out[-1]) >= share or len(out[-1]) + len(word) >= most:
            out.append(word)
        else:
            out[-1] += f" {word}"
    return out
