"""The lines before the first step, of the tiny model and of an invented plan."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import pytest

from nmt.announcement import announcement, language_model_announcement, part_sizes
from nmt.config import Config, parse_language_model_config
from nmt.language_model import LanguageModel
from nmt.memory import training_memory
from nmt.segments import SegmentPlan
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import Tokenizer

ConfigFactory = Callable[..., Config]


@dataclass
class FixedPlan:
    """Stands for a batch plan."""

    steps_per_epoch: int = 1_000
    shapes: list[tuple[int, int, int]] = field(default_factory=lambda: [(20, 8, 9), (5, 40, 30), (1, 2, 3)])
    padding_share: float = 0.074


def lines(config: Config, model: Any, steps_per_epoch: int = 1_000, step: int = 0) -> dict[str, str]:
    """The announcement's lines by their first word."""
    text = announcement(model, config, FixedPlan(), steps_per_epoch, step)
    assert len(text.splitlines()) == 8
    return {line.split()[0]: " ".join(line.split()[1:]) for line in text.splitlines()}


def test_parts_add_up_to_the_model(tiny_model: Seq2Seq, tokenizers: tuple[Tokenizer, Tokenizer]) -> None:
    sizes = part_sizes(tiny_model)
    assert sum(sizes.values()) == tiny_model.count_params()
    assert sizes[("source_embedding",)] == 8 * tokenizers[0].size
    assert sizes[("encoder",)] == 3 * 8 * (8 + 8 + 2)  # a GRU of 8 units on 8 inputs, with two biases


def test_an_embedding_of_both_sides_counts_once(tiny_config: ConfigFactory) -> None:
    config = tiny_config(model={"tie_embeddings": "all"}, training={"freeze": ["source_embedding"]})
    model = Seq2Seq(config.model, 44, 44)
    sizes = part_sizes(model)
    assert sum(sizes.values()) == model.count_params()
    assert sizes[("source_embedding", "target_embedding")] == 8 * 44
    assert "source embedding and target embedding 352 (frozen)" in lines(config, model)["model"]


def test_an_output_projection_of_its_own_counts(tiny_config: ConfigFactory) -> None:
    model = Seq2Seq(tiny_config(model={"tie_embeddings": "none"}).model, 44, 44)
    assert part_sizes(model)[("target_embedding",)] == 2 * 8 * 44
    assert sum(part_sizes(model).values()) == model.count_params()


def test_what_stands_there(tiny_config: ConfigFactory, tiny_model: Seq2Seq) -> None:
    told = lines(tiny_config(), tiny_model)
    assert told["runs/tiny:"] == "starts"
    assert told["model"].startswith(f"{tiny_model.count_params():,} parameters: source embedding ")
    assert told["batches"] == (
        "1,000 an epoch, 7% padding; 3 shapes, the largest 5 x 40 x 30 (rows x source x target tokens)"
    )
    assert told["steps"] == "1,000 an epoch, 2,000 in 2 epochs"
    assert told["updates"] == "Adam, gradients clipped at norm 1; learning rate 0.01, which stays"
    assert told["stop"] == "after 2 epochs or 5 rounds without a gain in the loss"
    assert re.fullmatch(rf"{keras.backend.backend()} on (cpu|gpu|cuda|tpu), float32", told["backend"])


def test_resumed(tiny_config: ConfigFactory, tiny_model: Seq2Seq) -> None:
    assert lines(tiny_config(), tiny_model, step=1_200)["runs/tiny:"] == "resumes at step 1,200"


def test_accumulation_makes_fewer_steps_than_batches(tiny_config: ConfigFactory, tiny_model: Seq2Seq) -> None:
    told = lines(tiny_config(training={"accumulate_batches": 4}), tiny_model, steps_per_epoch=250)
    assert told["batches"].startswith("1,000 an epoch")
    assert told["steps"] == "250 an epoch, 500 in 2 epochs; each of 4 batches"


@pytest.mark.parametrize(
    ("settings", "line", "words"),
    [
        ({"optimizer": "adamw"}, "updates", "AdamW with weight decay 0.01, gradients"),
        ({"optimizer": "sgd", "momentum": 0.5}, "updates", "SGD with momentum 0.5, gradients"),
        (
            {"schedule": "cosine", "warmup_steps": 4_000},
            "updates",
            "0.01 after 4,000 steps, then falling along a cosine",
        ),
        ({"schedule": "inverse_square_root"}, "updates", "falling with the square root of the steps"),
        ({"schedule": "plateau", "plateau_rounds": 1}, "updates", "times 0.5 after 1 round without a gain"),
        ({"minutes": 30.0, "keep_best": "chrf"}, "stop", "2 epochs or 30 minutes or 5 rounds without a gain in chrF"),
        ({"freeze": ["encoder"]}, "model", "encoder 432 (frozen), decoder"),
        ({"precision": "mixed_bfloat16"}, "backend", "mixed_bfloat16"),
    ],
)
def test_settings_in_words(
    tiny_config: ConfigFactory, tiny_model: Seq2Seq, settings: dict[str, Any], line: str, words: str
) -> None:
    assert words in lines(tiny_config(training=settings), tiny_model)[line]


def test_memory_counts_what_learns(
    tiny_config: ConfigFactory, tiny_model: Seq2Seq, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int, int]] = []

    def memory(config: Config, parameters: int, trainable: int, vocabulary: int, shapes: Any) -> int:
        asked.append((parameters, trainable, vocabulary))
        return 2_340_000_000

    monkeypatch.setattr("nmt.announcement.training_memory", memory)
    told = lines(tiny_config(training={"freeze": ["encoder"]}), tiny_model)
    parameters = tiny_model.count_params()
    assert asked == [(parameters, parameters - 432, tiny_model.target_embedding.input_dim)]
    assert told["memory"].startswith("about 2.3 GB, besides what ")


def test_small_memory_in_megabytes(tiny_config: ConfigFactory, tiny_model: Seq2Seq) -> None:
    parameters = tiny_model.count_params()
    size = training_memory(
        tiny_config(), parameters, parameters, tiny_model.target_embedding.input_dim, FixedPlan().shapes
    )
    assert lines(tiny_config(), tiny_model)["memory"].startswith(f"about {max(1, round(size / 1e6))} MB")


def test_a_language_model() -> None:
    """A vocabulary of 10: 10 x 4 numbers in the embedding, which is the output projection too."""
    values: dict[str, Any] = {
        "text": {"synthetic": {}},
        "model": {"cell": "gru", "embedding_size": 4, "units": 4, "layers": 1, "tie_embeddings": True},
        "training": {"streams": 2, "carry_state": False, "accumulate_batches": 3, "keep_best": "loss"},
    }
    config = parse_language_model_config({"name": "lm", **values})
    model = LanguageModel(config.model, vocabulary_size=10, streams=2)
    plan = SegmentPlan(np.full(1_000, 5, np.int32), 2, 64, carry_state=False)
    text = language_model_announcement(model, config, plan, steps_per_epoch=3, step=6)
    told = {line.split()[0]: " ".join(line.split()[1:]) for line in text.splitlines()}
    assert text.splitlines()[0] == "runs/lm: resumes at step 6" and len(told) == 8
    assert told["model"] == "160 parameters: embedding 40, recurrent layers 120"
    assert told["segments"] == (
        "8 an epoch over 1,000 tokens, of 2 x 64 (streams x tokens), each from a state of zeros"
    )
    assert told["steps"] == "3 an epoch, 60 in 20 epochs; each of 3 batches"
    assert told["stop"].endswith("without a gain in the loss")
