"""`nmt lm`: what reaches the library, and what is written where. No model: fakes write, score and train."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from nmt.cli import app
from nmt.language_model_scoring import LineScore
from nmt.text_generation import Sampling

CONFIG = "name: verse\ntext: {synthetic: {}}\n"


def nmt(*arguments: str | Path, text: bytes | None = None) -> Result:
    """Runs the command line in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=text)


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, str]]:
    """What was loaded: run folders and checkpoints."""
    loads: list[tuple[Path, str]] = []

    def load_language_model(folder: Path, checkpoint: str) -> tuple[Any, Any, Any]:
        loads.append((folder, checkpoint))
        return None, None, None

    monkeypatch.setattr("nmt.language_model_run.load_language_model", load_language_model)
    return loads


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A language model's configuration."""
    path = tmp_path / "verse.yaml"
    path.write_text(CONFIG)
    return path


@dataclass
class Writer:
    """Writes down what it was asked for."""

    model: Any
    tokenizer: Any
    sampling: Sampling

    def lines(self, count: int, max_tokens: int, prefix: str = "") -> Iterator[str]:
        yield from (f"{prefix}{i} of {count}, at most {max_tokens}, {self.sampling}" for i in range(count))

    def unknown(self, prefix: str) -> list[str]:
        return [character for character in prefix if character in "☃\ufffd "]

    def running_text(self, tokens: int, prefix: str = "") -> str:
        return f"{prefix}{tokens}\nof running text, \udcff{self.sampling.seed}"


@dataclass
class Counter:
    """Gives a line of n bytes the log-probability -n; alone, -n / 2."""

    model: Any
    tokenizer: Any
    independent: bool

    def score(self, lines: Iterable[bytes], progress: Callable[[int], None]) -> Iterator[LineScore]:
        for line in lines:
            progress(1)
            yield LineScore(-len(line) / (2 if self.independent else 1), 1, 0, len(line) + 1)


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nmt.text_generation.TextGenerator", Writer)
    monkeypatch.setattr("nmt.language_model_scoring.LineScorer", Counter)


def test_five_lines_of_the_models_own_distribution_unless_told(tmp_path: Path) -> None:
    result = nmt("lm", "sample", tmp_path)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [f"{i} of 5, at most 200, {Sampling()}" for i in range(5)]


def test_options_of_sampling(tmp_path: Path) -> None:
    options = ["--lines=1", "--max-tokens=7", "--temperature=0.5", "--top-k=3", "--top-p=0.9", "--seed=4", "--prefix=a"]
    result = nmt("lm", "sample", tmp_path, *options)
    assert result.stdout == f"a0 of 1, at most 7, {Sampling(0.5, 3, 0.9, 4)}\n"


def test_running_text(tmp_path: Path) -> None:
    result = nmt("lm", "sample", tmp_path, "--tokens", "30", "--prefix", "x")
    assert result.stdout_bytes == b"x30\nof running text, ?1\n"


def test_what_the_model_does_not_know_of_a_prefix_is_named(tmp_path: Path) -> None:
    result = nmt("lm", "sample", tmp_path, "--lines=1", "--prefix=a☃ ")
    assert result.exit_code == 0 and result.stdout.startswith("a☃ 0 of 1")
    warning = "nmt: warning: --prefix: the model does not know '☃', ' '; it reads them as unknown\n"
    assert result.stderr == warning
    assert nmt("lm", "sample", tmp_path, "--prefix=a").stderr == ""


def test_bytes_of_a_prefix_that_are_no_utf8(tmp_path: Path) -> None:
    """Python hands them over as lone surrogates."""
    result = nmt("lm", "sample", tmp_path, "--lines=1", "--prefix=a\udcff")
    assert result.exit_code == 0 and result.stdout.startswith("a\ufffd0 of 1")


def test_no_lines_have_no_score(tmp_path: Path) -> None:
    result = nmt("lm", "score", tmp_path, "--output", tmp_path / "out", text=b"")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "nmt: error: standard input: expected lines of text, received none; give at least one line to score\n"
    )
    assert not (tmp_path / "out").exists()


def test_log_probabilities_go_to_stdout_and_the_summary_to_stderr(tmp_path: Path) -> None:
    result = nmt("lm", "score", tmp_path, text=b"one\n\nthree\n")
    assert result.stdout == "-3.0000\n0.0000\n-5.0000\n"
    assert result.stderr == "3 lines, 3 tokens, 11 characters: perplexity 14.39, 1.049 bits per character\n"


def test_lines_by_themselves_from_file_to_file(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"\xef\xbb\xbfone\r\nthree")
    result = nmt("lm", "score", tmp_path, "--independent", "--input", tmp_path / "in", "--output", tmp_path / "out")
    assert (result.exit_code, result.stdout) == (0, "")
    assert (tmp_path / "out").read_text() == "-1.5000\n-2.5000\n"


@pytest.mark.parametrize("command", ["sample", "score"])
def test_a_run_folder_or_its_configuration(
    command: str, loaded: list[tuple[Path, str]], config: Path, tmp_path: Path
) -> None:
    assert nmt("lm", command, tmp_path, text=b"a").exit_code == 0
    assert nmt("lm", command, config, "--checkpoint", "last", text=b"a").exit_code == 0
    assert nmt("lm", command, config, "--set", "name=prose", "--set", "training.seed=2", text=b"a").exit_code == 0
    assert loaded == [(tmp_path, "best"), (Path("runs/verse"), "last"), (Path("runs/prose"), "best")]


@pytest.mark.parametrize("command", ["sample", "score"])
def test_overrides_are_for_a_configuration(command: str, tmp_path: Path) -> None:
    result = nmt("lm", command, tmp_path, "--set", "name=prose", text=b"a")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "with a configuration alone" in result.stderr


@pytest.mark.parametrize("command", ["sample", "score"])
def test_a_model_that_is_not_there(command: str, tmp_path: Path) -> None:
    result = nmt("lm", command, tmp_path / "none", text=b"")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"nmt: error: {tmp_path / 'none'}: expected a language model's run folder or configuration, found nothing; run "
        f"nmt lm train first\n"
    )


def test_train_reports_and_names_the_run_folder(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[Any] = []

    def train_language_model(settings: Any, reporter: Any) -> Any:
        trained.append(settings)
        reporter.note("well")
        return SimpleNamespace(folder=settings.run_folder)

    monkeypatch.setattr("nmt.training.train_language_model", train_language_model)
    result = nmt("lm", "train", config, "--set", "training.epochs=3")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "runs/verse\n", "well\n")
    assert trained[0].training.epochs == 3


def test_a_second_signal_is_one_line(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def train_language_model(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nmt.training.train_language_model", train_language_model)
    result = nmt("lm", "train", config)
    assert result.exit_code == 1
    assert result.stderr == "nmt: error: interrupted; run the same command again to go on from the last checkpoint\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["lm"],
        ["lm", "sample"],
        ["lm", "sample", ".", "--lines", "1", "--tokens", "1"],
        ["lm", "sample", ".", "--top-k", "0"],
        ["lm", "sample", ".", "--top-p", "1.5"],
        ["lm", "sample", ".", "--temperature", "-1"],
        ["lm", "score", ".", "--checkpoint", "first"],
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    result = nmt(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
