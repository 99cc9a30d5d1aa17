"""The requests and answers of `serve.c` as bytes: the other side of what its first lines say.

Knows nothing of processes and SavedModels.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np

FLOAT, INT32, STRING, INT64, BOOL = 1, 3, 7, 9, 10  # TensorFlow's TF_DataType
NUMBERS: dict[int, type[np.generic]] = {FLOAT: np.float32, INT32: np.int32, INT64: np.int64, BOOL: np.bool_}
SIZE = struct.Struct("=Q")
FIGURES = struct.Struct("=qqi")


class Answer(NamedTuple):
    """What came back.

    Attributes:
        seconds: how long the call took, in the program.
        memory: what of the process was in memory after it, in bytes.
        code: TensorFlow's; 0 if there was no error.
        message: of the error.
        tensors: of a call without one, in the order in which they were asked for.
    """

    seconds: float
    memory: int
    code: int
    message: str
    tensors: list[Any]


def write_request(call: int, tensors: list[tuple[Any, int]]) -> bytes:
    """A request.

    Args:
        call: its number.
        tensors: values and type of each.
    """
    body = struct.pack("=I", call) + b"".join(write_tensor(values, type_) for values, type_ in tensors)
    return SIZE.pack(len(body)) + body


def write_tensor(values: Any, type_: int) -> bytes:
    """A tensor.

    Args:
        values: numbers, or byte strings, of any shape.
        type_: one of TensorFlow's.
    """
    array = np.asarray(values, object if type_ == STRING else NUMBERS[type_])
    head = struct.pack(f"=ii{array.ndim}q", type_, array.ndim, *array.shape)
    if type_ != STRING:
        return head + array.tobytes()
    return head + b"".join(SIZE.pack(len(text)) + text for text in array.flat)


def read_answer(body: bytes) -> Answer:
    """Reads an answer, without the size before it."""
    microseconds, memory, code = FIGURES.unpack_from(body)
    rest = body[FIGURES.size :]
    if code:
        return Answer(microseconds / 1e6, memory, code, rest.decode(errors="replace"), [])
    return Answer(microseconds / 1e6, memory, code, "", read_tensors(rest))


def read_tensors(body: bytes) -> list[Any]:
    """Reads tensors: arrays of numbers, and lists of byte strings, nested where there is more than one dimension."""
    tensors, start = [], 0
    while start < len(body):
        type_, rank = struct.unpack_from("=ii", body, start)
        shape = struct.unpack_from(f"={rank}q", body, start + 8)
        values, start = (_read_strings if type_ == STRING else _read_numbers)(body, start + 8 + 8 * rank, type_, shape)
        tensors.append(values)
    return tensors


def _read_numbers(body: bytes, start: int, type_: int, shape: tuple[int, ...]) -> tuple[Any, int]:
    """An array, and where it ends."""
    values = np.frombuffer(body, NUMBERS[type_], int(np.prod(shape)), start).reshape(shape)
    return values, start + values.nbytes


def _read_strings(body: bytes, start: int, type_: int, shape: tuple[int, ...]) -> tuple[Any, int]:
    """A list, nested as the shape says, and where it ends."""
    strings = np.empty(int(np.prod(shape)), object)
    for i in range(len(strings)):
        (size,) = SIZE.unpack_from(body, start)
        start += SIZE.size + size
        strings[i] = body[start - size : start]
    return strings.reshape(shape).tolist(), start
