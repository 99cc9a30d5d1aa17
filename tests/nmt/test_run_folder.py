"""Run folders with a toy model: which checkpoints stay, and what is found after kills, full disks and damage."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nmt.checkpoints import Best, TrainingState
from nmt.config import parse_language_model_config
from nmt.errors import CorruptFileError, DataError, StorageError, TrainingError
from nmt.files import sealed
from nmt.run_folder import RunFolder
from nmt.tokenizer import Tokenizer


def make_toy(value: float = 1.0) -> keras.Model:
    """A model with one weight."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, name="dense")], name="toy")
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    model.optimizer.build(model.trainable_variables)
    model.trainable_variables[0].assign([[value]])
    return model


def weight(model: keras.Model) -> float:
    return float(np.array(model.trainable_variables[0])[0, 0])


def state(step: int, *best: int) -> TrainingState:
    return TrainingState(step=step, best=tuple(Best(i, [float(i)]) for i in best))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def disk_full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def names(run: RunFolder) -> list[str]:
    return sorted(path.name for path in run.checkpoints_folder.iterdir())


@pytest.fixture
def run(tmp_path: Path, tiny_config: Any, tokenizers: tuple[Tokenizer, Tokenizer]) -> RunFolder:
    folder = RunFolder(tmp_path / "runs" / "toy")
    folder.create(tiny_config(), "f" * 64, tokenizers)
    return folder


def test_nothing_to_restore(run: RunFolder) -> None:
    assert run.restore(make_toy()) == TrainingState()
    for look in (lambda: run.checkpoint("last"), run.best_steps):
        with pytest.raises(DataError, match="expected a checkpoint, found none yet; train it first"):
            look()


def test_the_newest_is_restored(run: RunFolder) -> None:
    for step in (2, 10, 9):
        run.save(make_toy(step), state(step), keep_last=3)
    model = make_toy(0.0)
    assert run.restore(model) == state(10)
    assert weight(model) == 10.0


def test_only_last_and_best_are_kept(run: RunFolder) -> None:
    for step, best in ((10, 10), (20, 20), (30, 20), (40, 20)):
        run.save(make_toy(), state(step, best))
    assert run.steps() == [20, 40]
    assert (run.checkpoint("last").name, run.checkpoint("best").name) == ("00000040", "00000020")
    run.save(make_toy(), state(50, 50))
    assert run.steps() == [50]


def test_several_of_the_newest_and_of_the_best_are_kept(run: RunFolder) -> None:
    best: list[tuple[int, ...]] = [(10,), (20, 10), (30, 10), (30, 10), (30, 10), (30, 10)]
    for step, ranked in zip(range(10, 70, 10), best, strict=True):
        run.save(make_toy(), state(step, *ranked), keep_last=2)
    assert run.steps() == [10, 30, 50, 60]
    assert run.best_steps() == [30, 10]
    shutil.rmtree(run.checkpoint_at(30))
    assert run.best_steps() == [10]
    with pytest.raises(DataError, match="00000030: the best checkpoint is missing; use --checkpoint last"):
        run.checkpoint("best")


def test_before_the_first_validation_the_last_is_the_best(run: RunFolder) -> None:
    run.save(make_toy(), state(5))
    assert run.checkpoint("best") == run.checkpoint("last")
    assert run.best_steps() == []


def test_weights_alone_cannot_be_trained_on(run: RunFolder) -> None:
    folder = run.save_weights(make_toy(), state(5))
    assert run.checkpoint("last") == folder
    with pytest.raises(TrainingError, match="received weights alone"):
        run.restore(make_toy())


def test_damaged_checkpoints_are_passed_over_and_told(run: RunFolder) -> None:
    for step in (1, 2, 3):
        run.save(make_toy(step), state(step, 3, 1), keep_last=3)
    flip(run.checkpoint_at(3) / "optimizer.safetensors")
    (run.checkpoint_at(2) / "state.json").unlink()
    model, told = make_toy(0.0), list[str]()
    assert run.restore(model, told.append) == state(1, 1)  # 3 was among the best
    assert weight(model) == 1.0
    assert names(run) == ["00000001", "damaged-00000002", "damaged-00000003"]
    assert run.steps() == [1]
    third, second = told
    assert "00000003/optimizer.safetensors: the checksum differs" in third
    assert "00000002/state.json: expected a whole checkpoint" in second
    assert third.endswith("; it is damaged-00000003 now, going on from step 1 instead")
    assert run.restore(model, told.append) == state(1, 1)
    assert len(told) == 2


