"""One checkpoint: a folder that is whole or not there, and whose every byte is checked before it is used.

    00001200/                   named by its step
      model.safetensors         every variable in the model's order, dropout seeds included
      average.safetensors       the same with the moving average of the weights, where there is one: it translates
      optimizer.safetensors     every variable of the optimizer; missing where nobody can train on
      state.json                position and best figures so far
      SHA256SUMS                of the other files, as sha256sum writes it

The format knows no backend: a checkpoint of one Keras backend loads in another. Knows nothing of run folders.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import keras
import numpy as np
from safetensors.numpy import save as save_tensors

from nmt.errors import CorruptFileError, StorageError, TrainingError
from nmt.files import json_bytes, write_folder

MODEL_FILE, AVERAGE_FILE, OPTIMIZER_FILE, STATE_FILE, SUMS_FILE = (
    "model.safetensors",
    "average.safetensors",
    "optimizer.safetensors",
    "state.json",
    "SHA256SUMS",
)
ALWAYS = {MODEL_FILE, STATE_FILE}
SEED_SUFFIX = "seed_generator_state"
Tensors = dict[str, np.ndarray]
DTYPES = {"BOOL": "?", "U32": "<u4", "I32": "<i4", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8"}
LONGEST_HEADER = 100_000_000  # bytes: the format allows no more
ADVICE = (
    "Take another checkpoint (--checkpoint last or best), or run nmt train again: it goes on from the newest whole one"
)


class Place(NamedTuple):
    """Where a file has a tensor: the variable's name, the first byte, the type and the shape."""

    name: str
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Best:
    """A checkpoint among the best: its step, and its validation figures, compared one after the other."""

    step: int
    figures: list[float]


@dataclass(frozen=True)
class TrainingState:
    """Where a training stands, apart from its tensors.

    Attributes:
        step: steps done since the beginning.
        epoch: the running epoch, from 0.
        epoch_step: steps of it that are done.
        best: the best checkpoints so far, best first.
        gain_figures: figures of the last round that counted as a gain; None before the first round.
        rounds_without_gain: rounds since then.
        rounds_at_rate: rounds without a gain since the plateau schedule last lowered the learning rate.
        rate_scale: what it has multiplied the learning rate by.
        validated_step: step of the last validation; -1 before the first.
        seconds: what the training has taken, on the clock.
    """

    step: int = 0
    epoch: int = 0
    epoch_step: int = 0
    best: tuple[Best, ...] = ()
    gain_figures: list[float] | None = None
    rounds_without_gain: int = 0
    rounds_at_rate: int = 0
    rate_scale: float = 1.0
    validated_step: int = -1
    seconds: float = 0.0


def write_checkpoint(
    folder: Path, state: TrainingState, variables: Sequence[Any], optimizer: Any = None, average: Tensors | None = None
) -> None:
    """Writes a checkpoint; a kill at any moment leaves it whole or not there.

    Args:
        folder: where to.
        state: where the training stands.
        variables: the model's.
        optimizer: the Keras optimizer; None where nobody will train on.
        average: the averaged values of some variables by path.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    files = {MODEL_FILE: save_tensors(_tensors(variables))}
    if average is not None:
        files[AVERAGE_FILE] = save_tensors(_tensors(variables, average))
    if optimizer is not None:
        files[OPTIMIZER_FILE] = save_tensors(_tensors(optimizer.variables))
    files[STATE_FILE] = json_bytes(asdict(state))
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
    write_folder(folder, {**files, SUMS_FILE: sums.encode()})


def load_weights(folder: Path, model: keras.Model) -> None:
    """Loads the weights that translate, the averaged ones where there are, into a model of the same configuration.

    Raises:
        CorruptFileError: a file does not match its checksum, or does not fit the model.
        StorageError: a file cannot be read at this moment.
    """
    name = AVERAGE_FILE if AVERAGE_FILE in _checksums(folder) else MODEL_FILE
    _assign(folder / name, model.variables, with_names=True, seeds=False)


def restore(folder: Path, model: keras.Model) -> TrainingState:
    """Puts a model and its optimizer back where they stood, dropout seeds included.

    Raises:
        CorruptFileError: a file does not match its checksum, or does not fit.
        StorageError: a file cannot be read at this moment.
        TrainingError: the checkpoint has no optimizer.
    """
    state, files = load_state(folder), _checksums(folder)
    if OPTIMIZER_FILE not in files:
        raise TrainingError(
            f"{folder}: expected a checkpoint to train on, received weights alone, an average for example; name its "
            f"run folder in training.start_from of a new configuration"
        )
    _assign(folder / MODEL_FILE, model.variables, with_names=True, seeds=True)
    _assign(folder / OPTIMIZER_FILE, model.optimizer.variables, with_names=False, seeds=True)
    if AVERAGE_FILE in files:
        _verify(folder / AVERAGE_FILE)  # not needed here, but by who translates
    return state


def is_whole(folder: Path) -> bool:
    """Whether every file of a checkpoint is there and matches its checksum."""
    try:
        for name in _checksums(folder):
            _verify(folder / name)
    except CorruptFileError:
        return False
    return True


def copy_weights(source: keras.Model, target: keras.Model, average: Mapping[str, Any] | None = None) -> None:
    """Copies every variable but the seeds between two models of one configuration.

    Args:
        source: from here.
        target: to here.
        average: values to take instead, by path.
    """
    for old, new in zip(source.variables, target.variables, strict=True):
        if not new.path.endswith(SEED_SUFFIX):
            new.assign(keras.ops.copy((average or {}).get(old.path, old.value)))  # JAX gives arrays away in a step


def load_state(folder: Path) -> TrainingState:
    """Reads a checkpoint's `state.json`."""
    with _readable(folder / STATE_FILE):
        data = (folder / STATE_FILE).read_bytes()
    _compare(folder / STATE_FILE, hashlib.sha256(data), _checksums(folder))
    try:
        values = json.loads(data)
        state = {field.name: values[field.name] for field in fields(TrainingState)}
        return TrainingState(**state | {"best": tuple(Best(**best) for best in state["best"])})
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptFileError(f"{folder / STATE_FILE}: expected the state of a training: {error!r}") from None


