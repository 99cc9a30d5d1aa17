"""One checkpoint of a toy model: bit for bit, and no damage passes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nmt import checkpoints
from nmt.checkpoints import (
    SEED_SUFFIX,
    Best,
    TrainingState,
    copy_weights,
    is_whole,
    load_state,
    load_weights,
    restore,
    write_checkpoint,
)
from nmt.errors import CorruptFileError, StorageError, TrainingError

FILES = ("model.safetensors", "average.safetensors", "optimizer.safetensors", "state.json")
STATE = TrainingState(
    step=7,
    epoch=1,
    epoch_step=2,
    best=(Best(7, [20.5, -0.1 - 0.2]), Best(3, [20.0, -1.0])),
    gain_figures=[20.5, -0.1 - 0.2],
    rounds_without_gain=3,
    rounds_at_rate=1,
    rate_scale=0.25,
    seconds=12.5,
)


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


def averages(model: keras.Model) -> dict[str, np.ndarray]:
    """Weights of nothing but 7, by path."""
    return {variable.path: np.full(variable.shape, 7.0, np.float32) for variable in model.trainable_variables}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint that has every file."""
    model = make_toy()
    folder = tmp_path / "00000007"
    write_checkpoint(folder, STATE, model.variables, model.optimizer, averages(model))
    return folder


def values(model: keras.Model) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(variable) for variable in [*model.variables, *model.optimizer.variables]]


def equal(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(first, second, strict=True))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_restored_bit_for_bit(folder: Path) -> None:
    saved, other = make_toy(seed=1), make_toy(seed=2)
    assert any(variable.path.endswith(SEED_SUFFIX) for variable in saved.variables)
    assert not equal(values(saved), values(other))
    assert restore(folder, other) == STATE
    assert equal(values(saved), values(other))
    random = [keras.ops.convert_to_numpy(model(np.ones((8, 2), np.float32), training=True)) for model in (saved, other)]
    assert np.array_equal(*random)


def test_weights_alone_leave_seeds_and_optimizer(tmp_path: Path) -> None:
    saved, other = make_toy(seed=1), make_toy(seed=2)
    write_checkpoint(tmp_path / "1", TrainingState(step=1), saved.variables, saved.optimizer)
    before = values(other)[len(other.variables) :]
    load_weights(tmp_path / "1", other)
    for old, new in zip(saved.variables, other.variables, strict=True):
        assert np.array_equal(np.array(old.value), np.array(new.value)) != new.path.endswith(SEED_SUFFIX)
    assert equal(values(other)[len(other.variables) :], before)


def test_the_average_translates_and_the_weights_train(folder: Path) -> None:
    model = make_toy(seed=2)
    load_weights(folder, model)
    assert all(np.all(np.array(variable) == 7.0) for variable in model.trainable_variables)
    restore(folder, model)
    assert equal(values(model), values(make_toy(seed=1)))


def test_weights_without_an_optimizer_translate_and_cannot_be_trained_on(tmp_path: Path) -> None:
    saved, other = make_toy(seed=1), make_toy(seed=2)
    write_checkpoint(tmp_path / "1", TrainingState(step=1), saved.variables)
    assert is_whole(tmp_path / "1")
    with pytest.raises(TrainingError, match=r"received weights alone.* training\.start_from of a new configuration"):
        restore(tmp_path / "1", other)
    load_weights(tmp_path / "1", other)
    assert np.array_equal(np.array(saved.variables[0]), np.array(other.variables[0]))


@pytest.mark.parametrize("with_average", [False, True])
def test_copied_weights(with_average: bool) -> None:
    source, target = make_toy(seed=1), make_toy(seed=2)
    average = averages(source) if with_average else {}
    copy_weights(source, target, average)
    for old, new in zip(source.variables, target.variables, strict=True):
        expected = average.get(old.path, np.array(old.value))
        assert np.array_equal(expected, np.array(new.value)) != new.path.endswith(SEED_SUFFIX)


