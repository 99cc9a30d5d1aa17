"""`nmt evaluate`: which texts it takes, and what it writes. No model: a fake evaluates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from nmt.cli import app
from nmt.config import DecodingConfig, parse_config
from nmt.evaluation import Report, Scores, TextPairs
from nmt.metrics import Score
from nmt.run_folder import RunFolder


def nmt(*arguments: str | Path, text: bytes | None = None) -> Result:
    """Runs the command line in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=text)


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[TextPairs]:
    """What `nmt evaluate` was about to translate; the report is a fake."""
    texts: list[TextPairs] = []

    def evaluate(folder: Path, text: TextPairs, *_: Any) -> Report:
        texts.append(text)
        scores = Scores(*[Score(1.0)] * 5)
        return Report(text, ["x"] * len(text.sources), scores, "best", 1, DecodingConfig(), 1.0, "f" * 64)

    monkeypatch.setattr("nmt.evaluation.evaluate", evaluate)
    monkeypatch.setattr(RunFolder, "config", lambda _: parse_config({"name": "a", "corpus": {"synthetic": {}}}))
    return texts


def test_evaluate_takes_several_references(evaluated: list[TextPairs], tmp_path: Path) -> None:
    source, first, second = (tmp_path / name for name in ("a.en", "1.de", "2.de"))
    for path, text in ((source, "one\ntwo\n"), (first, "eins\nzwei\n"), (second, "ein\nzwo\n")):
        path.write_text(text)
    result = nmt("evaluate", tmp_path, "--source", source, "--reference", first, "--reference", second)
    assert (result.exit_code, evaluated[0].name) == (0, "a.en")
    assert (evaluated[0].sources, evaluated[0].references) == (["one", "two"], [["eins", "zwei"], ["ein", "zwo"]])
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["files"] == {"source": str(source), "references": [str(first), str(second)]}
    assert (tmp_path / "translations-a.en.txt").read_text() == "x\nx\n"

    second.write_text("ein\n")
    result = nmt("evaluate", tmp_path, "--source", source, "--reference", first, "--reference", second)
    assert result.exit_code == 1
    assert f"expected as many lines in {source} as in {second}; received 2 and 1; " in result.stderr


@pytest.mark.parametrize("missing", ["source", "reference"])
def test_evaluate_with_a_missing_file(evaluated: list[TextPairs], tmp_path: Path, missing: str) -> None:
    for name in {"source", "reference"} - {missing}:
        (tmp_path / name).write_text("one\n")
    result = nmt("evaluate", tmp_path, "--source", tmp_path / "source", "--reference", tmp_path / "reference")
    assert (result.exit_code, evaluated) == (1, [])
    assert result.stderr == (
        f"nmt: error: {tmp_path / missing}: no such file; name an existing text file with --source and --reference\n"
    )
