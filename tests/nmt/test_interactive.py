"""`nmt translate -i`: what a person sees. No model: a fake translates what is typed by a script."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from nmt.cli import app, translate_command
from nmt.cli.interactive import HELP, NO_ATTENTION, attention_table, converse
from nmt.translation.lines import Hypothesis, Translation

ATTENTION = np.array([[0.0, 1.0, 0.0], [0.75, 0.25, 0.0], [0.0, 0.5, 0.5]], np.float32)
TOLD = Hypothesis("ja [b] :smile:", -2.0, -1.25, ("▁j", "a"), ATTENTION, ("▁ok", "나"))
OTHER = Hypothesis("nein", -3.0, -1.5, ("▁n", "ein"))


class Oracle:
    """Always gives the same answer; at `slow` somebody loses patience."""

    def __init__(self, *hypotheses: Hypothesis) -> None:
        self.answer = Translation(hypotheses)
        self.asked: list[bytes] = []

    def translate(self, lines: Iterable[bytes]) -> Iterator[Translation]:
        for line in lines:
            if line == b"slow":
                raise KeyboardInterrupt
            self.asked.append(line)
            yield self.answer


def script(*typed: str | type[BaseException]) -> Callable[[str], str]:
    """Types lines, or presses Ctrl-C or Ctrl-D."""
    remaining = iter(typed)

    def ask(prompt: str) -> str:
        assert prompt == "> "
        line = next(remaining)
        if isinstance(line, str):
            return line
        raise line

    return ask


def talk(oracle: Any, *typed: str | type[BaseException], width: int = 60) -> list[str]:
    """What is on the screen after the greeting, but for what was typed."""
    console = Console(file=io.StringIO(), width=width, highlight=False, soft_wrap=True, _environ={})
    converse(oracle, console, script(*typed))
    assert isinstance(console.file, io.StringIO)
    greeting, *lines = console.file.getvalue().splitlines()
    assert greeting == "A sentence, or :h for help."
    return [line.rstrip() for line in lines]


def test_a_sentence_is_answered_with_its_score() -> None:
    oracle = Oracle(TOLD)
    assert talk(oracle, "  eins ", "한 [bold]zwei[/bold] :x:", ":q") == ["ja [b] :smile:  (-1.250)"] * 2
    assert oracle.asked == [b"eins", "한 [bold]zwei[/bold] :x:".encode()]


def test_an_answer_is_one_line() -> None:
    assert talk(Oracle(Hypothesis("a\nb\u2028c", 0.0, 0.0)), "x", ":q") == ["a b c  (0.000)"]


def test_an_empty_line_is_passed_over() -> None:
    oracle = Oracle(TOLD)
    assert talk(oracle, "", "   ", ":q") == []
    assert oracle.asked == []


@pytest.mark.parametrize("end", [":q", ":quit"])
def test_a_command_ends_it(end: str) -> None:
    assert talk(Oracle(TOLD), end, "never") == []


def test_the_end_of_input_ends_it_on_a_line_of_its_own() -> None:
    assert talk(Oracle(TOLD), EOFError, "never") == [""]


def test_an_interrupt_drops_the_line_and_keeps_the_prompt() -> None:
    oracle = Oracle(TOLD)
    assert talk(oracle, KeyboardInterrupt, "slow", "eins", ":q") == ["", "", "ja [b] :smile:  (-1.250)"]
    assert oracle.asked == [b"eins"]


@pytest.mark.parametrize("command", [":h", ":help"])
def test_help(command: str) -> None:
    assert talk(Oracle(TOLD), command, ":q") == HELP.splitlines()


def test_an_unknown_command_is_named() -> None:
    oracle = Oracle(TOLD)
    assert talk(oracle, ":[x] :smile:", ":q") == [":[x] :smile:: unknown command; :h for help"]
    assert oracle.asked == []


@pytest.mark.parametrize("command", [":n", ":a"])
def test_there_is_nothing_to_show_before_the_first_sentence(command: str) -> None:
    assert talk(Oracle(TOLD), command, ":q") == ["Nothing was translated yet."]


def test_all_translations_best_first() -> None:
    heading, *rows = talk(Oracle(TOLD, OTHER), "eins", ":n", ":q")[1:]
    assert heading.split() == ["translation", "score", "log-probability"]
    assert [row.split() for row in rows] == [
        ["1", "ja", "[b]", ":smile:", "-1.250", "-2.000"],
        ["2", "nein", "-1.500", "-3.000"],
    ]


def test_the_attention_of_the_best_one() -> None:
    assert talk(Oracle(TOLD, OTHER), "eins", ":a", ":q")[1:] == [
        "         <",
        "     ▁   /",
        "     o   s",
        "     k 나>",  # the Korean character is two cells wide
        "▁j     ██",
        "a    ▓▓░░",
        "</s>   ▒▒▒▒",
    ]


def test_what_is_too_wide_follows_below() -> None:
    """Five cells for the rows' names, two for each of the columns: of three columns two have room in ten cells."""
    console = Console(file=io.StringIO(), width=10, _environ={})
    console.print(attention_table(TOLD, 10))
    assert isinstance(console.file, io.StringIO)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert lines == [
        *["     ▁", "     o", "     k 나", "▁j     ██", "a    ▓▓░░", "</s>   ▒▒"],
        *["     <", "     /", "     s", "     >", "▁j", "a", "</s> ▒▒"],
    ]


def test_a_model_without_attention_says_so() -> None:
    assert talk(Oracle(OTHER), "eins", ":a", ":q")[1:] == [NO_ATTENTION]


def test_the_command_line_talks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[bool] = []

    def load(*_: Any, with_attention: bool) -> Oracle:
        asked.append(with_attention)
        return Oracle(OTHER)

    monkeypatch.setattr(translate_command, "load", load)
    result = CliRunner().invoke(app, ["translate", str(tmp_path), "-i"], input="eins\n:n\n")
    assert (result.exit_code, result.stderr, asked) == (0, "", [True])
    assert "> nein  (-1.500)\n" in result.stdout
