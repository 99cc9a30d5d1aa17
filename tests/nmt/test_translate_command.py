"""`nmt translate`: lines in and lines out, whatever they hold. No model: a fake translates."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from shouter import Shouter, nmt

from nmt.cli import translate_command
from nmt.cli.growing_file import GrowingFile
from nmt.cli.lines import MAX_LINE_BYTES
from nmt.cli.translate_command import ROOM_BESIDE_TEXT
from nmt.cli.translation_rows import Format, rows_of

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", ""),
        (b"one\ntwo\n", "ONE\nTWO\n"),
        (b"one\ntwo", "ONE\nTWO\n"),
        (b"one\r\n\r\ntwo\r\r\n", "ONE\n\nTWO\n"),
        (b"\n\n", "\n\n"),
        (b"   \n", "   \n"),
        (b"\xef\xbb\xbfone\n", "ONE\n"),
        (b"\xff\xfe\n", "\ufffd\ufffd\n"),
        ("a\u2028b\x85c\x0bd\n".encode(), "A B C D\n"),
        (b"a|b\n", "A B\n"),
        (b"a\x00b\n", "A\x00B\n"),
        ("😀 한국\n".encode(), "😀 한\ufffd\n"),
    ],
)
def test_one_line_out_for_one_line_in(shouter: Shouter, text: bytes, expected: str) -> None:
    result = nmt("translate", "x", text=text)
    assert result.exit_code == 0
    assert result.stdout_bytes.decode() == expected


def test_long_line_is_one_line_with_a_warning(shouter: Shouter) -> None:
    result = nmt("translate", "x", text=b"short\n" + b"a" * 100_000 + b"\nshort\n")
    assert result.stdout_bytes == b"SHORT\nAAAAAAAAAA\nSHORT\n"
    assert result.stderr.startswith("nmt: warning: line 2: ")
    assert len(result.stderr.splitlines()) == 1


def test_endless_line_does_not_fill_the_memory(shouter: Shouter) -> None:
    result = nmt("translate", "x", text=b"a" * (3 * MAX_LINE_BYTES + 5) + b"\nnext")
    assert result.stdout_bytes == b"AAAAAAAAAA\nNEXT\n"
    assert len(shouter.seen[0]) == MAX_LINE_BYTES + ROOM_BESIDE_TEXT


def test_line_of_exactly_the_limit_ends_where_it_ends(shouter: Shouter) -> None:
    assert nmt("translate", "x", text=b"a" * MAX_LINE_BYTES + b"\nb\n").stdout_bytes == b"AAAAAAAAAA\nB\n"


def test_files_instead_of_pipes(shouter: Shouter, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"one\ntwo\n")
    result = nmt("translate", "x", "--input", tmp_path / "in", "--output", tmp_path / "out")
    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / "out").read_bytes() == b"ONE\nTWO\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_output_may_be_the_input(shouter: Shouter, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"one\ntwo\n")
    (tmp_path / "link").symlink_to("text")
    assert nmt("translate", "x", "--input", tmp_path / "text", "--output", tmp_path / "link").exit_code == 0
    assert (tmp_path / "text").read_bytes() == b"ONE\nTWO\n"
    assert (tmp_path / "link").is_symlink()


def test_output_stays_as_it_was_on_an_error(shouter: Shouter, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("old")
    result = nmt("translate", "x", "--output", tmp_path / "out", text=b"one\nboom\n")
    assert (result.exit_code, result.stderr) == (1, "nmt: error: it went boom\n")
    assert (tmp_path / "out").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(("name", "message"), [("", "Is a directory"), ("missing/out", "create missing first")])
def test_output_that_cannot_be_written(shouter: Shouter, tmp_path: Path, name: str, message: str) -> None:
    result = nmt("translate", "x", "--output", tmp_path / name, text=b"one\n")
    assert result.exit_code == 1
    assert message in result.stderr


def test_output_may_be_a_device(shouter: Shouter) -> None:
    assert nmt("translate", "x", "--output", "/dev/null", text=b"one\n").exit_code == 0


def test_missing_input(shouter: Shouter, tmp_path: Path) -> None:
    result = nmt("translate", "x", "--input", tmp_path / "none")
    assert result.exit_code == 1
    assert result.stderr == (
        f"nmt: error: {tmp_path / 'none'}: No such file or directory; name a text file with --input, or leave it out "
        f"for standard input\n"
    )


def test_somebody_who_types_is_answered_at_once() -> None:
    answers: list[bytes] = []

    class Terminal:
        """Hands out a line only when the one before it was answered."""

        def __init__(self) -> None:
            self.lines = [b"one\n", b"two\n", b""]

        def readline(self, limit: int) -> bytes:
            assert len(answers) == 3 - len(self.lines)
            return self.lines.pop(0)

        def write(self, data: bytes) -> None:
            answers.append(data)

        def flush(self) -> None:
            pass

    terminal: Any = Terminal()
    shouter: Any = Shouter()
    sink, rows = GrowingFile(terminal), rows_of(Format.text)
    translate_command.translate_lines(shouter, terminal, sink, rows, 1, lambda _: None, lambda _: None)
    assert answers == [b"ONE\n", b"TWO\n"]


ECHO = """
from nmt.cli import main, translate_command
from nmt.translation.lines import Hypothesis, Translation

