"""Requests and answers of the C program, byte by byte."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from native import Signature, Tensor, encode, texts_in
from tensors import BOOL, FLOAT, INT32, STRING, read_answer, read_tensors, write_request, write_tensor


def test_a_tensor_of_strings() -> None:
    head = struct.pack("=iiq", STRING, 1, 2)
    assert write_tensor([b"a\0", b""], STRING) == head + struct.pack("=Q", 2) + b"a\0" + struct.pack("=Q", 0)


def test_a_tensor_of_numbers() -> None:
    assert write_tensor([[1, 2]], INT32) == struct.pack("=iiqqii", INT32, 2, 1, 2, 1, 2)


def test_a_request_stands_behind_its_size() -> None:
    tensor = struct.pack("=iiqi", INT32, 1, 1, 9)
    assert write_request(5, [([9], INT32)]) == struct.pack("=QI", 4 + len(tensor), 5) + tensor


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ([], STRING),
        ([[b"a\0b", b""], [b"\xff", b"c"]], STRING),
        (np.zeros((0, 3), np.int32), INT32),
        (np.array([[0.5], [-2.0]], np.float32), FLOAT),
        (np.array([True, False]), BOOL),
    ],
)
def test_reads_what_it_writes(values: object, type_: int) -> None:
    received, marker = read_tensors(write_tensor(values, type_) + write_tensor([7], INT32))
    assert np.array_equal(np.asarray(received, object), np.asarray(values, object))
    assert marker == [7]


def test_an_answer_has_figures() -> None:
    answer = read_answer(struct.pack("=qqi", 1_500_000, 4096, 0) + write_tensor([b"x"], STRING))
    assert answer == (1.5, 4096, 0, "", [[b"x"]])


def test_an_answer_may_be_an_error() -> None:
    assert read_answer(struct.pack("=qqi", 0, 1, 5) + b"not there") == (0.0, 1, 5, "not there", [])


def test_all_inputs_must_be_given() -> None:
    signature = Signature({"text": Tensor("in:0", STRING)}, {})
    with pytest.raises(ValueError, match="expected the inputs text, received txt"):
        encode(0, signature, {"txt": [b""]})


def test_finds_strings_at_any_depth() -> None:
    answer = {"a": [b"1", b"2"], "b": [[b"3"], []], "c": np.zeros(2)}
    assert sorted(texts_in(answer)) == [b"1", b"2", b"3"]