def test_a_step_that_is_damaged_twice_is_set_aside_once(run: RunFolder) -> None:
    run.save(make_toy(), state(1), keep_last=2)
    for _ in range(2):
        flip(run.save(make_toy(), state(2), keep_last=2) / "model.safetensors")
        assert run.restore(make_toy()).step == 1
    assert names(run) == ["00000001", "damaged-00000002"]


def test_a_damaged_average_is_passed_over_too(run: RunFolder) -> None:
    for step in (1, 2):
        model = make_toy(step)
        average = {model.trainable_variables[0].path: np.zeros((1, 1), np.float32)}
        run.save(model, state(step), average, keep_last=2)
    flip(run.checkpoint_at(2) / "average.safetensors")
    assert run.restore(make_toy()).step == 1


def test_where_all_are_damaged_nothing_is_touched(run: RunFolder) -> None:
    for step in (1, 2):
        flip(run.save(make_toy(), state(step), keep_last=2) / "model.safetensors")
    told = list[str]()
    with pytest.raises(
        CorruptFileError, match=r"none of 2 checkpoints is whole \(.*00000002/model.*\); put a copy back, or remove the"
    ):
        run.restore(make_toy(), told.append)
    assert names(run) == ["00000001", "00000002"]
    assert told == []


def test_leftovers_of_a_kill_are_swept(run: RunFolder) -> None:
    run.save(make_toy(), state(5))
    aside = run.checkpoints_folder / ".tmp-00000006"
    aside.mkdir()
    (aside / "model.safetensors").write_bytes(b"half")
    (run.folder / ".tmp-config.json").write_bytes(b"{")
    assert run.steps() == [5]
    run.sweep()
    assert names(run) == ["00000005"]
    assert not list(run.folder.glob(".tmp-*"))


@pytest.mark.parametrize("fails_at", ["mkdir", "open"])
def test_a_kill_inside_a_save_leaves_the_checkpoint_before(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, fails_at: str
) -> None:
    run.save(make_toy(5.0), state(5, 5))
    with monkeypatch.context() as patch:
        patch.setattr(Path, fails_at, killed)
        with pytest.raises(KeyboardInterrupt):
            run.save(make_toy(6.0), state(6, 6))
    run.sweep()
    model = make_toy(0.0)
    assert run.restore(model).step == 5
    assert weight(model) == 5.0


