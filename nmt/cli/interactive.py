"""`nmt translate -i`: a prompt that translates what is typed, with the n best and the attention on demand."""

from __future__ import annotations

import readline
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import numpy as np

    from nmt.translation.lines import Hypothesis, LineTranslator, Translation

HELP = """\
Type a sentence and press Enter; the arrow keys bring back what you typed before.
:n        all translations of the last sentence, best first (as many as --n-best says)
:a        the attention of the last translation: a row for each of its pieces, the source across, read downward
:h        this help
:q        leave; so does the end of input (Ctrl-D)"""
PROMPT = "> "
SHADES = " ░▒▓█"  # of a weight from 0 to 1
CELL = 2  # characters of a shade, the width of a Chinese or Korean one
NO_ATTENTION = "There is no attention: the model has none, or is a SavedModel."


def converse(translator: LineTranslator, console: Console | None = None, ask: Callable[[str], str] = input) -> None:
    """Reads sentences and commands until the end of input.

    Args:
        translator: makes the translations.
        console: where answers go; by default stdout.
        ask: reads a line after a prompt; raises EOFError at the end.
    """
    console = console or Console(highlight=False, soft_wrap=True)
    if sys.stdin.isatty():
        readline.set_auto_history(True)
    elif isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    console.print(Text("A sentence, or :h for help."))
    last: Translation | None = None
    while True:
        try:
            line = ask(PROMPT).strip()
            if line in (":q", ":quit"):
                return
            if line.startswith(":"):
                answer_command(line, last, console)
            elif line:
                last = next(translator.translate([line.encode("utf-8", errors="replace")]))
                console.print(Text(f"{last.line}  ({last.score:.3f})"))
        except EOFError:
            console.print()
            return
        except KeyboardInterrupt:  # as a shell does: the line is dropped, the prompt stays
            console.print()


def answer_command(command: str, last: Translation | None, console: Console) -> None:
    """Shows what a command asks for of the last translation."""
    if command in (":h", ":help"):
        console.print(Text(HELP))
    elif command not in (":n", ":a"):
        console.print(Text(f"{command}: unknown command; :h for help"))
    elif last is None:
        console.print("Nothing was translated yet.")
    elif command == ":n":
        console.print(n_best_table(last))
    elif last.best.attention is None:
        console.print(NO_ATTENTION)
    else:
        console.print(attention_table(last.best, console.width))


def n_best_table(translation: Translation) -> Table:
    """All hypotheses with their figures."""
    table = Table("", "translation", box=None)
    table.add_column("score", justify="right")
    table.add_column("log-probability", justify="right")
    for rank, hypothesis in enumerate(translation.hypotheses, start=1):
        text = Text(hypothesis.line)
        table.add_row(str(rank), text, f"{hypothesis.score:.3f}", f"{hypothesis.log_prob:.3f}")
    return table


def attention_table(hypothesis: Hypothesis, width: int = 80) -> Group:
    """A shade for each weight: a row for each piece of the translation, a column for each of the source, read downward.

    Args:
        hypothesis: with its attention.
        width: of the terminal; what does not fit side by side follows below.
    """
    assert hypothesis.attention is not None
    rows, columns = (*hypothesis.pieces, "</s>"), (*hypothesis.source_pieces, "</s>")
    room = max(1, (width - max(map(cell_len, rows)) - 1) // CELL)
    starts = range(0, len(columns), room)
    weights = hypothesis.attention
    return Group(*(_shades(rows, columns[i : i + room], weights[:, i : i + room]) for i in starts))


def _shades(rows: Sequence[str], columns: Sequence[str], weights: np.ndarray) -> Table:
    """A table of weights (rows, columns)."""
    table = Table("", box=None, padding=0)
    for piece in columns:
        table.add_column(Text("\n".join(piece)), min_width=CELL)
    for piece, of_row in zip(rows, weights, strict=True):
        shades = [SHADES[round(float(weight) * (len(SHADES) - 1))] * CELL for weight in of_row]
        table.add_row(Text(f"{piece} "), *map(Text, shades))
    return table
