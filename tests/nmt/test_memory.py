"""The memory estimate by hand-made numbers, and the advice on every backend's way of saying it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nmt import memory
from nmt.config import Config, TranslationTraining, parse_language_model_config
from nmt.memory import (
    language_model_memory,
    out_of_memory_advice,
    segment_out_of_memory_advice,
    training_memory,
)

ConfigFactory = Callable[..., Config]
MEGA = 1_000_000


def estimate(config: Config, parameters: int = MEGA, trainable: int = MEGA, **sizes: Any) -> int:
    return training_memory(config, parameters, trainable, **{"vocabulary": 100, "shapes": [], **sizes})


@pytest.mark.parametrize(
    ("settings", "copies"),
    [
        ({"optimizer": "adam"}, 5),  # weights, validation's, gradients, two slots
        ({"optimizer": "adamw"}, 5),
        ({"optimizer": "sgd"}, 4),
        ({"optimizer": "sgd", "momentum": 0.0}, 3),
        ({"accumulate_batches": 2}, 6),
        ({"average_decay": 0.999}, 6),
        ({"accumulate_batches": 2, "average_decay": 0.999}, 7),
        ({"precision": "mixed_bfloat16"}, 5),  # weights stay float32
    ],
)
def test_copies_of_the_parameters(tiny_config: ConfigFactory, settings: dict[str, Any], copies: int) -> None:
    assert estimate(tiny_config(training=settings)) == copies * 4 * MEGA


def test_what_is_frozen_has_neither_gradient_nor_slots(tiny_config: ConfigFactory) -> None:
    assert estimate(tiny_config(), trainable=0) == 2 * 4 * MEGA


def test_the_largest_batch_counts(tiny_config: ConfigFactory) -> None:
    small, large = (4, 5, 6), (40, 5, 6)
    alone = estimate(tiny_config(), shapes=[large])
    assert estimate(tiny_config(), shapes=[small, large, small]) == alone
    assert alone - estimate(tiny_config()) == 10 * (estimate(tiny_config(), shapes=[small]) - estimate(tiny_config()))


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize(("blocks", "smoothing", "copies"), [(True, 0.0, 3), (True, 0.1, 3), (False, 0.1, 7)])
def test_logits_of_a_large_vocabulary(
    tiny_config: ConfigFactory,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    blocks: bool,
    smoothing: float,
    copies: int,
) -> None:
    """A piece more is a logit, its softmax, its gradient ... at each of 10 x 6 target positions, always float32."""
    monkeypatch.setattr(memory, "has_blocks", lambda: blocks)
    config = tiny_config(training={"label_smoothing": smoothing, "precision": precision})
    fewer, more = (estimate(config, vocabulary=pieces, shapes=[(10, 5, 6)]) for pieces in (100, 101))
    assert more - fewer == 10 * 6 * copies * 4


def test_half_precision_halves_the_layers_alone(tiny_config: ConfigFactory) -> None:
    sizes: dict[str, Any] = {"parameters": 0, "trainable": 0, "vocabulary": 0, "shapes": [(10, 5, 6)]}
    model = {"attention": "none"}
    full, half = (
        estimate(tiny_config(model=model, training={"precision": precision}), **sizes)
        for precision in ("float32", "mixed_bfloat16")
    )
    assert full == 2 * half > 0


def test_the_gates_of_an_lstm_stay_float32(tiny_config: ConfigFactory) -> None:
    shapes, model = [(10, 5, 6)], {"attention": "none", "cell": "lstm", "encoder_units": 10, "decoder_units": 20}
    sizes: dict[str, Any] = {"parameters": 0, "trainable": 0, "vocabulary": 0, "shapes": shapes}
    full, half = (
        estimate(tiny_config(model=model, training={"precision": precision}), **sizes)
        for precision in ("float32", "mixed_bfloat16")
    )
    assert full / 2 < half < full


@pytest.mark.parametrize(
    "change",
    [
        {"cell": "lstm"},
        {"cell": "layer_norm_lstm"},
        {"attention": "additive"},
        {"attention": "multi_head"},
        {"decoder_layers": 2},
        {"lexical_model": True},
        {"peeky": True},
        {"readout": "maxout"},
    ],
    ids=str,
)
def test_a_larger_model_needs_more(tiny_config: ConfigFactory, change: dict[str, Any]) -> None:
    shapes = [(10, 5, 6)]
    assert estimate(tiny_config(model=change), shapes=shapes) > estimate(tiny_config(), shapes=shapes)


@pytest.mark.parametrize("change", [{"cell": "rnn"}, {"readout": "none"}], ids=str)
def test_a_smaller_model_needs_less(tiny_config: ConfigFactory, change: dict[str, Any]) -> None:
    plain, smaller = (tiny_config(model={"attention": "none", **some}) for some in ({}, change))
    assert estimate(smaller, shapes=[(10, 5, 6)]) < estimate(plain, shapes=[(10, 5, 6)])


def test_a_language_model() -> None:
    """1 M parameters, five copies; 3 x 20 positions of 4 x 8 + 13 x 16 numbers in the layers and 3 x 100 logits."""
    values = {"model": {"cell": "gru", "embedding_size": 8, "layers": 1, "units": 16}, "text": {"synthetic": {}}}
    config = parse_language_model_config({"name": "lm", **values})
    expected = 5 * 4 * MEGA + 4 * 3 * 20 * (4 * 8 + 13 * 16 + 3 * 100)
    assert language_model_memory(config, MEGA, 100, (3, 20)) == expected


class ResourceExhaustedError(Exception):
    """Has TensorFlow's name."""


