"""Training: which settings a run keeps, and which corpus it belongs to; with the toy model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from toy_training import (
    last,
)

from nmt.checkpoints import load_state
from nmt.errors import DataError, TrainingError
from nmt.training import train


def test_another_corpus_is_refused_with_both_fingerprints(
    toy: Any, tiny_config: Any, recorder: Any, corpus_folder: Path
) -> None:
    train(tiny_config(training={"epochs": 1}), recorder)
    manifest = json.loads((corpus_folder / "manifest.json").read_text())
    old = manifest["fingerprint"]
    (corpus_folder / "manifest.json").write_text(json.dumps(manifest | {"fingerprint": "0123456789abcdef"}))
    with pytest.raises(TrainingError, match=rf"{old[:12]}\.\.\..*0123456789ab\.\.\.; remove the run folder or choose"):
        train(tiny_config(), recorder)


def test_changed_settings_are_refused_by_name(toy: Any, tiny_config: Any, recorder: Any) -> None:
    train(tiny_config(training={"epochs": 1}), recorder)
    changed = tiny_config(model={"dropout": 0.3}, training={"clip_norm": 2.0, "epochs": 2})
    with pytest.raises(TrainingError) as caught:
        train(changed, recorder)
    assert "(model.dropout: 0.1 -> 0.3; training.clip_norm: 1.0 -> 2.0)" in str(caught.value)


@pytest.mark.slow
def test_free_settings_may_change(toy: Any, tiny_config: Any, recorder: Any) -> None:
    train(tiny_config(training={"epochs": 1}), recorder)
    run = train(tiny_config(training={"patience": 3}, decoding={"beam_size": 7}), recorder)
    assert run.config().decoding.beam_size == 7
    assert load_state(last(run)).epoch == 2


def test_a_corpus_of_other_settings_is_refused(toy: Any, tiny_config: Any, recorder: Any) -> None:
    with pytest.raises(TrainingError, match=r"\(subword\.vocabulary_size: 44 -> 50\); run nmt prepare again"):
        train(tiny_config(subword={"vocabulary_size": 50}), recorder)


def test_without_a_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_config: Any, recorder: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="run nmt prepare first"):
        train(tiny_config(), recorder)
    assert not Path("runs").exists()
