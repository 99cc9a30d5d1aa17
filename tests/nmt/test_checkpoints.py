"""Checkpoints and run folders with a toy model: bit for bit, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nmt.checkpoints import RunFolder, TrainingState, copy_weights, load_weights, write_file
from nmt.errors import CorruptFileError, DataError
from nmt.tokenizer import Tokenizer

CHECKPOINT_FILES = ("model.safetensors", "optimizer.safetensors", "state.json")


def make_toy(units: int = 3, seed: int = 1) -> keras.Model:
    """A small model with dropout, and an Adam that has taken one step."""
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((2,)), keras.layers.Dense(units, name="dense"), keras.layers.Dropout(0.5, name="dropout")]
    model = keras.Sequential(layers, name="toy")
    model.compile(optimizer=keras.optimizers.Adam(0.1), loss="mse")
    gradients = [np.full(variable.shape, float(seed), np.float32) for variable in model.trainable_variables]
    model.optimizer.apply(gradients, model.trainable_variables)
    for _ in range(seed):
        model(np.ones((1, 2), np.float32), training=True)  # moves the dropout's seed
    return model


def values(model: keras.Model) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(variable) for variable in [*model.variables, *model.optimizer.variables]]


def equal(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(first, second, strict=True))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.fixture
def run(tmp_path: Path, tiny_config: Any, tokenizers: tuple[Tokenizer, Tokenizer]) -> RunFolder:
    folder = RunFolder(tmp_path / "runs" / "toy")
    folder.create(tiny_config(), "f" * 64, tokenizers)
    return folder


def test_saved_and_restored_bit_for_bit(run: RunFolder) -> None:
    saved, other = make_toy(seed=1), make_toy(seed=2)
    assert any(variable.path.endswith("seed_generator_state") for variable in saved.variables)
    assert not equal(values(saved), values(other))
    state = TrainingState(step=7, epoch=1, epoch_step=2, best_step=7, best_figure=-0.1 - 0.2, rounds_without_gain=3)
    run.save(saved, state)
    assert run.restore(other) == state
    assert equal(values(saved), values(other))
    random = [keras.ops.convert_to_numpy(model(np.ones((8, 2), np.float32), training=True)) for model in (saved, other)]
    assert np.array_equal(*random)


def test_weights_alone_leave_the_seeds(run: RunFolder) -> None:
    saved, other = make_toy(seed=1), make_toy(seed=2)
    folder = run.save(saved, TrainingState(step=1))
    before = values(other)[-len(other.optimizer.variables) :]
    load_weights(folder, other)
    for old, new in zip(saved.variables, other.variables, strict=True):
        assert np.array_equal(np.array(old.value), np.array(new.value)) != new.path.endswith("seed_generator_state")
    assert equal(values(other)[-len(before) :], before)


def test_copied_weights(run: RunFolder) -> None:
    source, target = make_toy(seed=1), make_toy(seed=2)
    copy_weights(source, target)
    for old, new in zip(source.variables, target.variables, strict=True):
        assert np.array_equal(np.array(old.value), np.array(new.value)) != new.path.endswith("seed_generator_state")


def test_nothing_to_restore(run: RunFolder) -> None:
    assert run.restore(make_toy()) == TrainingState()
    with pytest.raises(DataError, match="expected a checkpoint, found none yet; run nmt train first"):
        run.checkpoint("last")


def test_only_last_and_best_are_kept(run: RunFolder) -> None:
    model = make_toy()
    for step, best in ((10, 10), (20, 20), (30, 20), (40, 20)):
        run.save(model, TrainingState(step=step, best_step=best))
    assert run.steps() == [20, 40]
    assert run.checkpoint("last").name == "00000040"
    assert run.checkpoint("best").name == "00000020"
    run.save(model, TrainingState(step=50, best_step=50))
    assert run.steps() == [50]


def test_before_the_first_validation_the_last_is_the_best(run: RunFolder) -> None:
    run.save(make_toy(), TrainingState(step=5))
    assert run.checkpoint("best") == run.checkpoint("last")


def test_leftovers_of_a_kill_are_swept(run: RunFolder) -> None:
    run.save(make_toy(), TrainingState(step=5))
    aside = run.checkpoints_folder / ".tmp-00000006"
    aside.mkdir()
    (aside / "model.safetensors").write_bytes(b"half")
    (run.folder / ".tmp-config.json").write_bytes(b"{")
    assert run.steps() == [5]
    run.sweep()
    assert [path.name for path in run.checkpoints_folder.iterdir()] == ["00000005"]
    assert not list(run.folder.glob(".tmp-*"))


@pytest.mark.parametrize("name", CHECKPOINT_FILES)
def test_a_flipped_bit_is_found(run: RunFolder, name: str) -> None:
    folder = run.save(make_toy(), TrainingState(step=5))
    flip(folder / name)
    with pytest.raises(CorruptFileError, match=rf"00000005/{name}: the checksum differs from SHA256SUMS.*or remove "):
        run.restore(make_toy())


def test_a_flipped_bit_in_the_sums_is_found(run: RunFolder) -> None:
    folder = run.save(make_toy(), TrainingState(step=5))
    sums = (folder / "SHA256SUMS").read_text()
    (folder / "SHA256SUMS").write_text(("1" if sums[0] != "1" else "2") + sums[1:])
    with pytest.raises(CorruptFileError, match="SHA256SUMS"):
        run.restore(make_toy())


@pytest.mark.parametrize("name", ["SHA256SUMS", *CHECKPOINT_FILES])
def test_a_missing_file_is_found(run: RunFolder, name: str) -> None:
    folder = run.save(make_toy(), TrainingState(step=5))
    (folder / name).unlink()
    with pytest.raises(CorruptFileError, match=f"00000005/.*expected a whole checkpoint: .*{name}"):
        run.restore(make_toy())


def test_a_model_of_other_sizes_is_refused_with_both_shapes(run: RunFolder) -> None:
    folder = run.save(make_toy(units=3), TrainingState(step=5))
    expected = r"model\.safetensors: expected toy/dense/kernel of shape \(2, 4\), received toy/dense/kernel of \(2, 3\)"
    with pytest.raises(CorruptFileError, match=expected):
        load_weights(folder, make_toy(units=4))


def test_a_model_of_other_layers_is_refused(run: RunFolder) -> None:
    folder = run.save(make_toy(), TrainingState(step=5))
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="dense")], name="toy")
    with pytest.raises(CorruptFileError, match="expected 2 variables, received 3"):
        load_weights(folder, other)


def test_variables_of_other_names_are_refused(run: RunFolder) -> None:
    folder = run.save(make_toy(), TrainingState(step=5))
    layers = [keras.Input((2,)), keras.layers.Dense(3, name="other"), keras.layers.Dropout(0.5, name="dropout")]
    with pytest.raises(CorruptFileError, match=r"expected toy/other/kernel of shape .*received toy/dense/kernel"):
        load_weights(folder, keras.Sequential(layers, name="toy"))


@pytest.mark.parametrize("fails_at", ["rename", "mkdir"])
def test_a_kill_inside_a_save_leaves_the_checkpoint_before(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, fails_at: str
) -> None:
    first = make_toy(seed=1)
    run.save(first, TrainingState(step=5, best_step=5))
    with monkeypatch.context() as patch:
        patch.setattr(Path, fails_at, _killed)
        with pytest.raises(KeyboardInterrupt):
            run.save(make_toy(seed=2), TrainingState(step=6, best_step=6))
    other = make_toy(seed=3)
    assert run.restore(other).step == 5
    assert equal(values(first), values(other))


def test_a_kill_inside_a_save_of_the_same_step_leaves_a_checkpoint(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ends twice at one step, as with patience already lost, must not lose what it has."""
    run.save(make_toy(seed=1), TrainingState(step=5))
    with monkeypatch.context() as patch:
        patch.setattr("nmt.checkpoints._flushed", _killed)
        with pytest.raises(KeyboardInterrupt):
            run.save(make_toy(seed=2), TrainingState(step=5))
    assert run.restore(make_toy(seed=3)).step == 5


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_foreign_run_format_is_refused(run: RunFolder) -> None:
    identity = json.loads((run.folder / "run.json").read_text())
    write_file(run.folder / "run.json", json.dumps(identity | {"format": 99}).encode())
    with pytest.raises(DataError, match=r"run\.json: expected run format 1, received 99; train again, or use the"):
        run.config()


def test_no_run_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected a run folder with run\.json; run nmt train first"):
        RunFolder(tmp_path).config()


@pytest.mark.parametrize("text", ["", "[1", "3"])
def test_a_damaged_configuration_is_named(run: RunFolder, text: str) -> None:
    (run.folder / "config.json").write_text(text)
    with pytest.raises(CorruptFileError, match=r"config\.json: expected a JSON object"):
        run.config()


def test_a_run_folder_carries_all_that_translation_needs(
    run: RunFolder, tiny_config: Any, tokenizers: tuple[Tokenizer, Tokenizer], tmp_path: Path
) -> None:
    run.folder.rename(tmp_path / "elsewhere")
    moved = RunFolder(tmp_path / "elsewhere")
    assert moved.config() == tiny_config()
    assert moved.corpus_fingerprint() == "f" * 64
    assert [tokenizer.model for tokenizer in moved.tokenizers()] == [tokenizer.model for tokenizer in tokenizers]


def test_write_file_leaves_the_old_one_when_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(tmp_path / "file", b"old")
    monkeypatch.setattr(Path, "replace", _killed)
    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
