"""The examples of docs/architecture.md, "Adding to it": read from the page, and tried as files of the package."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from nmt.config import ModelConfig
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import END_ID, PAD_ID, START_ID

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
# A file's name in the text, and the block that follows it.
EXAMPLE = re.compile(r"`nmt/(attention|cells)/(\w+)\.py`[^`]*```python\n(.*?)```", re.DOTALL)
SOURCE = np.array([[5, 6, 7, END_ID], [8, END_ID, PAD_ID, PAD_ID]], np.int32)
TARGET = np.array([[START_ID, 5, 9, 4], [START_ID, 7, 7, 8]], np.int32)


class LongerModelConfig(ModelConfig):
    """With one more name in each list, as the page says."""

    cell: Literal["minimal_gated"]
    attention: Literal["cosine"]


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The page's code by module, each of them importable."""
    found = {f"nmt.{folder}.{name}": code for folder, name, code in EXAMPLE.findall(PAGE.read_text(encoding="utf-8"))}
    for name, code in found.items():
        module = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(code, name, "exec"), module.__dict__)
    yield found


def make_model(query: str, **settings: Any) -> Seq2Seq:
    keras.utils.set_random_seed(1)
    sizes = {"embedding_size": 4, "encoder_units": 3, "decoder_units": 5, "encoder_layers": 1, "dropout": 0.0}
    names = {"cell": "minimal_gated", "attention": "cosine", "attention_query": query}
    return Seq2Seq(LongerModelConfig.model_validate({**sizes, **names, **settings}), 12, 10)


def logits_of(model: Seq2Seq, training: bool = False) -> Any:
    return model.logits({"source_ids": SOURCE, "target_ids": TARGET}, training=training)


def test_the_page_shows_an_attention_and_a_cell_in_few_lines(examples: dict[str, str]) -> None:
    assert list(examples) == ["nmt.attention.cosine", "nmt.cells.minimal_gated"]
    assert all(len(code.splitlines()) <= 25 for code in examples.values())


@pytest.mark.parametrize("query", ["bottom", "previous"])
@pytest.mark.usefixtures("examples")
def test_both_ways_agree(query: str) -> None:
    model = make_model(query)
    memory = model.remember(SOURCE)
    state, steps = memory.state, []
    for position in range(TARGET.shape[1]):
        log_probs, _, state = model.step(TARGET[:, position], state, memory)
        steps.append(ops.convert_to_numpy(log_probs))
    np.testing.assert_allclose(np.stack(steps, axis=1), ops.log_softmax(logits_of(model), axis=-1), atol=1e-5)


@pytest.mark.parametrize("query", ["bottom", "previous"])
@pytest.mark.usefixtures("examples")
def test_a_gradient_reaches_every_variable(query: str) -> None:
    model = make_model(query, recurrent_dropout=0.3)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(logits_of(model, training=True) ** 2)
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    reached = {
        variable.path
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True)
        if gradient is not None and np.abs(tf.convert_to_tensor(gradient).numpy()).max() > 0
    }
    assert reached == {variable.path for variable in model.trainable_variables}
    assert any(path.endswith("attention/scale") for path in reached)


@pytest.mark.usefixtures("examples")
def test_the_attention_is_a_cosine() -> None:
    """Of directions that are equal and opposite, whatever their lengths: scores g and -g."""
    from nmt.attention import make_attention

    attention = make_attention("cosine", 2, 1)
    values = ops.convert_to_tensor([[[0.1, 0.2], [-30.0, -60.0]]])
    queries, mask = ops.convert_to_tensor([[[5.0, 10.0]]]), ops.ones((1, 2), "bool")
    attention(queries, attention.project(values), values, mask)
    attention.key_projection.set_weights([np.eye(2)])
    attention.scale.assign(0.5)
    _, weights = attention(queries, attention.project(values), values, mask)
    assert ops.convert_to_numpy(weights)[0, 0, 0] == pytest.approx(1 / (1 + np.exp(-1.0)), abs=1e-6)


@pytest.mark.usefixtures("examples")
def test_the_cell_has_its_equations() -> None:
    """Zhou et al. 2016, eq. 4 to 6, at one step."""
    from nmt.cells import make_recurrent

    layer = make_recurrent("minimal_gated", 2, 0.0, False, "layer")
    generator = np.random.default_rng(1)
    x, h = generator.normal(size=(1, 3)), generator.normal(size=(1, 2))
    layer.build((None, None, 3))
    w, u, b, gates, gate_bias = (generator.normal(size=tuple(weight.shape)) for weight in layer.trainable_weights)
    layer.set_weights([w, u, b, gates, gate_bias])
    f = 1 / (1 + np.exp(-(np.concatenate([x, h], axis=1) @ gates + gate_bias)))
    expected = (1 - f) * h + f * np.tanh(x @ w + (f * h) @ u + b)
    output, _ = layer.cell(x.astype(np.float32), [h.astype(np.float32)])
    np.testing.assert_allclose(output, expected, atol=1e-5)
