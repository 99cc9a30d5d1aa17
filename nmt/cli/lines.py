r"""Lines in and lines out, for the commands that read text: standard streams, or files that appear when they are whole.

Lines end at `\n` alone. Knows nothing of what happens to them in between.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from nmt.errors import DataError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MAX_LINE_BYTES = 2**20  # of a longer line nothing more is kept in memory

Input = Annotated[Path | None, typer.Option(help="Text file, one sentence a line; else standard input.")]
Output = Annotated[Path | None, typer.Option(help="Written when complete; else standard output.")]


def reading(input: Path | None) -> AbstractContextManager[BinaryIO]:
    """Standard input, or a file."""
    if input is None:
        return nullcontext(sys.stdin.buffer)
    try:
        return input.open("rb")
    except OSError as error:
        raise DataError(
            f"{input}: {error.strerror}; name a text file with --input, or leave it out for standard input"
        ) from None


def read_lines(source: BinaryIO) -> Iterator[bytes]:
    r"""Lines without `\n` or `\r\n` and without a byte order mark at the start."""
    first = True
    while line := source.readline(MAX_LINE_BYTES):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = source.readline(MAX_LINE_BYTES)
        yield (line.removeprefix(BYTE_ORDER_MARK) if first else line).removesuffix(b"\n").removesuffix(b"\r")
        first = False


def count_lines(path: Path | None) -> int | None:
    """Lines of a file, for the progress; None where reading it twice is not possible."""
    if path is None or not path.is_file():
        return None
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(MAX_LINE_BYTES), b""))


@contextmanager
def writing(output: Path | None) -> Iterator[BinaryIO]:
    """Standard output, or a file that appears when the block ends without an error."""
    if output is None:
        yield sys.stdout.buffer
        return
    place = output.resolve()  # where a link stands, the file behind it is replaced
    if place.exists() and not place.is_file():  # a device or a pipe cannot be renamed over; a folder says so itself
        with place.open("wb") as file:
            yield file
        return
    if not place.parent.is_dir():
        raise DataError(f"{output}: expected its folder to exist; create {place.parent.name} first")
    aside = place.with_name(f".{place.name}.tmp-{os.getpid()}")
    try:
        with aside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if place.exists():
            shutil.copymode(place, aside)
        aside.replace(place)
    finally:
        with suppress(FileNotFoundError):
            aside.unlink()
