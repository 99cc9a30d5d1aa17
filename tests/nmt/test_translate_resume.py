"""`nmt translate --resume`: a file that was stopped anywhere goes on to the same bytes. No model: a fake translates."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from shouter import Shouter, nmt

HOW_TO_GO_ON = "has what is done so far; the same command with --resume goes on behind it"


def describe(output: Path) -> None:
    """Says beside a part how it was made: as text, by the fake."""
    made_by = {"format": "text", "model": "shouter"}
    output.with_name(f"{output.name}.part.json").write_text(json.dumps(made_by), encoding="utf-8")


@pytest.mark.parametrize(
    ("made_by", "message"),
    [
        ({"format": "tsv", "model": "shouter"}, "expected format 'tsv', as the part was made, received 'text'; give"),
        ({"format": "text", "model": "other"}, "expected model 'other', as the part was made, received 'shouter'"),
        (None, "out.part.json: expected it to say how the part was made, found none; remove the part to start anew"),
    ],
)
def test_a_part_that_was_made_in_another_way_stays_as_it_is(
    by_twos: Shouter, tmp_path: Path, made_by: dict[str, str] | None, message: str
) -> None:
    (tmp_path / "out.part").write_text("A\nB\n")
    if made_by is not None:
        (tmp_path / "out.part.json").write_text(json.dumps(made_by))
    result = nmt("translate", "x", "--output", tmp_path / "out", "--resume", text=b"a\nb\nc\n")
    assert result.exit_code == 1 and message in result.stderr
    assert (tmp_path / "out.part").read_text() == "A\nB\n"


def test_what_is_whole_is_not_made_again(by_twos: Shouter, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("A\n")
    result = nmt("translate", "x", "--output", tmp_path / "out", "--resume", text=b"a\nb\n")
    assert (result.exit_code, by_twos.seen) == (0, []) and "is whole, there is nothing to go on with" in result.stderr
    assert (tmp_path / "out").read_text() == "A\n"


@pytest.mark.parametrize(("word", "error"), [("boom", "it went boom"), ("stop", "interrupted")])
@pytest.mark.parametrize("name", ["out", "out.gz"])
@pytest.mark.parametrize("format", ["text", "jsonl", "tsv"])
def test_a_stopped_run_goes_on_to_the_same_bytes(
    by_twos: Shouter, tmp_path: Path, word: str, error: str, name: str, format: str
) -> None:
    text, output, whole = tmp_path / "in", tmp_path / name, tmp_path / f"whole-{name}"
    options: list[str | Path] = ["--input", text, "--format", format]
    text.write_text(f"a\nb\nc\n{word}\ne\n")
    result = nmt("translate", "x", *options, "--output", output)
    part = tmp_path / f"{name}.part"
    assert (result.exit_code, result.stderr) == (1, f"nmt: {part} {HOW_TO_GO_ON}\nnmt: error: {error}\n")
    assert part.exists() and not output.exists()

    text.write_text("a\nb\nc\nd\ne\n")
    by_twos.numbers.clear()
    assert nmt("translate", "x", *options, "--output", output, "--resume").output == ""
    several_rows_a_line = (format, name) == ("tsv", "out")  # whether the last line had more rows nobody knows
    assert by_twos.numbers == [0, 2, 4] if several_rows_a_line else [2, 4]
    assert nmt("translate", "x", *options, "--output", whole).exit_code == 0
    assert output.read_bytes() == whole.read_bytes()
    assert not part.exists()


def test_nothing_finished_leaves_nothing(by_twos: Shouter, tmp_path: Path) -> None:
    result = nmt("translate", "x", "--output", tmp_path / "out", text=b"a\nboom\n")
    assert result.stderr == "nmt: error: it went boom\n"
    assert list(tmp_path.iterdir()) == []


def test_a_part_is_not_overwritten(by_twos: Shouter, tmp_path: Path) -> None:
    (tmp_path / "out.part").write_text("A\n")
    result = nmt("translate", "x", "--output", tmp_path / "out", text=b"a\n")
    assert (result.exit_code, by_twos.seen) == (1, [])
    assert result.stderr == (
        f"nmt: error: {tmp_path / 'out.part'}: a translation was stopped here; go on with --resume, or remove the file "
        f"to start anew\n"
    )
    assert (tmp_path / "out.part").read_text() == "A\n"


def test_resume_without_a_part_begins_at_the_beginning(by_twos: Shouter, tmp_path: Path) -> None:
    assert nmt("translate", "x", "--output", tmp_path / "out", "--resume", text=b"a\n").exit_code == 0
    assert (tmp_path / "out").read_text() == "A\n"


@pytest.mark.parametrize("compressed", [False, True])
def test_more_finished_lines_than_the_input_has(by_twos: Shouter, tmp_path: Path, compressed: bool) -> None:
    name = "out.gz" if compressed else "out"
    done = gzip.compress(b"A\nB\nC\nD\n") if compressed else b"A\nB\nC\nD\n"
    (tmp_path / f"{name}.part").write_bytes(done)
    describe(tmp_path / name)
    result = nmt("translate", "x", "--output", tmp_path / name, "--resume", text=b"a\nb\nc\n")
    assert result.exit_code == 1
    assert result.stderr == (
        f"nmt: {tmp_path / name}.part {HOW_TO_GO_ON}\n"
        "nmt: error: --resume: expected an input that begins with the 4 lines that are translated already, received 3 "
        "lines; give the same input, or remove the part to start anew\n"
    )
    assert (tmp_path / f"{name}.part").read_bytes() == done


def test_a_run_that_was_killed_at_its_very_end_is_completed(by_twos: Shouter, tmp_path: Path) -> None:
    describe(tmp_path / "out.gz")
    (tmp_path / "out.gz.part").write_bytes(gzip.compress(b"A\nB\n") + gzip.compress(b"C\n"))
    result = nmt("translate", "x", "--output", tmp_path / "out.gz", "--resume", text=b"a\nb\nc\n")
    assert (result.exit_code, by_twos.seen) == (0, [])
    assert gzip.decompress((tmp_path / "out.gz").read_bytes()) == b"A\nB\nC\n"


def test_a_resumed_run_goes_on_in_the_prefixes_too(by_twos: Shouter, tmp_path: Path) -> None:
    (tmp_path / "prefixes").write_text("x\ny\nz\n")
    (tmp_path / "out.part").write_text("xA\nyB\n")
    describe(tmp_path / "out")
    options: list[str | Path] = ["--prefixes", tmp_path / "prefixes", "--output", tmp_path / "out", "--resume"]
    assert nmt("translate", "x", *options, text=b"a\nb\nc\n").exit_code == 0
    assert (tmp_path / "out").read_text() == "xA\nyB\nzC\n"
