"""What a training says before its first step: what it is about to do, in eight lines.

Knows a model, a configuration and numbers, and nothing of how the training runs.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, Protocol, get_args

import keras

from nmt.config import Config, LanguageModelConfig, LanguageModelTraining, TranslationTraining
from nmt.config.training import Part
from nmt.memory import language_model_memory, training_memory

PARTS: tuple[str, ...] = get_args(Part)
FIGURES = {"loss": "the loss", "bleu": "BLEU", "chrf": "chrF"}
AnyTraining = TranslationTraining | LanguageModelTraining


class Plan(Protocol):
    """What is asked of a batch plan (see `nmt.batches.BatchPlan`)."""

    steps_per_epoch: int

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """Every shape that occurs: (batch size, source length, target length)."""

    @property
    def padding_share(self) -> float:
        """Share of the target positions that are padding."""


class TextPlan(Protocol):
    """What is asked of a plan of running text (see `nmt.segments.SegmentPlan`)."""

    steps_per_epoch: int
    tokens: int
    carry_state: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Of every segment: streams and length."""


def announcement(model: Any, config: Config, plan: Plan, steps_per_epoch: int, step: int = 0) -> str:
    """Says what the training of a translation model is about to do.

    Args:
        model: a `Seq2Seq`.
        config: the whole configuration.
        plan: the batches; its steps are batches.
        steps_per_epoch: updates of an epoch, fewer than batches where gradients are accumulated.
        step: updates that a resumed training has done.

    Returns:
        Eight lines of plain text.
    """
    training = config.training
    sizes = part_sizes(model)
    parameters = sum(sizes.values())
    frozen = sum(size for names, size in sizes.items() if _is_frozen(names, training))
    memory = training_memory(
        config, parameters, parameters - frozen, model.target_embedding.input_dim, shapes=plan.shapes
    )
    parts = ", ".join(_part(names, size, training) for names, size in sizes.items())
    lines = {
        "model": f"{parameters:,} parameters: {parts}",
        "batches": _batches(plan),
        **_shared_lines(model, training, memory, steps_per_epoch),
    }
    return _text(config.run_folder, step, lines)


def language_model_announcement(
    model: Any, config: LanguageModelConfig, plan: TextPlan, steps_per_epoch: int, step: int = 0
) -> str:
    """Says what the training of a language model is about to do.

    Args:
        model: a `LanguageModel`.
        config: the whole configuration.
        plan: the segments.
        steps_per_epoch: updates of an epoch, fewer than segments where gradients are accumulated.
        step: updates that a resumed training has done.

    Returns:
        Eight lines of plain text.
    """
    sizes = language_model_part_sizes(model)
    parameters = sum(sizes.values())
    memory = language_model_memory(config, parameters, model.embedding.input_dim, plan.shape)
    lines = {
        "model": f"{parameters:,} parameters: {', '.join(f'{name} {size:,}' for name, size in sizes.items())}",
        "segments": _segments(plan),
        **_shared_lines(model, config.training, memory, steps_per_epoch),
    }
    return _text(config.run_folder, step, lines)


def part_sizes(model: Any) -> dict[tuple[str, ...], int]:
    """Parameters of each part of a `Seq2Seq`, by the names it has in `training.freeze`.

    An embedding that serves both sides has two names. Embeddings do not count for the encoder and decoder that hold
    them, so the sizes add up to the model's.
    """
    embeddings = {id(weight) for layer in (model.source_embedding, model.target_embedding) for weight in layer.weights}
    sizes = {}
    for name in PARTS:
        part = getattr(model, name)
        own = [weight for weight in part.weights if name.endswith("embedding") or id(weight) not in embeddings]
        sizes[tuple(other for other in PARTS if getattr(model, other) is part)] = _size(own)
    return sizes


