"""Graphs of functions: as many as what they know of their arrays' shapes, and what they compute."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nmt.compiled import compiled

COMPILED = SimpleNamespace(run_eagerly=False, jit_compile=False)
EAGER = SimpleNamespace(run_eagerly=True, jit_compile=False)


class Sum:
    """Adds arrays up, and keeps their shapes whenever Python runs it, which is once a graph."""

    def __init__(self) -> None:
        self.shapes: list[Any] = []

    def __call__(self, inputs: dict[str, Any], other: Any) -> Any:
        self.shapes.append((*(tuple(array.shape) for array in inputs.values()), tuple(other.shape)))
        return sum(inputs.values()) + other


def of_rows(array: Any) -> tuple[int | None, ...]:
    return len(array), *(None for _ in array.shape[1:])


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def test_there_is_a_graph_for_each_answer_and_no_other() -> None:
    function = Sum()
    call = compiled(function, COMPILED, of_rows)
    for rows, length in ((1, 2), (1, 3), (2, 2), (1, 5), (2, 7)):
        found = call({"one": ones(rows, length)}, ones(rows, length))
        assert np.array_equal(found, 2 * ones(rows, length))
    assert function.shapes == [((1, None), (1, None)), ((2, None), (2, None))]


def test_other_inputs_have_a_graph_of_their_own() -> None:
    function = Sum()
    call = compiled(function, COMPILED, of_rows)
    both = {"one": ones(1, 2), "two": ones(1, 2)}
    assert np.array_equal(call({"one": ones(1, 2)}, ones(1, 2)), 2 * ones(1, 2))
    assert np.array_equal(call(both, ones(1, 2)), 3 * ones(1, 2))
    assert np.array_equal(call({"one": ones(1, 3)}, ones(1, 3)), 2 * ones(1, 3))
    assert [len(shapes) for shapes in function.shapes] == [2, 3]


def test_another_type_has_a_graph_of_its_own() -> None:
    function = Sum()
    call = compiled(function, COMPILED, of_rows)
    for dtype in (np.float32, np.int32, np.float32):
        assert np.asarray(call({"one": ones(1, 2).astype(dtype)}, ones(1, 2).astype(dtype))).dtype == dtype
    assert len(function.shapes) == 2


def test_an_eager_model_has_none() -> None:
    function = Sum()
    call = compiled(function, EAGER, of_rows)
    for _ in range(2):
        call({"one": ones(1, 2)}, ones(1, 2))
    assert function.shapes == [((1, 2), (1, 2))] * 2


def test_what_does_not_fit_its_graph_is_refused() -> None:
    call = compiled(Sum(), COMPILED, lambda array: (2, 3))
    with pytest.raises((TypeError, ValueError)):
        call({"one": ones(2, 4)}, ones(2, 4))