class Echo:
    max_source_bytes = 100

    def translate(self, lines, *_):
        return (Translation((Hypothesis(line.decode(), 0.0, 0.0),)) for line in lines)

translate_command.load = lambda *_, **__: Echo()
main()
"""


def test_a_closed_pipe_ends_it_quietly(tmp_path: Path) -> None:
    (tmp_path / "echo.py").write_text(ECHO)
    command = f"seq 50000 | {sys.executable} echo.py translate x | head -n 1; echo ${{PIPESTATUS[1]}}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=300
    )
    assert (result.stdout, result.stderr) == ("1\n0\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume"], "--resume goes on with a file; expected --output, received none"),
        (["-i", "--input", "a"], "expected -i alone"),
        (["-i", "--format", "tsv"], "expected -i alone"),
    ],
)
def test_options_that_do_not_go_together(shouter: Shouter, arguments: list[str], message: str) -> None:
    result = nmt("translate", "x", *arguments, text=b"")
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())


def test_each_translation_begins_with_its_prefix(by_twos: Shouter, tmp_path: Path) -> None:
    (tmp_path / "prefixes").write_text("x\n\nz\n")
    assert nmt("translate", "x", "--prefixes", tmp_path / "prefixes", text=b"a\nb\nc\n").stdout == "xA\nB\nzC\n"


@pytest.mark.parametrize(
    ("prefixes", "message"),
    [
        ("x\n", "expected a prefix for each of the 2 lines of {input}, received 1; an empty line is no prefix"),
        ("x\ny\nz\n", "expected a prefix for each of the 2 lines of {input}, received 3; an empty line is no prefix"),
        ("x\n123456\n", "line 2: expected a shorter prefix"),
    ],
)
def test_prefixes_that_do_not_fit_are_refused_before_the_first_line(
    shouter: Shouter, tmp_path: Path, prefixes: str, message: str
) -> None:
    (tmp_path / "in").write_text("a\nb\n")
    (tmp_path / "prefixes").write_text(prefixes)
    result = nmt("translate", "x", "--input", tmp_path / "in", "--prefixes", tmp_path / "prefixes")
    assert (result.exit_code, shouter.seen, result.stdout) == (1, [], "")
    assert result.stderr.endswith(message.format(input=tmp_path / "in") + "\n")
    assert result.stderr.count("\n") == 1


def test_too_few_prefixes_for_standard_input(by_twos: Shouter, tmp_path: Path) -> None:
    (tmp_path / "prefixes").write_text("x\ny\nz\n")
    result = nmt("translate", "x", "--prefixes", tmp_path / "prefixes", text=b"a\nb\nc\nd\n")
    assert (result.exit_code, result.stdout) == (1, "xA\nyB\n")
    assert "expected a prefix for each line, received 3 for more lines" in result.stderr


def test_missing_prefixes(shouter: Shouter, tmp_path: Path) -> None:
    result = nmt("translate", "x", "--prefixes", tmp_path / "none", text=b"a\n")
    assert result.stderr == (
        f"nmt: error: {tmp_path / 'none'}: No such file or directory; name a text file with --prefixes\n"
    )


def test_rows_are_numbered_through_all_blocks(by_twos: Shouter) -> None:
    rows = nmt("translate", "x", "--format", "tsv", text=b"a\n\nc\n").stdout
    assert [row.split("\t")[:2] for row in rows.splitlines()] == [["1", "1"], ["2", "1"], ["3", "1"]]
    records = map(json.loads, nmt("translate", "x", "--format", "jsonl", text=b"a\n\nc\n").stdout.splitlines())
    assert [(record["line"], record["translation"]) for record in records] == [(1, "A"), (2, ""), (3, "C")]


def test_compressed_text_in_and_out(shouter: Shouter, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(gzip.compress(b"one\ntwo\n"))  # known by its first bytes
    assert nmt("translate", "x", "--input", tmp_path / "in", "--output", tmp_path / "out.gz").exit_code == 0
    assert gzip.decompress((tmp_path / "out.gz").read_bytes()) == b"ONE\nTWO\n"


def test_compressed_text_that_was_cut_off_is_one_line(shouter: Shouter, tmp_path: Path) -> None:
    (tmp_path / "in.gz").write_bytes(gzip.compress(b"one\ntwo\n" * 50)[:-9])
    result = nmt("translate", "x", "--input", tmp_path / "in.gz")
    assert (result.exit_code, shouter.seen, result.stdout) == (1, [], "")
    assert result.stderr.startswith(
        f"nmt: error: {tmp_path / 'in.gz'}: the compressed text is damaged or was cut off ("
    )
    assert result.stderr.endswith("; compress it anew\n") and result.stderr.count("\n") == 1
