from __future__ import annotations

from typing import Any

import ibis
import pytest

from data_prep.filters import filter_conditions
from nmt.config import Filters


def dropped(pairs: list[tuple[str, str]], **filters: Any) -> dict[str, list[bool]]:
    """For each filter, which of the pairs it drops."""
    rows = ibis.memtable([{"line": line, "source": s, "target": t} for line, (s, t) in enumerate(pairs)])
    conditions = filter_conditions(rows, Filters(**filters))
    table = ibis.duckdb.connect().to_pyarrow(rows.select("line", **conditions).order_by("line"))
    return {name: table.column(name).to_pylist() for name in conditions}


@pytest.mark.parametrize("character", ["\0", "\t", "\r", "\x0b", "\x1f", "\x7f", "\x85", "\x9f"])
def test_control_characters_on_either_side(character: str) -> None:
    pairs = [(f"a{character}b", "c"), ("a", f"{character}b"), ("a", "b")]
    assert dropped(pairs)["control_characters"] == [True, True, False]


@pytest.mark.parametrize("character", ["\u2028", "\u00a0", "\u200d", "\ufeff", "👩", "한", "\ue000"])
def test_other_characters_are_no_control_characters(character: str) -> None:
    assert dropped([(character, f"x{character}")])["control_characters"] == [False]


@pytest.mark.parametrize("text", ["", " ", "\t", "\u00a0\u3000", "\u2028", "\u200b\ufeff", "\0"])
def test_text_without_a_visible_character_is_empty(text: str) -> None:
    pairs = [(text, "a"), ("a", text), ("a", f"{text}.{text}")]
    assert dropped(pairs)["empty"] == [True, True, False]


def test_length_is_counted_in_characters() -> None:
    pairs = [("한" * 5, "a"), ("a", "👩" * 6), ("a" * 6, "b"), ("a", "b")]
    assert dropped(pairs, max_characters=5)["max_characters"] == [False, True, True, False]


def test_ratio_allows_ten_characters_more() -> None:
    pairs = [("a" * 12, "b"), ("a" * 13, "b"), ("b", "a" * 13), ("a" * 40, "b" * 15), ("a" * 41, "b" * 15)]
    assert dropped(pairs, max_length_ratio=2.0)["max_length_ratio"] == [False, True, True, False, True]


def test_identical_means_equal_to_the_character() -> None:
    assert dropped([("same", "same"), ("same", "Same"), ("same", "same ")])["identical"] == [True, False, False]


def test_filters_stand_in_order_and_can_be_switched_off() -> None:
    in_order = ["control_characters", "empty", "max_characters", "max_length_ratio", "identical"]
    assert list(dropped([("a", "b")])) == in_order
    assert list(dropped([("a", "b")], control_characters=False, identical=False)) == in_order[1:4]
