from __future__ import annotations

from itertools import islice

import pytest

from data_prep.brackets import KINDS, bracket_lines
from nmt.config import Brackets

CLOSES = {kind[0]: kind[1] for kind in KINDS}


def deepest(line: str) -> int:
    """How many brackets are open at once; fails where one is closed that was not opened last."""
    still_open: list[str] = []
    depths = [0]
    for character in line:
        if character in CLOSES:
            still_open.append(CLOSES[character])
        else:
            assert still_open.pop() == character
        depths.append(len(still_open))
    assert not still_open
    return max(depths)


@pytest.mark.parametrize("depth", [1, 3, 8])
def test_lines_are_balanced_as_deep_and_as_long_as_asked(depth: int) -> None:
    lines = list(bracket_lines(Brackets(characters=20_000, depth=depth, line_length=40), "train"))
    assert max(deepest(line) for line in lines) == depth
    assert (min(map(len, lines)), max(map(len, lines))) == (2, 40)
    assert set("".join(lines)) == set("".join(KINDS))


def test_a_part_has_its_characters_and_no_line_more() -> None:
    brackets = Brackets(characters=5_000, held_out_characters=300)
    for part, size in (("train", 5_000), ("validation", 300), ("test", 300)):
        lengths = [len(line) + 1 for line in bracket_lines(brackets, part)]
        assert sum(lengths[:-1]) < size <= sum(lengths)


def test_the_seed_decides_and_parts_differ() -> None:
    def first(part: str, seed: int) -> list[str]:
        return list(islice(bracket_lines(Brackets(seed=seed), part), 20))

    assert first("train", 1) == first("train", 1)
    assert len({tuple(first(part, seed)) for part in ("train", "validation", "test") for seed in (1, 2)}) == 6


def test_a_line_of_one_pair() -> None:
    assert set(bracket_lines(Brackets(characters=300, line_length=3), "train")) == set(KINDS)
