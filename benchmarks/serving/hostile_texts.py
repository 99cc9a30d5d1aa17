"""Texts that nobody should send: what `fuzz.py` tries. Knows no model."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "nmt"))

from random_runs import INVALID_UTF8

ORDINARY = (
    "the of and to in a is that for it as was with be by on not he his but at are this have from or had an they "
    "which one you were all her she there would their we him been has when who will no more if out so up said what "
    "its about than into them can only other time new some could these two may first then do any like my now over "
    "such our man me even most made after also well did many must before back see through way where get much go "
    "good day"
)
WORDS = ORDINARY.split()
GIANT = 1_000_000  # bytes
BMP = 0x10000
BMP_ROW = 16  # characters of a row, when every character of the plane has its turn
SCRIPTS = (
    (0xC0, 0x24F),  # Latin with marks
    (0x370, 0x52F),  # Greek, Cyrillic
    (0x900, 0xDFF),  # of India
    (0x1100, 0x11FF),  # the parts of Hangul
    (0x3040, 0x30FF),  # Japanese
    (0x4E00, 0x9FFF),  # Chinese
    (0xAC00, 0xD7A3),  # Hangul
    (0xF900, 0xFAFF),  # what NFKC replaces: compatibility ideographs,
    (0xFB50, 0xFDFF),  # Arabic ligatures,
    (0xFF00, 0xFFEF),  # wide letters,
    (0x1D400, 0x1D7FF),  # mathematical letters
    (0x1F300, 0x1FAFF),  # pictures
)
BIDI = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

Make = Callable[[random.Random], bytes]


def random_bytes(generator: random.Random) -> bytes:
    """Mostly not UTF-8."""
    return generator.randbytes(generator.randint(0, 100))


def random_unicode(generator: random.Random) -> bytes:
    """Characters of all 17 planes, surrogates among them."""
    characters = (chr(generator.randrange(0x110000)) for _ in range(generator.randint(1, 30)))
    return "".join(characters).encode("utf-8", "surrogatepass")


def known_scripts(generator: random.Random) -> bytes:
    """Characters of one script, for instance Hangul, with words between them."""
    start, end = generator.choice(SCRIPTS)
    characters = [chr(generator.randint(start, end)) for _ in range(generator.randint(1, 30))]
    return _between_words("".join(characters).encode(), generator)


def nul(generator: random.Random) -> bytes:
    """NULs at the beginning, in the midst and at the end of words."""
    return b"\0".join(_ordinary(generator, generator.randint(0, 4)) for _ in range(generator.randint(2, 6)))


def right_to_left(generator: random.Random) -> bytes:
    """Hebrew and Arabic, with controls of the direction, open or not."""
    letters = [chr(generator.randint(*generator.choice([(0x5D0, 0x5EA), (0x620, 0x64A)]))) for _ in range(30)]
    for _ in range(generator.randint(1, 8)):
        letters[generator.randrange(30)] = generator.choice(BIDI + " ")
    return _between_words("".join(letters).encode(), generator)


def lone_surrogate(generator: random.Random) -> bytes:
    """Halves of pairs, encoded as if they were characters."""
    halves = b"".join(bytes([0xED, generator.randint(0xA0, 0xBF), generator.randint(0x80, 0xBF)]) for _ in range(3))
    return _between_words(halves, generator)


def invalid_utf8(generator: random.Random) -> bytes:
    """One of 13 kinds of what is not UTF-8."""
    return _between_words(generator.choice(INVALID_UTF8) * generator.randint(1, 5), generator)


def ordinary(generator: random.Random) -> bytes:
    """A sentence."""
    return _ordinary(generator, generator.randint(1, 20))


SHORT: tuple[Make, ...] = (
    random_bytes,
    random_unicode,
    known_scripts,
    nul,
    right_to_left,
    lone_surrogate,
    invalid_utf8,
    ordinary,
)


def short_texts(count: int, generator: random.Random) -> list[bytes]:
    """Texts of at most some hundred bytes: every character of the basic plane, and all kinds in turn; shuffled."""
    texts = list(basic_plane())
    texts += (SHORT[i % len(SHORT)](generator) for i in range(count - len(texts)))
    generator.shuffle(texts)
    return texts[:count]


def basic_plane() -> Iterator[bytes]:
    """Every character from U+0000 to U+FFFF in its order, 16 in a text, surrogates among them."""
    for start in range(0, BMP, BMP_ROW):
        yield "".join(map(chr, range(start, start + BMP_ROW))).encode("utf-8", "surrogatepass")


def long_texts(count: int, size: int, generator: random.Random) -> list[bytes]:
    """Texts of `size` bytes, as many as are read of a text: what makes a tokenizer slow, and what it makes long."""
    makers: list[Make] = [
        lambda generator: ("\ue000" * size).encode(),  # one character of nobody's, again and again
        lambda generator: "".join(chr(generator.randint(0xE000, 0xF8FF)) for _ in range(size)).encode(),
        lambda generator: ("\ufdfa" * size).encode(),  # NFKC makes 18 characters of it
        lambda generator: ("e" + "\u0301" * size).encode(),
        lambda generator: b"\xff" * size,  # each is replaced by a character of three bytes
        lambda generator: b"a" * size,
        lambda generator: " ".join(generator.choices("abcdefghijklmnopqrstuvwxyz.,-'", k=size)).encode(),
        lambda generator: generator.randbytes(size),
    ]
    return [makers[i % len(makers)](generator)[:size] for i in range(count)]


def giant_texts(generator: random.Random) -> list[bytes]:
    """Texts of a megabyte."""
    return [*long_texts(8, GIANT, generator), b"\0" * GIANT, b" " * GIANT, ordinary_text(GIANT, generator)]


def ordinary_text(size: int, generator: random.Random, words: Sequence[str] = WORDS) -> bytes:
    """Ordinary words, as many as fill so many bytes; none is cut."""
    chosen, length = [], -1
    while (length := length + 1 + len((word := generator.choice(words)).encode())) <= size:
        chosen.append(word)
    return " ".join(chosen).encode()


def _ordinary(generator: random.Random, count: int) -> bytes:
    return " ".join(generator.choices(WORDS, k=count)).encode()


def _between_words(text: bytes, generator: random.Random) -> bytes:
    """Alone, or with words before and behind it."""
    if generator.random() < 0.3:
        return text
    before, behind = (_ordinary(generator, generator.randint(0, 3)) for _ in range(2))
    return b" ".join([before, text, behind])
