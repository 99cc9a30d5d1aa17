"""`nmt score`: pairs in, figures out. No model: a fake scores."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from nmt.cli import app, score_command
from nmt.translation.scoring import Score


def nmt(*arguments: str | Path) -> Result:
    """Runs the command line in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


class Counter:
    """Each letter of a translation is a piece, each of log-probability -0.5, and so is the end; cuts after 5 letters.

    With `as_pieces`, what has spaces around it is a piece.
    """

    seen: list[tuple[bytes, bytes]]

    def __init__(self, translator: Any) -> None:
        assert translator == "translator"
        Counter.seen = []

    def score(
        self, pairs: Iterable[tuple[bytes, bytes]], progress: Callable[[int], None], as_pieces: bool
    ) -> Iterator[Score]:
        for source, target in pairs:
            Counter.seen.append((source, target))
            pieces = tuple(target.decode().split() if as_pieces else target.decode()[:5])
            progress(1)
            log_probs = (-0.5,) * (len(pieces) + 1)
            yield Score(sum(log_probs), pieces, log_probs, not as_pieces and len(target) > 5)


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was loaded; nothing is."""
    loads: list[Any] = []

    def load_run(*arguments: Any) -> str:
        loads.append(arguments)
        return "translator"

    monkeypatch.setattr(score_command, "load_run", load_run)
    monkeypatch.setattr("nmt.translation.scoring.PairScorer", Counter)
    return loads


@pytest.fixture
def files(tmp_path: Path) -> list[str | Path]:
    """The options that name two files of two lines."""
    source, target = tmp_path / "a.en", tmp_path / "a.de"
    source.write_text("one\ntwo three\n")
    target.write_text("ab\n\n")
    return ["--source", source, "--target", target]


def test_one_log_probability_a_line(files: list[str | Path], tmp_path: Path) -> None:
    result = nmt("score", tmp_path, *files)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "-1.500000\n-0.500000\n", "")
    assert Counter.seen == [(b"one", b"ab"), (b"two three", b"")]


def test_with_those_of_each_piece(files: list[str | Path], tmp_path: Path) -> None:
    records = [json.loads(line) for line in nmt("score", tmp_path, *files, "--format", "jsonl").stdout.splitlines()]
    assert records == [
        {"line": 1, "log_prob": -1.5, "pieces": ["a", "b"], "log_probs": [-0.5, -0.5, -0.5], "cut": False},
        {"line": 2, "log_prob": -0.5, "pieces": [], "log_probs": [-0.5], "cut": False},
    ]
    rows = nmt("score", tmp_path, *files, "--format", "tsv").stdout
    assert rows == "1\t-1.500000\ta b\t-0.5 -0.5 -0.5\n2\t-0.500000\t\t-0.5\n"


def test_no_piece_breaks_a_row(files: list[str | Path], tmp_path: Path) -> None:
    (tmp_path / "a.de").write_text("a\tb\u2028c\nd\n")
    rows = nmt("score", tmp_path, *files, "--format", "tsv").stdout
    assert [len(row.split("\t")) for row in rows.splitlines()] == [4, 4]


def test_pieces_instead_of_text(files: list[str | Path], tmp_path: Path) -> None:
    (tmp_path / "a.de").write_text("▁a bcd\n▁e\n")
    assert nmt("score", tmp_path, *files, "--pieces").stdout == "-1.500000\n-1.000000\n"


def test_what_was_cut_is_told(files: list[str | Path], tmp_path: Path) -> None:
    (tmp_path / "a.de").write_text("a\nabcdefg\n")
    result = nmt("score", tmp_path, *files, "--format", "jsonl")
    assert [json.loads(line)["cut"] for line in result.stdout.splitlines()] == [False, True]
    assert result.stderr == (
        "nmt: warning: line 2: only its beginning was scored (decoding.max_source_tokens, max_source_bytes, "
        "max_length)\n"
    )


def test_into_a_file_from_compressed_ones(files: list[str | Path], tmp_path: Path) -> None:
    for name in ("a.en", "a.de"):
        (tmp_path / name).write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    result = nmt("score", tmp_path, *files, "--output", tmp_path / "out")
    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / "out").read_text() == "-1.500000\n-0.500000\n"


def test_the_models_that_are_asked(files: list[str | Path], tmp_path: Path, loaded: list[Any]) -> None:
    options = ["--checkpoint", "last", "--ensemble", "b", "--language-model", "c", "--language-model-weight", "0.5"]
    assert (
        nmt("score", tmp_path, *files, *options, "--batch-size", "7", "--set", "decoding.max_length=9").exit_code == 0
    )
    changes = {"batch_size": 7, "ensemble": ["b"], "language_model": "c", "language_model_weight": 0.5, "shortlist": 0}
    assert loaded == [(tmp_path, "last", changes, ["decoding.max_length=9"])]


def test_files_of_different_lengths_are_refused_with_their_counts(
    files: list[str | Path], tmp_path: Path, loaded: list[Any]
) -> None:
    (tmp_path / "a.de").write_text("a\n" * 1_500)
    result = nmt("score", tmp_path, *files, "--output", tmp_path / "out")
    assert (result.exit_code, loaded) == (1, [])
    assert result.stderr == (
        f"nmt: error: expected as many translations as sources, received 2 lines in {tmp_path / 'a.en'} and 1,500 in "
        f"{tmp_path / 'a.de'}; give files that belong together\n"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--source", "--target"])
def test_a_file_that_is_not_there(files: list[str | Path], tmp_path: Path, option: str) -> None:
    files[files.index(option) + 1] = tmp_path / "none"
    result = nmt("score", tmp_path, *files)
    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        result.stderr == f"nmt: error: {tmp_path / 'none'}: No such file or directory; name a text file with {option}\n"
    )


def test_a_file_that_ends_first_where_nobody_could_count(files: list[str | Path], tmp_path: Path) -> None:
    files[-1] = "/dev/null"
    result = nmt("score", tmp_path, *files)
    assert result.exit_code == 1
    assert result.stderr == (
        f"nmt: error: expected as many translations as sources; {tmp_path / 'a.en'} or /dev/null ended before the "
        f"other; give files that belong together\n"
    )
