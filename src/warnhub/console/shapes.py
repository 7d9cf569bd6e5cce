"""The shape, numeral and place of each level: a level is never told by its colour alone. Paths fill a square of 60."""

SHAPES = {
    "red": "M18 3h24l15 15v24l-15 15h-24l-15-15v-24z",
    "orange": "M30 1l29 29-29 29-29-29z",
    "yellow": "M30 3l28 53h-56z",
    "blue": "M30 3a27 27 0 1 0 .1 0z",
}
NUMERALS = {"red": "Ⅰ", "orange": "Ⅱ", "yellow": "Ⅲ", "blue": "Ⅳ"}
