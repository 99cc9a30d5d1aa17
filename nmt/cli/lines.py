r"""Lines in and lines out, for the commands that read text: standard streams, or files that appear when they are whole.

Lines end at `\n` alone. Knows nothing of what happens to them in between.
"""

from __future__ import annotations

import gzip
import os
import shutil
import sys
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from io import BufferedReader
from pathlib import Path
from typing import Annotated, BinaryIO, cast

import typer

from nmt.errors import DataError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
GZIP_MAGIC = b"\x1f\x8b"
MAX_LINE_BYTES = 2**20  # of a longer line nothing more is kept in memory

Input = Annotated[Path | None, typer.Option(help="Text file, one sentence a line, plain or gzip; else standard input.")]
Output = Annotated[Path | None, typer.Option(help="Written when complete; else standard output.")]


def reading(input: Path | None, option: str = "--input") -> AbstractContextManager[BinaryIO]:
    """Standard input, or a file; one that begins as gzip does is read as what it holds.

    Args:
        input: the file; None for standard input.
        option: the one that named it, for the error.

    Raises:
        DataError: it cannot be read.
    """
    if input is None:
        return nullcontext(_standard_input())
    try:
        return cast(BinaryIO, gzip.open(input)) if is_compressed(input) else input.open("rb")
    except OSError as error:
        instead = ", or leave it out for standard input" if option == "--input" else ""
        raise DataError(f"{input}: {error.strerror}; name a text file with {option}{instead}") from None


def _standard_input() -> BinaryIO:
    stream = sys.stdin.buffer
    if isinstance(stream, BufferedReader) and not sys.stdin.isatty() and stream.peek(2).startswith(GZIP_MAGIC):
        return cast(BinaryIO, gzip.open(stream))
    return stream


def is_compressed(path: Path) -> bool:
    """Whether a file begins as gzip does; a pipe is not asked, since what is read of it is gone."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(GZIP_MAGIC)) == GZIP_MAGIC


def read_lines(source: BinaryIO, max_bytes: int = MAX_LINE_BYTES) -> Iterator[bytes]:
    r"""Lines without `\n` or `\r\n` and without a byte order mark at the start; of a long one the beginning.

    Raises:
        DataError: the text is compressed, and damaged.
    """
    first = True
    while line := _read_line(source, max_bytes):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = _read_line(source, MAX_LINE_BYTES)
        yield (line.removeprefix(BYTE_ORDER_MARK) if first else line).removesuffix(b"\n").removesuffix(b"\r")
        first = False


def _read_line(source: BinaryIO, max_bytes: int) -> bytes:
    try:
        return source.readline(max_bytes)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        name = getattr(source, "name", "standard input")
        raise DataError(f"{name}: the compressed text is damaged or was cut off ({error}); compress it anew") from None


def count_lines(path: Path | None) -> int | None:
    """Lines of a file, for the progress; None where reading it twice is not possible."""
    if path is None or not path.is_file():
        return None
    with reading(path) as file:
        return sum(1 for _ in read_lines(file))


@contextmanager
def writing(output: Path | None) -> Iterator[BinaryIO]:
    """Standard output, or a file that appears when the block ends without an error."""
    if output is None:
        yield sys.stdout.buffer
        return
    if output.exists() and not output.is_file():  # a device or a pipe cannot be renamed over; a folder says so itself
        with output.open("wb") as file:
            yield file
        return
    place = output.resolve()  # where a link stands, the file behind it is replaced
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
