"""`nmt export`: what it asks the library for. The library is replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nmt.cli import app
from nmt.saved_model.check import Checked


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the library was asked for."""
    calls: list[Any] = []

    def export(*arguments: Any, **options: Any) -> Path:
        calls.append((arguments, options))
        return Path("saved_models/tiny/1")

    def check(path: Path) -> Checked:
        calls.append(path)
        return Checked(path / "7", 8, 90, ("serving_default",), 16, 11)

    monkeypatch.setattr("nmt.export.export", export)
    monkeypatch.setattr("nmt.saved_model.check.check", check)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")  # and after the test what it was
    return calls


def test_exports_a_run_as_the_options_say(asked: list[Any]) -> None:
    options = ["--beam-size", "3", "--n-best", "2", "--ensemble", "runs/b", "--set", "decoding.min_length=2", "--ids"]
    result = CliRunner().invoke(app, ["export", "runs/tiny", "saved_models/tiny", "--checkpoint", "last", *options])
    assert (result.exit_code, result.stdout) == (0, "saved_models/tiny/1\n")
    ((run, target, checkpoint, changes, overrides), others) = asked[0]
    assert (run, target, checkpoint) == (Path("runs/tiny"), Path("saved_models/tiny"), "last")
    given = {key: value for key, value in changes.items() if value is not None}
    assert given == {"beam_size": 3, "n_best": 2, "ensemble": ["runs/b"]}
    assert (overrides, others) == (["decoding.min_length=2"], {"with_text": False})


def test_a_run_of_another_backend_is_rebuilt_in_tensorflow(asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    seen: list[str] = []
    monkeypatch.setattr("nmt.export.export", lambda *_, **__: seen.append(__import__("os").environ["KERAS_BACKEND"]))
    CliRunner().invoke(app, ["export", "runs/tiny", "saved_models/tiny"])
    assert seen == ["tensorflow"]


def test_checks_an_export(asked: list[Any]) -> None:
    result = CliRunner().invoke(app, ["export", "--check", "saved_models/tiny"])
    assert result.exit_code == 0 and asked == [Path("saved_models/tiny")]
    assert result.stdout.startswith("saved_models/tiny/7: 8 files as they were written; 90 kinds of operations")


@pytest.mark.parametrize(
    "arguments", [[], ["runs/tiny"], ["runs/tiny", "a", "--check", "b"], ["runs/tiny", "--check", "b"]]
)
def test_asks_for_a_run_and_a_target_or_an_export(asked: list[Any], arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["export", *arguments])
    assert result.exit_code == 2 and not asked
    assert "name a run folder and a target, or an export with --check" in " ".join(result.stderr.split())


@pytest.mark.parametrize("options", [["--ids"], ["--beam-size", "3"], ["--set", "decoding.min_length=2"]])
def test_a_check_takes_no_other_options(asked: list[Any], options: list[str]) -> None:
    result = CliRunner().invoke(app, ["export", "--check", "b", *options])
    assert result.exit_code == 2 and not asked
    assert "leave out what stands beside --check" in " ".join(result.stderr.replace("│", " ").split())
