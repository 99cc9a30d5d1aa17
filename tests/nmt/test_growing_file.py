"""A file that grows block by block: wherever it was cut off, going on gives the same bytes."""

from __future__ import annotations

import gzip
import json
import os
import random
import threading
from pathlib import Path

import pytest

from nmt.cli.growing_file import GrowingFile, each_row_a_line, growing
from nmt.cli.lines import writing
from nmt.cli.translation_rows import line_of_tsv
from nmt.errors import DataError

BLOCK = 2
LINES = 5  # the last block is not full


def text_rows(line: int) -> bytes:
    """One row, of some lines an empty one."""
    return b"x" * (line % 3) + b"\n"


def json_rows(line: int) -> bytes:
    return b'{"line": %d}\n' % (line + 1)


def tsv_rows(line: int) -> bytes:
    """One to three rows; what is translated looks like a number."""
    return b"".join(b"%d\t%d\t7\n" % (line + 1, rank) for rank in range(1, 2 + line % 3))


KINDS = {
    "text": (text_rows, each_row_a_line),
    "jsonl": (json_rows, each_row_a_line),
    "tsv": (tsv_rows, line_of_tsv),
}


def fill(file: GrowingFile, kind: str) -> None:
    """Writes the blocks that are missing."""
    rows = KINDS[kind][0]
    for start in range(file.lines_done, LINES, BLOCK):
        file.write_block(b"".join(rows(line) for line in range(start, min(start + BLOCK, LINES))))


