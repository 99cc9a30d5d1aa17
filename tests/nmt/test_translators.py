"""Which model a command line means, and what its options change of the search."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from nmt.cli import app
from nmt.cli.settings import Which
from nmt.cli.translators import is_saved_model, load
from nmt.config import DecodingConfig, parse_config
from nmt.run_folder import RunFolder


def nmt(*arguments: str | Path, text: bytes | None = None) -> Result:
    """Runs the command line in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=text)


@pytest.mark.parametrize("found", ["nothing", "a file"])
def test_model_that_is_no_folder(found: str, tmp_path: Path) -> None:
    if found == "a file":
        (tmp_path / "x").write_text("")
    result = nmt("translate", tmp_path / "x", text=b"")
    assert result.exit_code == 1
    assert result.stderr.endswith(f"found {found}\n")


def test_folder_that_holds_no_model(tmp_path: Path) -> None:
    result = nmt("translate", tmp_path, text=b"")
    assert result.stderr == f"nmt: error: {tmp_path}: expected a run folder with run.json; train it first\n"


@pytest.mark.parametrize("place", ["", "7"])
def test_saved_model_is_known_by_its_file(tmp_path: Path, place: str) -> None:
    assert not is_saved_model(tmp_path)
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / "saved_model.pb").touch()
    assert is_saved_model(tmp_path)


def test_a_version_is_a_number_in_ascii(tmp_path: Path) -> None:
    for name in ("١", "v1", "1"):  # the first one is Arabic
        assert not is_saved_model(tmp_path)
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    assert is_saved_model(tmp_path)


@pytest.mark.parametrize(
    "option",
    [
        ["--beam-size", "3"],
        ["--checkpoint", "last"],
        ["--mbr"],
        ["--seed", "3"],
        ["--set", "decoding.min_length=2"],
        ["--ensemble", "x"],
        ["--language-model", "x"],
    ],
)
def test_saved_model_takes_no_search_options(tmp_path: Path, option: list[str]) -> None:
    (tmp_path / "saved_model.pb").touch()
    result = nmt("translate", tmp_path, *option, text=b"")
    assert result.exit_code == 2
    assert f"leave out {option[0]}, or" in " ".join(result.stderr.replace("│", " ").split())


@dataclass
class Loads:
    """What was loaded: folders, checkpoints, how to search, and whether with attention."""

    asked: list[tuple[Path, str, DecodingConfig, bool]] = field(default_factory=list)

    def load_translator(
        self, folder: Path, checkpoint: str, decoding: DecodingConfig, with_attention: bool = False
    ) -> None:
        self.asked.append((folder, checkpoint, decoding, with_attention))


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Loads:
    """Takes the place of the run folder's translator; the run's model has attention."""
    fake = Loads()
    monkeypatch.setattr("nmt.translation.translator.load_translator", fake.load_translator)
    set_config(monkeypatch)
    return fake


def set_config(monkeypatch: pytest.MonkeyPatch, **model: Any) -> None:
    config = parse_config({"name": "a", "corpus": {"synthetic": {}}, "model": model, "decoding": {"beam_size": 4}})
    monkeypatch.setattr(RunFolder, "config", lambda _: config)


def test_best_checkpoint_unless_told(loads: Loads, tmp_path: Path) -> None:
    load(tmp_path, None, {})
    load(tmp_path, Which.last, {})
    assert [checkpoint for _, checkpoint, *_ in loads.asked] == ["best", "last"]


def test_options_change_the_search_of_the_run(loads: Loads, tmp_path: Path) -> None:
    load(tmp_path, None, {"beam_size": None, "length_penalty": 0.0}, ["decoding.min_length=2"])
    decoding = loads.asked[0][2]
    assert (decoding.beam_size, decoding.length_penalty, decoding.min_length) == (4, 0.0, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--samples", "5", "--beam-size", "3"], "samples: expected either sampling or a search with a beam"),
        (["--n-best", "5"], "n_best: expected at most beam_size (4), received 5"),
        (["--set", "training.epochs=2"], "expected decoding.key=value"),
        (["--set", "decoding.beam_sice=2"], "Did you mean 'beam_size'?"),
        (["--set", "decoding.length_penalty=.nan"], "decoding.length_penalty"),
    ],
)
def test_a_search_that_is_not_possible_is_one_line(
    loads: Loads, tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = nmt("translate", tmp_path, *arguments, text=b"one\n")
    assert (result.exit_code, result.stdout, loads.asked) == (1, "", [])
    *_, error = result.stderr.splitlines()  # a warning may stand before
    assert error.startswith("nmt: error: command line: ") and message in error


@pytest.mark.parametrize(("attention", "attends"), [("general", True), ("none", False)])
def test_attention_is_asked_for_where_the_model_has_one(
    loads: Loads, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, attention: str, attends: bool
) -> None:
    set_config(monkeypatch, attention=attention)
    load(tmp_path, None, {}, with_attention=True)
    assert loads.asked[0][3] is attends
