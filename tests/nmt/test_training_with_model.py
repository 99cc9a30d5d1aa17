"""Training with the real model and the real validation: what the toy of `test_training` cannot show."""

from __future__ import annotations

import functools
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from nmt.batches import BatchPlan
from nmt.checkpoints import TrainingState, load_state
from nmt.config import Config
from nmt.corpus import PreparedCorpus
from nmt.run_folder import RunFolder
from nmt.seq2seq import Seq2Seq
from nmt.training import train
from nmt.translation.searcher import Searcher

pytestmark = pytest.mark.thorough  # a real model, not a toy

ROOT = Path(__file__).resolve().parents[2]
Checksum = Callable[[Path], str]


def last(run: RunFolder) -> Path:
    return run.checkpoint("last")


def lines_of(folder: Path, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


def named(config: Config, name: str) -> Config:
    """The same configuration under another name, with the corpus of the first."""
    if not Path("prepared", name).exists():
        os.symlink(Path("prepared", "tiny").resolve(), Path("prepared", name))
    return config.model_copy(update={"name": name})


def state_of(run: RunFolder) -> TrainingState:
    """The last state without the clock."""
    return replace(load_state(last(run)), seconds=0.0)


@pytest.fixture(scope="module")
def trained(
    tiny_corpus: Path, tiny_config: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunFolder, list[int], int]]:
    """The real model, trained with the real validation; its traces and the number of batch shapes."""
    traces: list[int] = []
    original, shapes = Seq2Seq.call, 0

    @functools.wraps(original)
    def counted(self: Seq2Seq, inputs: Any, training: bool = False) -> Any:
        if training:
            traces.append(1)
        return original(self, inputs, training=training)

    class Quiet:
        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *_: None

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("trained"))
        Path("prepared").symlink_to(tiny_corpus / "prepared")
        patch.setattr(Seq2Seq, "call", counted)
        patch.setattr(Searcher, "run_eagerly", True)  # to compile it takes longer than a few lines
        config = tiny_config(training={"epochs": 3, "learning_rate": 0.03, "batch_tokens": 80})
        run = train(config, Quiet())
        corpus = PreparedCorpus(config.prepared_folder)
        shapes = len(BatchPlan(corpus.tokens("train"), 80, 1).shapes)
        yield RunFolder(run.folder.resolve()), traces, shapes


def test_loss_falls(trained: tuple[RunFolder, list[int], int]) -> None:
    losses = [line["loss"] for line in lines_of(trained[0].folder, "validation")]
    training = [line["loss"] for line in lines_of(trained[0].folder, "steps")]
    assert losses[-1] < 0.85 * losses[0]
    assert training[-1] < 0.8 * training[0]


def test_validation_is_logged(trained: tuple[RunFolder, list[int], int]) -> None:
    lines = lines_of(trained[0].folder, "validation")
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert all(0.0 <= line["bleu"] <= 100.0 for line in lines)
    assert all(line["perplexity"] == pytest.approx(math.exp(line["loss"])) for line in lines)


def test_batches_of_many_shapes_trace_the_step_a_few_times(trained: tuple[RunFolder, list[int], int]) -> None:
    _, traces, shapes = trained
    assert shapes >= 6
    assert 1 <= len(traces) <= 3


@pytest.mark.slow
def test_starting_from_another_run(
    trained: tuple[RunFolder, list[int], int], tiny_config: Any, monkeypatch: pytest.MonkeyPatch, recorder: Any
) -> None:
    """The first validation, before any step, is the origin's best one; a frozen part keeps its weights."""
    origin = trained[0]
    monkeypatch.chdir(origin.folder.parents[1])
    best = min(lines_of(origin.folder, "validation"), key=lambda line: line["loss"])
    config = tiny_config(
        training={"start_from": "runs/tiny", "epochs": 1, "freeze": ["encoder"], "average_decay": 0.9, "keep_last": 3}
    )
    run = train(named(config, "second"), recorder)
    assert recorder.notes[0].startswith("starts from runs/tiny")
    assert (recorder.rounds[0].step, recorder.rounds[0].loss) == (0, pytest.approx(best["loss"], abs=1e-6))
    before, after = (
        load_file(one.checkpoint(which) / "model.safetensors") for one, which in ((origin, "best"), (run, "last"))
    )
    average = load_file(run.checkpoint_at(0) / "average.safetensors")
    assert all(np.array_equal(average[key], before[key]) for key in before if "seed" not in key)
    kept = {key for key in before if "seed" not in key and np.array_equal(before[key], after[key])}
    assert kept == {key for key in before if "/encoder/" in key and "embedding" not in key and "seed" not in key}


@pytest.mark.slow
def test_killed_process_resumes_bit_for_bit(
    tmp_path: Path, write_corpus: Any, tiny_config: Any, checksum: Checksum
) -> None:
    """SIGKILL in the middle of an epoch; the run that is started again ends with the uninterrupted one's weights."""
    write_corpus(tmp_path, train=120)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}

    def command(name: str, verb: str) -> list[str]:
        settings = {"training": {"epochs": 3, "save_every_steps": 2}}
        values = tiny_config(name, **settings).model_dump(mode="json", exclude_none=True)
        (tmp_path / f"{name}.yaml").write_text(json.dumps(values))  # JSON is YAML
        return [sys.executable, "-m", "nmt", verb, f"{name}.yaml"]

    for name in ("whole", "killed"):
        subprocess.run(command(name, "prepare"), cwd=tmp_path, env=environment, check=True, capture_output=True)
    subprocess.run(command("whole", "train"), cwd=tmp_path, env=environment, check=True, capture_output=True)
    run = RunFolder(tmp_path / "runs" / "killed")
    process = subprocess.Popen(command("killed", "train"), cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
    while not run.steps() and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    whole = RunFolder(tmp_path / "runs" / "whole")
    assert run.steps()[-1] < whole.steps()[-1]
    subprocess.run(command("killed", "train"), cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert checksum(last(run)) == checksum(last(whole))
    assert replace(load_state(last(run)), seconds=0.0) == replace(load_state(last(whole)), seconds=0.0)