class InternalError(Exception):
    """Stands for TensorFlow's, which is no RuntimeError."""

    __module__ = "tensorflow.python.framework.errors_impl"


OUT_OF_MEMORY = [
    MemoryError(),
    ResourceExhaustedError("failed to allocate"),
    RuntimeError("RESOURCE_EXHAUSTED: failed to allocate 8.0GiB"),
    RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
    InternalError("OOM when allocating tensor"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
def test_advice_names_the_shape_and_the_setting(error: BaseException) -> None:
    assert out_of_memory_advice(error, (50, 32, 28), TranslationTraining()) == (
        "out of memory at a batch of 50 x 32 x 28 (rows x source x target tokens); lower training.batch_tokens from "
        "1600 to 800 and double training.accumulate_batches (1 becomes 2), so that an update sees as much as before"
    )


@pytest.mark.parametrize(
    ("rows", "key"), [(64, "batch_sentences from 64 to 32"), (50, "batch_tokens from 1600 to 800")]
)
def test_advice_names_the_limit_that_made_the_batch(rows: int, key: str) -> None:
    advice = out_of_memory_advice(MemoryError(), (rows, 9, 9), TranslationTraining(batch_sentences=64))
    assert advice is not None and f"lower training.{key} and" in advice


def test_advice_for_a_single_long_pair() -> None:
    advice = out_of_memory_advice(MemoryError(), (1, 901, 401), TranslationTraining())
    assert advice is not None and "training.batch_tokens says" in advice
    assert "lower corpus.filters.max_tokens below 900 and run nmt prepare again" in advice


@pytest.mark.parametrize(
    "error",
    [
        ValueError("out of memory"),  # somebody's own words about something else
        RuntimeError("no ROOM, no ZOOM"),
        InternalError("expected a matrix"),
        KeyboardInterrupt(),
        OSError(28, "No space left on device"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_other_errors_get_no_advice(error: BaseException) -> None:
    assert out_of_memory_advice(error, (50, 32, 28), TranslationTraining()) is None


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
def test_advice_for_a_segment(error: BaseException) -> None:
    assert segment_out_of_memory_advice(error, (32, 64)) == (
        "out of memory at a segment of 32 x 64 (streams x tokens); lower training.segment_length from 64 to 32, or "
        "training.streams, or choose a smaller model"
    )
    assert segment_out_of_memory_advice(ValueError("no room"), (32, 64)) is None