def language_model_part_sizes(model: Any) -> dict[str, int]:
    """Parameters of each part of a `LanguageModel`; the state that it carries is none."""
    parts = {"embedding": [model.embedding], "recurrent layers": model.recurrent_layers}
    if model.projection is not None:
        parts["output projection"] = [model.projection]
    return {name: _size([weight for layer in layers for weight in layer.weights]) for name, layers in parts.items()}


def _shared_lines(model: Any, training: AnyTraining, memory: int, steps_per_epoch: int) -> dict[str, str]:
    """What every training says."""
    return {
        "steps": _steps(training, steps_per_epoch),
        "updates": f"{_optimizer(training)}; {_schedule(training)}",
        "stop": _stop(training),
        "memory": f"about {_readable(memory)}, besides what {keras.backend.backend()} itself takes",
        "backend": f"{keras.backend.backend()}{_device(model)}, {training.precision}",
    }


def _text(run_folder: Path, step: int, lines: dict[str, str]) -> str:
    start = f"resumes at step {step:,}" if step else "starts"
    return "\n".join([f"{run_folder}: {start}", *(f"  {name:9}{text}" for name, text in lines.items())])


def _size(weights: list[Any]) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def _is_frozen(names: tuple[str, ...], config: TranslationTraining) -> bool:
    return not set(config.freeze).isdisjoint(names)


def _part(names: tuple[str, ...], size: int, config: TranslationTraining) -> str:
    label = " and ".join(names).replace("_", " ")
    return f"{label} {size:,}{' (frozen)' if _is_frozen(names, config) else ''}"


def _batches(plan: Plan) -> str:
    shapes = plan.shapes
    largest = max(shapes, key=lambda shape: shape[0] * (shape[1] + shape[2]))
    return (
        f"{plan.steps_per_epoch:,} an epoch, {plan.padding_share:.0%} padding; {_count(len(shapes), 'shape')}, the "
        f"largest {' x '.join(map(str, largest))} (rows x source x target tokens)"
    )


def _segments(plan: TextPlan) -> str:
    streams, length = plan.shape
    state = "with the state of the one before" if plan.carry_state else "from a state of zeros"
    return (
        f"{plan.steps_per_epoch:,} an epoch over {_count(plan.tokens, 'token')}, of {streams} x {length} (streams x "
        f"tokens), each {state}"
    )


def _steps(config: AnyTraining, steps_per_epoch: int) -> str:
    steps = f"{steps_per_epoch:,} an epoch, {config.epochs * steps_per_epoch:,} in {_count(config.epochs, 'epoch')}"
    return f"{steps}; each of {config.accumulate_batches} batches" if config.accumulate_batches > 1 else steps


def _optimizer(config: AnyTraining) -> str:
    name = {
        "adam": "Adam",
        "adamw": f"AdamW with weight decay {config.weight_decay:g}",
        "sgd": f"SGD with momentum {config.momentum:g}",
    }[config.optimizer]
    return f"{name}, gradients clipped at norm {config.clip_norm:g}"


def _schedule(config: AnyTraining) -> str:
    rise = f" after {config.warmup_steps:,} steps" if config.warmup_steps else ""
    then = {
        "constant": "which stays",
        "inverse_square_root": "then falling with the square root of the steps",
        "cosine": "then falling along a cosine to 0",
        "plateau": f"times {config.plateau_factor:g} after {_count(config.plateau_rounds, 'round')} without a gain",
    }[config.schedule]
    return f"learning rate {config.learning_rate:g}{rise}, {then}"


def _stop(config: AnyTraining) -> str:
    ends = [f"after {_count(config.epochs, 'epoch')}"]
    if config.minutes is not None:
        ends.append(f"{config.minutes:g} minutes")
    ends.append(f"{_count(config.patience, 'round')} without a gain in {FIGURES[config.keep_best]}")
    return " or ".join(ends)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _readable(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6))} MB"


def _device(model: Any) -> str:
    """Where the weights lie, in every backend's own words."""
    device = str(getattr(model.weights[0].value, "device", "")).lower()
    found = re.search(r"cpu|gpu|cuda|tpu", device)
    return f" on {found[0]}" if found else ""