def test_a_checkpoint_that_lacked_its_last_rename_gets_it(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends twice at one step, as with patience already lost, must not lose what it has."""
    run.save(make_toy(1.0), state(5))
    with monkeypatch.context() as patch:
        renames = iter([Path.rename, killed])  # the old one goes, the new one does not come
        patch.setattr(Path, "rename", lambda *paths: next(renames)(*paths))
        with pytest.raises(KeyboardInterrupt):
            run.save(make_toy(2.0), state(5))
    assert names(run) == [".old-00000005", ".tmp-00000005"]
    run.sweep()
    assert names(run) == ["00000005"]
    model = make_toy(0.0)
    assert run.restore(model).step == 5
    assert weight(model) == 2.0


@pytest.mark.parametrize("step", [5, 6])
def test_a_checkpoint_that_was_half_removed_is_none(run: RunFolder, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Replaced by one of the same step, or pruned after the next."""

    def half_removed(folder: Path, ignore_errors: bool = False) -> None:
        if folder.exists():
            (folder / "state.json").unlink()
            raise KeyboardInterrupt

    run.save(make_toy(1.0), state(5))
    with monkeypatch.context() as patch:
        patch.setattr("nmt.files.shutil.rmtree", half_removed)
        with pytest.raises(KeyboardInterrupt):
            run.save(make_toy(2.0), state(step))
    assert names(run) == [".old-00000005", f"{step:08d}"]
    run.sweep()
    assert names(run) == [f"{step:08d}"]
    model = make_toy(0.0)
    assert run.restore(model).step == step
    assert weight(model) == 2.0


def test_a_whole_checkpoint_keeps_its_place(run: RunFolder) -> None:
    shutil.copytree(run.save(make_toy(), state(5)), run.checkpoints_folder / ".tmp-00000005")
    run.sweep()
    assert names(run) == ["00000005"]


@pytest.mark.parametrize("step", [5, 6])
def test_a_full_disk_leaves_the_checkpoint_before(run: RunFolder, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    run.save(make_toy(5.0), state(5))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", disk_full)
        with pytest.raises(
            StorageError, match=rf"0000000{step}: cannot be written \(No space left on device\): .*room"
        ):
            run.save(make_toy(6.0), state(step))
    assert names(run) == ["00000005"]
    model = make_toy(0.0)
    assert run.restore(model).step == 5
    assert weight(model) == 5.0


@pytest.mark.parametrize("write", [sealed, lambda values: json.dumps(values).encode()], ids=["sealed", "not sealed"])
@pytest.mark.parametrize("version", [1, 99])
def test_a_foreign_run_format_is_refused(run: RunFolder, version: int, write: Any) -> None:
    """Format 1 had no checksum."""
    identity = json.loads((run.folder / "run.json").read_text())
    identity.pop("sha256")
    (run.folder / "run.json").write_bytes(write(identity | {"format": version}))
    with pytest.raises(DataError, match=rf"run\.json: expected run format 3, received {version}; train again, or use"):
        run.config()


def test_a_changed_identity_is_refused(run: RunFolder) -> None:
    path = run.folder / "run.json"
    path.write_text(path.read_text().replace("f" * 64, "e" * 64))
    with pytest.raises(CorruptFileError, match=r"run\.json: the checksum differs"):
        run.corpus_fingerprint()


def test_no_run_folder(tmp_path: Path) -> None:
    assert not RunFolder(tmp_path).exists
    with pytest.raises(DataError, match=r"expected a run folder with run\.json; train it first"):
        RunFolder(tmp_path).config()


@pytest.mark.parametrize("text", ["", "[1", "3"])
def test_a_damaged_configuration_is_named(run: RunFolder, text: str) -> None:
    (run.folder / "config.json").write_text(text)
    with pytest.raises(CorruptFileError, match=r"config\.json: expected a JSON object"):
        run.config()


def test_a_changed_configuration_is_refused(run: RunFolder) -> None:
    """A flipped bit makes two epochs three, which is valid JSON and a valid configuration."""
    path = run.folder / "config.json"
    assert '"epochs": 2,' in path.read_text()
    path.write_text(path.read_text().replace('"epochs": 2,', '"epochs": 3,'))
    with pytest.raises(CorruptFileError, match=r"config\.json: the checksum differs from its 'sha256'; the file was"):
        run.config()


def test_a_changed_subword_model_is_refused(run: RunFolder) -> None:
    path = run.folder / "source.model"
    path.write_bytes(path.read_bytes() + b"\xc8\x3e\x00")  # field 1001, which SentencePiece passes over
    with pytest.raises(CorruptFileError, match=r"source\.model: the checksum differs from run\.json"):
        run.tokenizers()


def test_a_written_configuration_replaces_the_old_one(run: RunFolder, tiny_config: Any) -> None:
    run.write_config(tiny_config(training={"epochs": 9}))
    assert run.config().training.epochs == 9


def test_a_run_folder_carries_all_that_translation_needs(
    run: RunFolder, tiny_config: Any, tokenizers: tuple[Tokenizer, Tokenizer], tmp_path: Path
) -> None:
    assert run.exists
    run.folder.rename(tmp_path / "elsewhere")
    moved = RunFolder(tmp_path / "elsewhere")
    assert moved.config() == tiny_config()
    assert moved.corpus_fingerprint() == "f" * 64
    assert [tokenizer.model for tokenizer in moved.tokenizers()] == [tokenizer.model for tokenizer in tokenizers]


def test_a_language_model_has_one_subword_model(tmp_path: Path, tokenizers: tuple[Tokenizer, Tokenizer]) -> None:
    config = parse_language_model_config({"name": "lm", "text": {"synthetic": {}}})
    folder = RunFolder(tmp_path / "lm")
    folder.create(config, "f" * 64, tokenizers[1:])
    assert (folder.kind, folder.language_model_config()) == ("language_model", config)
    assert folder.tokenizer().model == tokenizers[1].model == (folder.folder / "text.model").read_bytes()
    for look in (folder.config, folder.tokenizers):
        with pytest.raises(DataError, match=r"lm: expected the run folder of a translation model, received that of"):
            look()


def test_the_folder_of_a_translation_model_is_no_language_model_s(run: RunFolder, tiny_config: Any) -> None:
    assert (run.kind, run.config()) == ("translation", tiny_config())
    for look in (run.language_model_config, run.tokenizer):
        with pytest.raises(DataError, match=r"received that of a translation model: it is for nmt train"):
            look()
