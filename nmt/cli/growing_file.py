"""An output file that grows while the work runs, so that a long job can go on where it was killed.

Beside NAME it is NAME.part until it is whole; what stood in NAME stays until then. It grows block by block, and a
resumed job goes on behind the last whole block, so that it batches its lines as the uninterrupted one does. A block of
a compressed file is a gzip member. Who is stopped says on stderr how to go on. Knows nothing of what the rows say but
the line that they belong to.
"""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import typer

from nmt.errors import DataError
from nmt.files import write_flushed

CHUNK_BYTES = 2**20

LineOf = Callable[[bytes, int], int]


class Progress(NamedTuple):
    """What is whole in a file: so many lines of the input, in so many bytes."""

    lines: int = 0
    offset: int = 0


@dataclass(frozen=True)
class GrowingFile:
    """Where the rows go.

    Attributes:
        file: open for writing.
        lines_done: lines of the input whose rows are there already.
        compressed: whether each block becomes a gzip member.
    """

    file: BinaryIO
    lines_done: int = 0
    compressed: bool = False

    def write_block(self, rows: bytes) -> None:
        """Writes a block of rows, each with its newline, and hands it to the system."""
        self.file.write(gzip.compress(rows, mtime=0) if self.compressed else rows)
        self.file.flush()


def each_row_a_line(row: bytes, number: int) -> int:
    """The line of the input that a row belongs to, where every line has one row; from 0."""
    return number


@contextmanager
def growing(
    output: Path,
    block_lines: int,
    resume: bool,
    line_of: LineOf = each_row_a_line,
    made_by: Mapping[str, Any] | None = None,
) -> Iterator[GrowingFile]:
    """A file that appears when the block ends without an error, and otherwise leaves its part.

    Args:
        output: the name; a suffix `.gz` compresses.
        block_lines: lines of the input that are written at once.
        resume: go on behind the last whole block of the part, if there is one.
        line_of: the line of the input, from 0, that a row belongs to, of the row and its number.
        made_by: what the rows depend on, as JSON values; it stands in NAME.part.json beside the part.

    Raises:
        DataError: there is a part and nobody asked to resume, the part was made by something else, or the folder is
            missing.
    """
    check_output(output, resume)
    compressed = output.suffix == ".gz"
    if output.exists() and not output.is_file():  # a device or a pipe: nothing to rename, and nothing to resume
        with output.open("wb") as file:
            yield GrowingFile(file, compressed=compressed)
        return
    place, part, description = _places(output)
    made_by, done = made_by or {}, Progress()
    with part.open("ab") as file:
        _lock(file, part)  # before anything is touched: it may be another process' work
        has_rows = part.stat().st_size > 0
        if has_rows:
            _check_maker(description, made_by)
            done = _whole_members(part, line_of) if compressed else _whole_blocks(part, block_lines, line_of)
        try:
            if not has_rows:  # so no kill leaves rows without it, and half of it is never read
                write_flushed(description, json.dumps(made_by, indent=2).encode())
            file.truncate(done.offset)
            file.seek(done.offset)
            yield GrowingFile(file, done.lines, compressed)
            if compressed and not file.tell():
                file.write(gzip.compress(b"", mtime=0))  # nothing at all would be no gzip file
            file.flush()
            os.fsync(file.fileno())
            if place.exists():
                shutil.copymode(place, part)
            part.replace(place)
            description.unlink(missing_ok=True)
        except BaseException:
            _leave(part, description)
            raise


def check_output(output: Path, resume: bool) -> None:
    """Refuses a name that `growing` could not write to.

    Raises:
        DataError: its folder is missing, or there is a part and nobody asked to resume.
    """
    if output.exists() and not output.is_file():
        return
    place, part, _ = _places(output)
    if not place.parent.is_dir():
        raise DataError(f"{output}: expected its folder to exist; create {place.parent.name} first")
    if part.exists() and not resume:
        raise DataError(
            f"{part}: a translation was stopped here; go on with --resume, or remove the file to start anew"
        )


def is_whole(output: Path) -> bool:
    """Whether a file is there, and no part of it."""
    _, part, _ = _places(output)
    return output.is_file() and not part.exists()


def _places(output: Path) -> tuple[Path, Path, Path]:
    """The file, its part, and what describes the part; where a link stands, the file behind it is replaced."""
    place = output.resolve()
    return place, place.with_name(f"{place.name}.part"), place.with_name(f"{place.name}.part.json")


def _lock(file: BinaryIO, part: Path) -> None:
    """Keeps other processes off the part; the kernel lets go of it when this one ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError(f"{part}: another process is writing it; wait for it, or choose another --output") from None


def _check_maker(description: Path, made_by: Mapping[str, Any]) -> None:
    """Refuses to go on with what was made in another way: the rows would not belong together."""
    if made_by and not description.exists():
        raise DataError(
            f"{description}: expected it to say how the part was made, found none; remove the part to start anew"
        )
    before: dict[str, Any] = json.loads(description.read_text(encoding="utf-8")) if made_by else {}
    for key, value in made_by.items():
        if before.get(key) != value:
            raise DataError(
                f"{description}: --resume: expected {key} {before.get(key)!r}, as the part was made, received "
                f"{value!r}; give the same options and model, or remove the part to start anew"
            )


def _leave(part: Path, description: Path) -> None:
    """Says where what is done can be found, or removes a part that has nothing."""
    if not part.exists() or not part.stat().st_size:
        description.unlink(missing_ok=True)
    if not part.exists():
        return
    if part.stat().st_size:
        typer.echo(f"nmt: {part} has what is done so far; the same command with --resume goes on behind it", err=True)
    else:
        part.unlink()


def _whole_blocks(part: Path, block_lines: int, line_of: LineOf) -> Progress:
    """The last place where a block begins. What stands before it is whole, since rows are written in their order."""
    done, offset, number = Progress(), 0, 0
    line = -1
    with part.open("rb") as file:
        for number, row in enumerate(file):
            if not row.endswith(b"\n"):
                break
            new = line_of(row, number)
            if new != line and new % block_lines == 0:
                done = Progress(new, offset)
            line, offset = new, offset + len(row)
    one_row_each = line_of is each_row_a_line and (line + 1) % block_lines == 0
    return Progress(line + 1, offset) if one_row_each else done


def _whole_members(part: Path, line_of: LineOf) -> Progress:
    """The end of the last whole member, and of the lines up to there."""
    done, rows = Progress(), 0
    for member, end in _members(part):
        rows += member.count(b"\n")
        done = Progress(line_of(member[:-1].rpartition(b"\n")[2], rows - 1) + 1, end)
    return done


def _members(part: Path) -> Iterator[tuple[bytes, int]]:
    """What each whole member holds, and where it ends."""
    with part.open("rb") as file:
        decompressor, member = _decompressor(), b""
        while chunk := file.read(CHUNK_BYTES):
            while chunk:
                try:
                    member += decompressor.decompress(chunk)
                except zlib.error:
                    return
                chunk = decompressor.unused_data
                if decompressor.eof:
                    yield member, file.tell() - len(chunk)
                    decompressor, member = _decompressor(), b""


def _decompressor() -> Any:
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
