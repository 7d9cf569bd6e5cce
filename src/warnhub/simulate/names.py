"""Names for a county that does not exist, put together from syllables."""

from collections.abc import Sequence

import numpy as np

FIRST = tuple("云青白石金玉龙清长大南北上下东西高古新安福永泰和丰松竹梅兰桂枫樟茶柏")
SECOND = tuple("溪山坪坑洋源岭口湖田林塘桥潭峰岗川湾岩坂墩垅埔洲畲洞")
PARTS = ("头", "尾", "里", "边", "前", "后", "中", "坪", "坑", "墩", "垅", "湾", "排", "堡", "厝")
SURNAMES = tuple("陈林黄张吴李郑王刘苏谢许杨邱廖罗曾肖邓余叶游江温周徐朱赖范汤")
GIVEN = tuple("文建国明华志伟芳秀英丽红军平桂兰玉珍春生海金水福荣德辉强勇敏静燕梅木火根发贵财旺祥林松")
# Family names are far from evenly spread: each is about a tenth rarer than the one before.
WEIGHTS = 0.9 ** np.arange(len(SURNAMES))


def place_stems(rng: np.random.Generator, count: int) -> list[str]:
    """`count` different stems of two or three characters, e.g. 云溪, 石坪头; no more than FIRST and SECOND make."""
    short = [a + b for a in FIRST for b in SECOND]
    stems = [short[n] for n in rng.permutation(len(short))]
    long = [stem + PARTS[n % len(PARTS)] for n, stem in enumerate(stems)]
    mixed = [stem for pair in zip(stems[: len(stems) // 2], long[len(stems) // 2 :], strict=True) for stem in pair]
    if count > len(mixed):
        raise ValueError(f"count: at most {len(mixed)} places can be named, not {count}")
    return mixed[:count]


def people_names(rng: np.random.Generator, count: int) -> list[str]:
    """`count` names of persons; namesakes occur, as they do."""
    first = pick(rng, SURNAMES, count, WEIGHTS / WEIGHTS.sum())
    middle = pick(rng, GIVEN, count)
    last = pick(rng, (*GIVEN, *[""] * 6), count)
    return [a + b + c for a, b, c in zip(first, middle, last, strict=True)]


def pick(rng: np.random.Generator, words: Sequence[str], count: int, odds: np.ndarray | None = None) -> list[str]:
    """`count` words at random."""
    return [words[n] for n in rng.choice(len(words), count, p=odds).tolist()]
