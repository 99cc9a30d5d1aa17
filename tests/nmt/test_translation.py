"""Lines to translations, whatever makes them: windows, numbers, prefixes. The translator is a fake."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nmt.errors import DataError
from nmt.translation import lines as translation
from nmt.translation.lines import Hypothesis, Line, LineTranslator, Translation


class Echo(LineTranslator):
    """Gives back what it was handed: text, number and prefix."""

    def __init__(self) -> None:
        self.windows: list[int] = []

    def check_prefix(self, number: int, prefix: str) -> None:
        raise NotImplementedError

    def _translate_together(self, lines: list[Line], progress: Callable[[int], None]) -> list[Translation]:
        self.windows.append(len(lines))
        progress(len(lines))
        return [
            Translation((Hypothesis(f"{line.prefix}{line.text.decode()} {line.number}", -1.0, -0.5),)) for line in lines
        ]


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> Echo:
    """Takes windows of four lines."""
    monkeypatch.setattr(translation, "LINES_AT_ONCE", 4)
    return Echo()


@pytest.mark.parametrize(("count", "windows"), [(0, []), (3, [3]), (4, [4]), (5, [4, 1]), (9, [4, 4, 1])])
def test_windows_keep_the_order(echo: Echo, count: int, windows: list[int]) -> None:
    counts: list[int] = []
    found = list(echo.translate([b"x"] * count, counts.append))
    assert [one.text for one in found] == [f"x {i}" for i in range(count)]
    assert echo.windows == counts == windows


def test_lines_are_read_a_window_at_a_time(echo: Echo) -> None:
    read = iter([b"x"] * 9)
    next(echo.translate(read))
    assert len(list(read)) == 5


def test_numbers_count_from_the_first_line(echo: Echo) -> None:
    assert [one.text for one in echo.translate([b"a"] * 5, first_line=7)][-1] == "a 11"


def test_each_line_has_its_prefix(echo: Echo) -> None:
    found = echo.translate([b"a", b"b", b"c"], prefixes=iter(["", "x", "y"]), first_line=1)
    assert [one.text for one in found] == ["a 1", "xb 2", "yc 3"]


@pytest.mark.parametrize(
    ("lines", "prefixes", "message"), [(2, 1, "received no prefix number 2;"), (1, 2, "received no line number 2;")]
)
def test_prefixes_are_as_many_as_lines(echo: Echo, lines: int, prefixes: int, message: str) -> None:
    """Else lines would be lost without a word."""
    with pytest.raises(DataError, match=message):
        list(echo.translate([b"a"] * lines, prefixes=[""] * prefixes))


def test_texts(echo: Echo) -> None:
    assert echo.translate_texts(["a", "ü"]) == ["a 0", "ü 1"]


def test_a_translation_is_its_best_hypothesis() -> None:
    best, other = Hypothesis("a\u2028b\nc", -2.0, -1.0), Hypothesis("d", -3.0, -1.5)
    found = Translation((best, other))
    assert (found.best, found.text, found.line) == (best, "a\u2028b\nc", "a b c")
    assert (found.log_prob, found.score, found.cut) == (-2.0, -1.0, False)


def test_hypotheses_with_attention_can_be_compared() -> None:
    """Two arrays have no one truth value, and no hash."""
    weights = np.eye(2, dtype=np.float32)
    same = {Hypothesis("a", -1.0, -1.0, ("▁a",), weights.copy(), ("▁b",)) for _ in range(2)}
    assert len(same) == 1
    assert Hypothesis("a", -1.0, -1.0, ("▁a",), weights, ("▁b",)) != Hypothesis("a", -1.0, -2.0, ("▁a",), weights)


def test_alignment_of_words() -> None:
    """The second source word has two pieces, 0.3 + 0.3 against 0.4; the ends of sentence belong to no word."""
    attention = np.array([[0.4, 0.3, 0.3, 0.0], [0.9, 0.05, 0.05, 0.0], [0.0, 0.0, 0.0, 1.0]], np.float32)
    found = Hypothesis("x y", -1.0, -1.0, ("▁x", "▁y"), attention, ("▁a", "▁b", "c"))
    assert str(found.alignment) == "1-0 0-1"
    assert str(Hypothesis("x y", -1.0, -1.0, ("▁x", "▁y")).alignment) == ""