def test_the_sums_are_those_of_sha256sum(folder: Path) -> None:
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in FILES]
    assert (folder / "SHA256SUMS").read_text() == "".join(lines)
    assert is_whole(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_found(folder: Path, name: str) -> None:
    flip(folder / name)
    assert not is_whole(folder)
    with pytest.raises(
        CorruptFileError, match=rf"00000007/{name}: the checksum differs from SHA256SUMS.*newest whole one"
    ):
        restore(folder, make_toy())


def test_a_flipped_bit_of_the_average_is_not_translated_with(folder: Path) -> None:
    flip(folder / "average.safetensors")
    with pytest.raises(CorruptFileError, match=r"average\.safetensors: the checksum differs"):
        load_weights(folder, make_toy())


@pytest.mark.parametrize("name", ["SHA256SUMS", *FILES])
def test_a_missing_file_is_found(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert not is_whole(folder)
    with pytest.raises(CorruptFileError, match=f"00000007/.*expected a whole checkpoint: .*{name}"):
        restore(folder, make_toy())


def test_a_checkpoint_that_is_removed_while_it_is_checked_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, other, folder = make_toy(seed=1), make_toy(seed=2), tmp_path / "00000007"
    write_checkpoint(folder, STATE, model.variables)
    digest_of = hashlib.file_digest

    def remove_before(*arguments: Any) -> Any:
        shutil.rmtree(folder)
        return digest_of(*arguments)

    monkeypatch.setattr(hashlib, "file_digest", remove_before)
    load_weights(folder, other)
    assert not folder.exists()
    for one, same in zip(model.trainable_variables, other.trainable_variables, strict=True):
        np.testing.assert_array_equal(one, same)


def test_the_largest_is_read_first_and_each_comes_to_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = [(2,), (3, 4), (), (4, 3), (2,), (5, 5)]
    values = [np.random.default_rng(i).normal(size=shape).astype(np.float32) for i, shape in enumerate(shapes)]
    variables, others = (
        [keras.Variable(value * factor, name=f"v{i}") for i, value in enumerate(values)] for factor in (1.0, 0.0)
    )
    write_checkpoint(tmp_path / "1", TrainingState(), variables)
    read, sizes = checkpoints._read, []

    def note(*arguments: Any) -> np.ndarray:
        value = read(*arguments)
        sizes.append(value.size)
        return value

    monkeypatch.setattr(checkpoints, "_read", note)
    checkpoints._assign(tmp_path / "1" / "model.safetensors", others, with_names=True, seeds=True)
    assert sizes == [25, 12, 12, 2, 2, 1]
    for value, variable in zip(values, others, strict=True):
        np.testing.assert_array_equal(value, variable)


def put_in_place_of_the_model(folder: Path, data: bytes) -> None:
    """Another file, with the checksum that belongs to it."""
    path, sums = folder / "model.safetensors", folder / "SHA256SUMS"
    old = hashlib.sha256(path.read_bytes()).hexdigest()
    sums.write_text(sums.read_text().replace(old, hashlib.sha256(data).hexdigest()))
    path.write_bytes(data)


@pytest.mark.parametrize("data", [b"", b"\xff" * 20, b"\x02" + bytes(7) + b"[]", b"\x0a" + bytes(7) + b'{"0/a": 1}'])
def test_what_is_no_safetensors_file_is_told(folder: Path, data: bytes) -> None:
    put_in_place_of_the_model(folder, data)
    with pytest.raises(CorruptFileError, match=r"model\.safetensors: expected a safetensors file"):
        restore(folder, make_toy())


def test_a_file_shorter_than_its_header_says_is_told(folder: Path) -> None:
    put_in_place_of_the_model(folder, (folder / "model.safetensors").read_bytes()[:-1])
    with pytest.raises(CorruptFileError, match=r"model\.safetensors: expected a safetensors file"):
        restore(folder, make_toy())


def test_a_flipped_bit_in_each_byte_of_the_sums_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    model = make_toy()
    write_checkpoint(tmp_path / "1", TrainingState(step=1), model.variables, average=averages(model))
    path = tmp_path / "1" / "SHA256SUMS"
    data = path.read_bytes()
    for i in range(len(data)):
        flipped = bytearray(data)
        flipped[i] ^= 1 << i % 8
        path.write_bytes(flipped)
        assert not is_whole(tmp_path / "1") or flipped.decode().split() == data.decode().split()


@pytest.mark.parametrize(
    ("old", "new", "received"),
    [
        ("average.safetensors", "averagf.safetensors", "averagf.safetensors, model"),
        ("model.safetensors", "../model.safetensors", r"\.\./model"),
        ("  state.json", " state.json", "received , average"),
    ],
)
def test_sums_of_unknown_names_are_refused(folder: Path, old: str, new: str, received: str) -> None:
    path = folder / "SHA256SUMS"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(CorruptFileError, match=rf"SHA256SUMS: expected checksums of .*{received}"):
        load_weights(folder, make_toy())


def test_empty_sums_are_refused(folder: Path) -> None:
    (folder / "SHA256SUMS").write_bytes(b"")
    assert not is_whole(folder)
    with pytest.raises(CorruptFileError, match="received none"):
        load_state(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"step": 3}', "best"])
def test_a_state_that_is_none_is_refused_though_its_checksum_is_right(folder: Path, text: str) -> None:
    if text == "best":
        text = json.dumps(json.loads((folder / "state.json").read_text()) | {"best": [3]})
    old = hashlib.sha256((folder / "state.json").read_bytes()).hexdigest()
    (folder / "state.json").write_text(text)
    sums = (folder / "SHA256SUMS").read_text()
    (folder / "SHA256SUMS").write_text(sums.replace(old, hashlib.sha256(text.encode()).hexdigest()))
    with pytest.raises(CorruptFileError, match=r"state\.json: expected the state of a training"):
        load_state(folder)


def test_a_model_of_other_sizes_is_refused_with_both_shapes(folder: Path) -> None:
    expected = r"safetensors: expected toy/dense/kernel of shape \(2, 4\), received toy/dense/kernel of \(2, 3\)"
    with pytest.raises(CorruptFileError, match=expected):
        load_weights(folder, make_toy(units=4))


def test_a_model_of_other_layers_is_refused(folder: Path) -> None:
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="dense")], name="toy")
    with pytest.raises(CorruptFileError, match="expected 2 variables, received 3"):
        load_weights(folder, other)


def test_variables_of_other_names_are_refused(folder: Path) -> None:
    layers = [keras.Input((2,)), keras.layers.Dense(3, name="other"), keras.layers.Dropout(0.5, name="dropout")]
    with pytest.raises(CorruptFileError, match=r"expected toy/other/kernel of shape .*received toy/dense/kernel"):
        load_weights(folder, keras.Sequential(layers, name="toy"))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.EIO, os.strerror(errno.EIO)), "cannot be read \\(Input/output error\\)"),
        (OSError("no place here"), "cannot be read \\(no place here\\)"),
    ],
)
def test_a_tensor_that_cannot_be_read_is_not_damaged(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, expected: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(checkpoints, "_read", fail)
    with pytest.raises(StorageError, match=expected):
        load_weights(folder, make_toy())
