"""Lines in, plain or compressed, and files out that appear when they are whole."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

from nmt.cli.lines import count_lines, read_lines, reading, writing
from nmt.errors import DataError

TEXT = b"one\ntwo\r\n\nfour"


def read(path: Path) -> list[bytes]:
    with reading(path) as file:
        return list(read_lines(file))


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", ["text", "text.gz"])
def test_what_a_file_holds_decides_how_it_is_read(tmp_path: Path, compress: type, name: str) -> None:
    (tmp_path / name).write_bytes(compress(TEXT))
    assert read(tmp_path / name) == [b"one", b"two", b"", b"four"]
    assert count_lines(tmp_path / name) == 4


def test_members_of_a_compressed_file_are_one_text(tmp_path: Path) -> None:
    (tmp_path / "text.gz").write_bytes(gzip.compress(b"one\nt") + gzip.compress(b"wo\n"))
    assert read(tmp_path / "text.gz") == [b"one", b"two"]


def test_a_byte_order_mark_goes_at_the_start_alone() -> None:
    mark = b"\xef\xbb\xbf"
    assert list(read_lines(io.BytesIO(mark + b"a\n" + mark + b"b"))) == [b"a", mark + b"b"]


def test_of_an_endless_line_the_beginning_is_kept() -> None:
    assert list(read_lines(io.BytesIO(b"0123456789\nab\n01234"), max_bytes=4)) == [b"0123", b"ab", b"0123"]


def damaged(data: bytes) -> dict[str, bytes]:
    """A compressed file that was cut in its text or in its end, one with other bytes, and one with another checksum."""
    middle = len(data) // 2
    return {
        "text": data[:middle],
        "end": data[:-3],
        "bytes": data[:middle] + bytes(b ^ 0xFF for b in data[middle : middle + 8]) + data[middle + 8 :],
        "checksum": data[:-8] + bytes(4) + data[-4:],
        "header": data[:5],
        "rubbish": data + b"rubbish",
    }


@pytest.mark.parametrize("kind", sorted(damaged(b"")))
def test_damaged_compressed_text_is_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "text.gz"
    text = b"".join(b"%d %d\n" % (i, i * i % 97) for i in range(500))
    path.write_bytes(damaged(gzip.compress(text, mtime=0))[kind])
    with pytest.raises(DataError, match=r"the compressed text is damaged or was cut off \(.*\); compress it") as error:
        count_lines(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("option", "advice"),
    [
        ("--input", "name a text file with --input, or leave it out for standard input"),
        ("--source", "name a text file with --source"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, option: str, advice: str) -> None:
    with pytest.raises(DataError) as error:
        reading(tmp_path / "none", option)
    assert str(error.value) == f"{tmp_path / 'none'}: No such file or directory; {advice}"
    with pytest.raises(DataError, match="Is a directory; name a text file"):
        reading(tmp_path, option)


def test_what_cannot_be_read_twice_is_not_counted() -> None:
    assert count_lines(None) is None
    assert count_lines(Path("/dev/null")) is None


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.write_bytes(b"old")
    output.chmod(0o640)
    with writing(output) as file:
        file.write(b"new")
        assert output.read_bytes() == b"old"
    assert (output.read_bytes(), output.stat().st_mode & 0o777) == (b"new", 0o640)
    with pytest.raises(KeyboardInterrupt), writing(output) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert output.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="create none first"), writing(tmp_path / "none" / "out"):
        pytest.fail("it was opened")
