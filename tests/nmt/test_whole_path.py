"""The whole way through the command line: prepare, train, evaluate, export, translate, score."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
REPORT_KEYS = ("bleu", "chrf", "ter", "exact_match", "character_error_rate")


def nmt(folder: Path, *arguments: str, text: str | None = None) -> str:
    """Runs a command as a user would and returns what it printed."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "nmt", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, input=text, capture_output=True, text=True)
    assert done.returncode == 0, f"nmt {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
def test_from_text_files_to_a_translator(tmp_path: Path, write_corpus: Any, tiny_config: Any) -> None:
    write_corpus(tmp_path, train=200, held_out=20)
    settings = {"model": {"embedding_size": 32, "encoder_units": 32, "decoder_units": 32}, "training": {"epochs": 6}}
    values = tiny_config(**settings).model_dump(mode="json", exclude_none=True)
    (tmp_path / "tiny.yaml").write_text(json.dumps(values))  # JSON is YAML

    nmt(tmp_path, "prepare", "tiny.yaml")
    assert (tmp_path / "prepared/tiny/manifest.json").is_file()

    nmt(tmp_path, "train", "tiny.yaml")
    run = tmp_path / "runs/tiny"
    for name in ("config.json", "run.json", "source.model", "target.model", "metrics.jsonl"):
        assert (run / name).is_file()
    losses = [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0]

    nmt(tmp_path, "evaluate", "runs/tiny")
    report = json.loads((run / "report.json").read_text())
    for key in REPORT_KEYS:
        assert isinstance(report[key]["score"], float)
    assert all("version:" in report[key]["signature"] for key in ("bleu", "chrf", "ter"))

    nmt(tmp_path, "export", "runs/tiny", "saved_models/tiny")
    assert (tmp_path / "saved_models/tiny/1/saved_model.pb").is_file()

    lines = "one two\n\nnine\nfour five six\n"
    from_run = nmt(tmp_path, "translate", "runs/tiny", text=lines)
    assert from_run.count("\n") == 4
    assert from_run.splitlines()[1] == ""
    assert nmt(tmp_path, "translate", "saved_models/tiny", text=lines) == from_run

    (tmp_path / "text").write_text(lines)
    nmt(tmp_path, "translate", "runs/tiny", "--input=text", "--output=rows.gz", "--format=jsonl", "--n-best=2")
    records = [json.loads(row) for row in gzip.decompress((tmp_path / "rows.gz").read_bytes()).splitlines()]
    assert "".join(f"{record['translation']}\n" for record in records) == from_run
    pieces = "".join(" ".join(record.get("pieces", [])) + "\n" for record in records)
    (tmp_path / "pieces").write_text(pieces)
    scores = nmt(tmp_path, "score", "runs/tiny", "--source=text", "--target=pieces", "--pieces").splitlines()
    assert [float(score) for score in scores] == pytest.approx([record["log_prob"] for record in records], abs=1e-4)
    answers = nmt(tmp_path, "translate", "saved_models/tiny", "-i", text="nine\n:n\n:q\n")
    assert f"> {from_run.splitlines()[2]}  (" in answers
