"""Run folders and checkpoints, written so that a kill at any moment leaves whole ones.

    runs/NAME/
      config.json                   the resolved configuration
      run.json                      format version and the corpus' fingerprint
      source.model target.model     the subword models: the folder is all that translation needs
      checkpoints/00001200/         one folder a checkpoint, named by its step
        model.safetensors           every variable in the model's order, dropout seeds included
        optimizer.safetensors       every variable of the optimizer
        state.json                  position, best figure so far and its step
        SHA256SUMS                  of the three files, as sha256sum writes it
      metrics.jsonl report.json

A checkpoint is written aside, flushed and renamed; `last` is the newest whole one, and its state says which is `best`.
The format knows no backend: a checkpoint of one Keras backend loads in another.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from nmt.config import Config, parse_config
from nmt.errors import CorruptFileError, DataError
from nmt.tokenizer import Tokenizer

RUN_FORMAT = 1
MODEL_FILE, OPTIMIZER_FILE, STATE_FILE, SUMS_FILE = (
    "model.safetensors",
    "optimizer.safetensors",
    "state.json",
    "SHA256SUMS",
)
SUBWORD_FILES = "source.model", "target.model"
SEED_SUFFIX = "seed_generator_state"


@dataclass(frozen=True)
class TrainingState:
    """Where a training stands, apart from its tensors.

    Attributes:
        step: steps done since the beginning.
        epoch: the running epoch, from 0.
        epoch_step: steps of it that are done.
        best_step: step of the best checkpoint; 0 while there is none.
        best_figure: its validation figures, compared one after the other; higher is better.
        rounds_without_gain: rounds since then.
    """

    step: int = 0
    epoch: int = 0
    epoch_step: int = 0
    best_step: int = 0
    best_figure: list[float] | None = None
    rounds_without_gain: int = 0


class RunFolder:
    """One training's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoints_folder = folder / "checkpoints"

    @property
    def exists(self) -> bool:
        """Whether a training was started here."""
        return (self.folder / "run.json").exists()

    def create(self, config: Config, fingerprint: str, tokenizers: Sequence[Tokenizer]) -> None:
        """Writes what does not change during the training; `run.json` comes last and marks the folder as whole."""
        self.checkpoints_folder.mkdir(parents=True, exist_ok=True)
        models = dict(zip(SUBWORD_FILES, (tokenizer.model for tokenizer in tokenizers), strict=True))
        for name, model in models.items():
            write_file(self.folder / name, model)
        self.write_config(config)
        checksums = {name: hashlib.sha256(model).hexdigest() for name, model in models.items()}
        identity = {"format": RUN_FORMAT, "corpus_fingerprint": fingerprint, "subword_models": checksums}
        write_file(self.folder / "run.json", _json_bytes(identity))

    def write_config(self, config: Config) -> None:
        """Writes the resolved configuration."""
        write_file(self.folder / "config.json", _json_bytes(config.model_dump(mode="json")))

    def config(self) -> Config:
        """The configuration that the folder was made with."""
        self._identity()
        return parse_config(self._read_json("config.json"), origin=str(self.folder / "config.json"))

    def corpus_fingerprint(self) -> str:
        """Fingerprint of the prepared corpus that the folder was made with."""
        return str(self._identity()["corpus_fingerprint"])

    def tokenizers(self) -> tuple[Tokenizer, Tokenizer]:
        """The source's and the target's tokenizer."""
        source, target = (Tokenizer.from_file(self.folder / name) for name in SUBWORD_FILES)
        expected = self._identity().get("subword_models", {})
        for name, tokenizer in zip(SUBWORD_FILES, (source, target), strict=True):
            if hashlib.sha256(tokenizer.model).hexdigest() != expected.get(name):
                raise CorruptFileError(
                    f"{self.folder / name}: the checksum differs from run.json; the file was changed or damaged, copy "
                    f"it anew from the prepared corpus"
                )
        return source, target

    def steps(self) -> list[int]:
        """Steps of the checkpoints that are there, oldest first."""
        if not self.checkpoints_folder.is_dir():
            return []
        return sorted(int(path.name) for path in self.checkpoints_folder.iterdir() if path.name.isdigit())

    def checkpoint(self, which: str) -> Path:
        """Folder of the `best` or `last` checkpoint.

        Raises:
            DataError: there is none yet.
        """
        steps = self.steps()
        if not steps:
            raise DataError(f"{self.folder}: expected a checkpoint, found none yet; run nmt train first")
        step = steps[-1]
        if which == "best":
            step = load_state(self.checkpoint_at(step)).best_step or step
        if step not in steps:
            raise DataError(f"{self.checkpoint_at(step)}: the best checkpoint is missing; use --checkpoint last")
        return self.checkpoint_at(step)

    def checkpoint_at(self, step: int) -> Path:
        """Folder of the checkpoint of a step."""
        return self.checkpoints_folder / f"{step:08d}"

    def sweep(self) -> None:
        """Removes what a kill left of an unfinished checkpoint."""
        for path in self.folder.glob("checkpoints/.tmp-*"):
            shutil.rmtree(path)
        for path in self.folder.glob(".tmp-*"):
            path.unlink()

    def save(self, model: keras.Model, state: TrainingState) -> Path:
        """Writes the checkpoint of `state.step` and removes those that are neither last nor best."""
        tensors = {
            MODEL_FILE: save_tensors(_tensors(model.variables)),
            OPTIMIZER_FILE: save_tensors(_tensors(model.optimizer.variables)),
            STATE_FILE: _json_bytes(asdict(state)),
        }
        sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in tensors.items())
        target = self.checkpoint_at(state.step)
        aside = self.checkpoints_folder / f".tmp-{target.name}"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        for name, data in {**tensors, SUMS_FILE: sums.encode()}.items():
            with _flushed(aside / name) as file:
                file.write(data)
        _flush_folder(aside)
        shutil.rmtree(target, ignore_errors=True)
        aside.rename(target)
        _flush_folder(self.checkpoints_folder)
        for step in self.steps():
            if step not in (state.step, state.best_step):
                shutil.rmtree(self.checkpoint_at(step))
        return target

    def restore(self, model: keras.Model) -> TrainingState:
        """Loads the last checkpoint into model and optimizer; a fresh state where there is none.

        Raises:
            CorruptFileError: it does not match its checksums.
        """
        if not self.steps():
            return TrainingState()
        folder = self.checkpoint("last")
        load_weights(folder, model, seeds=True)
        _assign(folder / OPTIMIZER_FILE, model.optimizer.variables, with_names=False, seeds=True)
        state = load_state(folder)
        if state.best_step in self.steps():
            return state
        return replace(state, best_step=0, best_figure=None)  # somebody removed it, as a damaged one should be

    def _identity(self) -> dict[str, Any]:
        if not self.exists:
            raise DataError(f"{self.folder}: expected a run folder with run.json; run nmt train first")
        identity = self._read_json("run.json")
        if identity.get("format") != RUN_FORMAT:
            raise DataError(
                f"{self.folder / 'run.json'}: expected run format {RUN_FORMAT}, received {identity.get('format')}; "
                f"train again, or use the version of keras-nmt that wrote it"
            )
        return identity

    def _read_json(self, name: str) -> dict[str, Any]:
        try:
            return dict(json.loads((self.folder / name).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise CorruptFileError(f"{self.folder / name}: expected a JSON object: {error}") from None


def load_weights(folder: Path, model: keras.Model, seeds: bool = False) -> None:
    """Loads a checkpoint's variables into a model of the same configuration.

    Args:
        folder: the checkpoint.
        model: receives the values.
        seeds: also set the dropout seeds, which only a resumed training needs.

    Raises:
        CorruptFileError: a file does not match its checksum, or does not fit the model.
    """
    _assign(folder / MODEL_FILE, model.variables, with_names=True, seeds=seeds)


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Copies every variable but the seeds between two models of one configuration."""
    for old, new in zip(source.variables, target.variables, strict=True):
        if not new.path.endswith(SEED_SUFFIX):
            new.assign(old.value)


def load_state(folder: Path) -> TrainingState:
    """Reads a checkpoint's `state.json`."""
    try:
        values = json.loads(_verified_bytes(folder / STATE_FILE))
        return TrainingState(**{field.name: values[field.name] for field in fields(TrainingState)})
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptFileError(f"{folder / STATE_FILE}: expected the state of a training: {error!r}") from None


def write_file(path: Path, data: bytes) -> None:
    """Writes a file aside, flushes it and renames it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.parent / f".tmp-{path.name}"
    with _flushed(aside) as file:
        file.write(data)
    aside.replace(path)
    _flush_folder(path.parent)


def _tensors(variables: Sequence[Any]) -> dict[str, np.ndarray]:
    """Values by position and name; the position is what counts, since seed names are process-wide counters."""
    return {f"{i:04d}/{variable.path}": keras.ops.convert_to_numpy(variable) for i, variable in enumerate(variables)}


def _assign(path: Path, variables: Sequence[Any], with_names: bool, seeds: bool) -> None:
    try:
        tensors = load_tensors(_verified_bytes(path))
    except SafetensorError as error:
        raise CorruptFileError(f"{path}: expected a safetensors file: {error}") from None
    if len(tensors) != len(variables):
        raise CorruptFileError(f"{path}: expected {len(variables)} variables, received {len(tensors)}")
    for (key, value), variable in zip(sorted(tensors.items()), variables, strict=True):
        is_seed = variable.path.endswith(SEED_SUFFIX)
        name = key.partition("/")[2]
        if value.shape != tuple(variable.shape) or (with_names and not is_seed and name != variable.path):
            raise CorruptFileError(
                f"{path}: expected {variable.path} of shape {tuple(variable.shape)}, received {name} of {value.shape}"
            )
        if seeds or not is_seed:
            variable.assign(value)


def _verified_bytes(path: Path) -> bytes:
    """A checkpoint file's bytes, compared with SHA256SUMS beside it."""
    try:
        data = path.read_bytes()
        lines = (path.parent / SUMS_FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CorruptFileError(f"{path}: expected a whole checkpoint: {error}") from None
    sums = {name: checksum for checksum, _, name in (line.partition("  ") for line in lines)}
    if hashlib.sha256(data).hexdigest() != sums.get(path.name):
        raise CorruptFileError(
            f"{path}: the checksum differs from {SUMS_FILE}; the file was changed or damaged. Take the other "
            f"checkpoint (--checkpoint last or best), or remove {path.parent} and run nmt train again: it goes on from "
            f"the newest one left, or from the start"
        )
    return data


def _json_bytes(values: Any) -> bytes:
    return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()


@contextmanager
def _flushed(path: Path) -> Iterator[Any]:
    """A new file that is on the disk when the block ends."""
    with path.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