def _tensors(variables: Sequence[Any], instead: Mapping[str, np.ndarray] | None = None) -> Tensors:
    """Values by position and name; the position is what counts, since seed names are process-wide counters."""
    values = [(instead or {}).get(variable.path, variable) for variable in variables]
    return {
        f"{i:04d}/{variable.path}": keras.ops.convert_to_numpy(value)
        for i, (variable, value) in enumerate(zip(variables, values, strict=True))
    }


def _assign(path: Path, variables: Sequence[Any], with_names: bool, seeds: bool) -> None:
    """One tensor after the other, so that no second copy of all is in memory.

    The largest is the first: memory that its old value leaves suffices for the others.
    """
    with _checked(path) as file:
        places = _places(path, file)
        if len(places) != len(variables):
            raise CorruptFileError(f"{path}: expected {len(variables)} variables, received {len(places)}")
        for place, variable in sorted(zip(places, variables, strict=True), key=lambda pair: -math.prod(pair[0].shape)):
            is_seed = variable.path.endswith(SEED_SUFFIX)
            if place.shape != tuple(variable.shape) or (with_names and not is_seed and place.name != variable.path):
                raise CorruptFileError(
                    f"{path}: expected {variable.path} of shape {tuple(variable.shape)}, received {place.name} of "
                    f"{place.shape}"
                )
            if seeds or not is_seed:
                variable.assign(_read(path, file, place))


def _places(path: Path, file: BinaryIO) -> list[Place]:
    """Where a file in the format of safetensors has its tensors, in the order of their variables.

    The library reads them from a mapping, whose pages count as memory of the process as long as it lasts: 50 MB while
    the benchmark's model is loaded (docs/speed.md). The format (https://github.com/huggingface/safetensors#format) is
    the length of the header in eight bytes, the header in JSON, and the numbers.
    """
    try:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(min(length, LONGEST_HEADER)))
        header.pop("__metadata__", None)
        return [
            Place(
                key.partition("/")[2],
                8 + length + header[key]["data_offsets"][0],
                np.dtype(DTYPES[header[key]["dtype"]]),
                tuple(header[key]["shape"]),
            )
            for key in sorted(header)
        ]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise CorruptFileError(f"{path}: expected a safetensors file: {error!r}. {ADVICE}") from None


def _read(path: Path, file: BinaryIO, place: Place) -> np.ndarray:
    file.seek(place.offset)
    size = math.prod(place.shape)
    values = np.fromfile(file, place.dtype, size)
    if values.size != size:
        raise CorruptFileError(
            f"{path}: expected a safetensors file with {size} numbers of {place.name}, received {values.size}. {ADVICE}"
        )
    return values.reshape(place.shape)


def _verify(path: Path) -> None:
    """Reads a checkpoint's file, and compares it with SHA256SUMS beside it."""
    with _checked(path):
        pass


@contextmanager
def _checked(path: Path) -> Iterator[BinaryIO]:
    """A checkpoint's file, open, after its bytes have been compared with SHA256SUMS beside it.

    What is read is what was compared, even where a training removes the checkpoint meanwhile.
    """
    sums = _checksums(path.parent)
    with _readable(path), path.open("rb") as file:
        _compare(path, hashlib.file_digest(file, "sha256"), sums)
        file.seek(0)
        yield file


def _compare(path: Path, digest: Any, sums: Mapping[str, str]) -> None:
    if digest.hexdigest() != sums.get(path.name):
        raise CorruptFileError(
            f"{path}: the checksum differs from {SUMS_FILE}; the file was changed or damaged. {ADVICE}"
        )


def _checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of each file by name; a name that no checkpoint has is damage, too."""
    path = folder / SUMS_FILE
    with _readable(path):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    sums = {name: checksum for checksum, _, name in (line.partition("  ") for line in lines)}
    if not ALWAYS <= set(sums) <= {*ALWAYS, AVERAGE_FILE, OPTIMIZER_FILE}:
        raise CorruptFileError(
            f"{path}: expected checksums of a checkpoint's files, received {', '.join(sorted(sums)) or 'none'}; the "
            f"file was changed or damaged"
        )
    return sums


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Around the reading of a checkpoint's file; what cannot be read at this moment is not damage."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise CorruptFileError(f"{path}: expected a whole checkpoint: {error}") from None
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be read ({error.strerror or error}); make it readable and run the same command again"
        ) from None
