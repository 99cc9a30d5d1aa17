"""Lines of nested brackets, such as `{[]<>}()`: text whose every rule is known.

A line is a walk of a bounded Dyck language (Hewitt et al. 2020, "RNNs can generate bounded hierarchical languages with
optimal memory"): whoever writes on must remember which brackets are open, and in which order. Knows nothing of files,
subwords or models.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from nmt.config import Brackets

KINDS = ("()", "[]", "{}", "<>")


def bracket_lines(brackets: Brackets, part: str) -> Iterator[str]:
    """The lines of one part, until it has its characters, a newline counted for each line.

    Args:
        brackets: says how much, and how deep.
        part: `train`, `validation` or `test`; each has random numbers of its own.
    """
    generator = random.Random(f"{brackets.seed} {part}")
    left = brackets.characters if part == "train" else brackets.held_out_characters
    while left > 0:
        line = _line(generator, brackets)
        left -= len(line) + 1
        yield line


def _line(generator: random.Random, brackets: Brackets) -> str:
    """A balanced line: opens or closes with even odds, where both are possible."""
    pairs = generator.randint(1, brackets.line_length // 2)
    line: list[str] = []
    still_open: list[str] = []  # what closes them, innermost last
    while pairs or still_open:
        opens = pairs > 0 and len(still_open) < brackets.depth and (not still_open or generator.random() < 0.5)
        if opens:
            kind = generator.choice(KINDS)
            line.append(kind[0])
            still_open.append(kind[1])
            pairs -= 1
        else:
            line.append(still_open.pop())
    return "".join(line)