@pytest.mark.parametrize("name", ["out", "out.gz"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_cut_off_anywhere_it_goes_on_to_the_same_bytes(tmp_path: Path, kind: str, name: str) -> None:
    output = tmp_path / name
    part = tmp_path / f"{name}.part"
    with growing(output, BLOCK, resume=False, line_of=KINDS[kind][1]) as file:
        fill(file, kind)
    whole, done = output.read_bytes(), []
    for size in range(len(whole) + 1):
        output.unlink()
        part.write_bytes(whole[:size])
        with growing(output, BLOCK, resume=True, line_of=KINDS[kind][1]) as file:
            done.append(file.lines_done)
            fill(file, kind)
        assert output.read_bytes() == whole, size
        assert [path.name for path in tmp_path.iterdir()] == [name]
    assert done == sorted(done)
    assert {0, 2, 4} <= set(done)  # blocks are passed over, not written anew
    assert all(lines % BLOCK == 0 or lines == LINES for lines in done)


def test_a_compressed_file_holds_the_rows(tmp_path: Path) -> None:
    with growing(tmp_path / "out.gz", BLOCK, resume=False) as file:
        fill(file, "text")
    expected = b"".join(map(text_rows, range(LINES)))
    assert gzip.decompress((tmp_path / "out.gz").read_bytes()) == expected


def test_blocks_of_another_size_are_counted_by_their_rows(tmp_path: Path) -> None:
    """Somebody typed the first lines, one a block."""
    (tmp_path / "out.gz.part").write_bytes(b"".join(gzip.compress(text_rows(line)) for line in range(3)))
    with growing(tmp_path / "out.gz", BLOCK, resume=True) as file:
        assert file.lines_done == 3


@pytest.mark.parametrize("name", ["out", "out.gz"])
def test_what_is_no_part_of_it_is_written_anew(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.part").write_bytes(random.Random(1).randbytes(5_000).replace(b"\n", b""))
    with growing(tmp_path / name, BLOCK, resume=True) as file:
        assert file.lines_done == 0
        file.write_block(b"x\n")
    data = (tmp_path / name).read_bytes()
    assert (gzip.decompress(data) if name == "out.gz" else data) == b"x\n"


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.write_bytes(b"old")
    with growing(output, BLOCK, resume=False) as file:
        file.write_block(b"x\n")
        assert (output.read_bytes(), (tmp_path / "out.part").read_bytes()) == (b"old", b"x\n")
    assert output.read_bytes() == b"x\n"


@pytest.mark.parametrize("error", [DataError("stop"), KeyboardInterrupt()])
def test_who_is_stopped_is_told_how_to_go_on(
    tmp_path: Path, error: BaseException, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(type(error)), growing(tmp_path / "out", BLOCK, resume=False) as file:
        file.write_block(b"x\n")
        raise error
    assert capfd.readouterr().err == (
        f"nmt: {tmp_path / 'out.part'} has what is done so far; the same command with --resume goes on behind it\n"
    )
    assert (tmp_path / "out.part").read_bytes() == b"x\n"


def test_an_empty_part_is_removed_without_a_word(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), growing(tmp_path / "out", BLOCK, resume=False):
        raise KeyboardInterrupt
    assert (capfd.readouterr().err, list(tmp_path.iterdir())) == ("", [])


@pytest.mark.parametrize("description", [None, b"", b'{"form'])
def test_a_kill_before_the_first_block_stops_nobody(tmp_path: Path, description: bytes | None) -> None:
    """Wherever it came: the description is whole before there are rows."""
    (tmp_path / "out.part").touch()
    if description is not None:
        (tmp_path / "out.part.json").write_bytes(description)
    with growing(tmp_path / "out", BLOCK, resume=True, made_by={"format": "text"}) as file:
        assert json.loads((tmp_path / "out.part.json").read_bytes()) == {"format": "text"}
        fill(file, "text")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_part_is_refused_unless_somebody_resumes(tmp_path: Path) -> None:
    part = tmp_path / "out.part"
    part.write_bytes(b"x\n")
    with pytest.raises(DataError, match="go on with --resume, or remove the file"), growing(tmp_path / "out", 3, False):
        pytest.fail("it was opened")
    assert part.read_bytes() == b"x\n"


def test_a_part_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    name = "x" * 252  # with `.part` too long for a file
    with pytest.raises(OSError, match="too long"), growing(tmp_path / name, BLOCK, resume=False):
        pytest.fail("it was opened")


def test_behind_a_link_the_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "out").write_bytes(b"old")
    (tmp_path / "link").symlink_to("there/out")
    with growing(tmp_path / "link", BLOCK, resume=False) as file:
        file.write_block(b"x\n")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "out").read_bytes() == b"x\n"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["link", "out", "there"]


def test_permissions_stay(tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.touch()
    output.chmod(0o640)
    with growing(output, BLOCK, resume=False) as file:
        file.write_block(b"x\n")
    assert output.stat().st_mode & 0o777 == 0o640


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="create none first"), growing(tmp_path / "none" / "out", 3, False):
        pytest.fail("it was opened")


def write_growing(path: Path) -> None:
    with growing(path, BLOCK, resume=False) as file:
        file.write_block(b"x\n")


def write_whole(path: Path) -> None:
    with writing(path) as file:
        file.write(b"x\n")


@pytest.mark.parametrize("write", [write_growing, write_whole])
@pytest.mark.parametrize("by_descriptor", [False, True])
def test_a_pipe_gets_the_rows(tmp_path: Path, write: object, by_descriptor: bool) -> None:
    """By its name, or as the shell's `>(command)` and /dev/stdout name it."""
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(fifo.read_bytes()))
    reader.start()
    descriptor = os.open(fifo, os.O_WRONLY)
    assert callable(write)
    write(Path(f"/dev/fd/{descriptor}") if by_descriptor else fifo)
    os.close(descriptor)
    reader.join()
    assert received == [b"x\n"]
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.parametrize("write", [write_growing, write_whole])
def test_an_unnamed_pipe_gets_the_rows(write: object) -> None:
    ours, theirs = os.pipe()
    assert callable(write)
    write(Path(f"/dev/fd/{theirs}"))
    os.close(theirs)
    assert os.read(ours, 100) == b"x\n"
    os.close(ours)


def test_a_device_swallows_them() -> None:
    write_growing(Path("/dev/null"))
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("written", [b"", b"one\n"])
def test_a_second_writer_leaves_the_first_ones_work(tmp_path: Path, written: bytes) -> None:
    with growing(tmp_path / "out", 1, resume=False) as first:
        first.write_block(written)
        with (
            pytest.raises(DataError, match=r"out\.part: another process is writing it; wait for it"),
            growing(tmp_path / "out", 1, resume=True),
        ):
            pass
        first.write_block(b"two\n")
    assert (tmp_path / "out").read_bytes() == written + b"two\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
