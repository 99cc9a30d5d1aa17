"""What `nmt train` says before its first step: what it is about to do, in eight lines.

Knows a model, a configuration and numbers, and nothing of how the training runs.
"""

from __future__ import annotations

import math
import re
from typing import Any, Protocol, get_args

import keras

from nmt.config import Config, TrainingConfig
from nmt.config.training import Part
from nmt.memory import training_memory

PARTS: tuple[str, ...] = get_args(Part)
FIGURES = {"loss": "the loss", "bleu": "BLEU", "chrf": "chrF"}


class Plan(Protocol):
    """What is asked of a batch plan (see `nmt.batches.BatchPlan`)."""

    steps_per_epoch: int

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """Every shape that occurs: (batch size, source length, target length)."""

    @property
    def padding_share(self) -> float:
        """Share of the target positions that are padding."""


def announcement(model: Any, config: Config, plan: Plan, steps_per_epoch: int, step: int = 0) -> str:
    """Says what a training is about to do.

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
        "steps": _steps(training, steps_per_epoch),
        "updates": f"{_optimizer(training)}; {_schedule(training)}",
        "stop": _stop(training),
        "memory": f"about {_readable(memory)}, besides what {keras.backend.backend()} itself takes",
        "backend": f"{keras.backend.backend()}{_device(model)}, {training.precision}",
    }
    start = f"resumes at step {step:,}" if step else "starts"
    return "\n".join([f"{config.run_folder}: {start}", *(f"  {name:9}{text}" for name, text in lines.items())])


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
        sizes[tuple(other for other in PARTS if getattr(model, other) is part)] = sum(
            math.prod(weight.shape) for weight in own
        )
    return sizes


def _is_frozen(names: tuple[str, ...], config: TrainingConfig) -> bool:
    return not set(config.freeze).isdisjoint(names)


def _part(names: tuple[str, ...], size: int, config: TrainingConfig) -> str:
    label = " and ".join(names).replace("_", " ")
    return f"{label} {size:,}{' (frozen)' if _is_frozen(names, config) else ''}"


def _batches(plan: Plan) -> str:
    shapes = plan.shapes
    largest = max(shapes, key=lambda shape: shape[0] * (shape[1] + shape[2]))
    return (
        f"{plan.steps_per_epoch:,} an epoch, {plan.padding_share:.0%} padding; {_count(len(shapes), 'shape')}, the "
        f"largest {' x '.join(map(str, largest))} (rows x source x target tokens)"
    )


def _steps(config: TrainingConfig, steps_per_epoch: int) -> str:
    steps = f"{steps_per_epoch:,} an epoch, {config.epochs * steps_per_epoch:,} in {_count(config.epochs, 'epoch')}"
    return f"{steps}; each of {config.accumulate_batches} batches" if config.accumulate_batches > 1 else steps


def _optimizer(config: TrainingConfig) -> str:
    name = {
        "adam": "Adam",
        "adamw": f"AdamW with weight decay {config.weight_decay:g}",
        "sgd": f"SGD with momentum {config.momentum:g}",
    }[config.optimizer]
    return f"{name}, gradients clipped at norm {config.clip_norm:g}"


def _schedule(config: TrainingConfig) -> str:
    rise = f" after {config.warmup_steps:,} steps" if config.warmup_steps else ""
    then = {
        "constant": "which stays",
        "inverse_square_root": "then falling with the square root of the steps",
        "cosine": "then falling along a cosine to 0",
        "plateau": f"times {config.plateau_factor:g} after {_count(config.plateau_rounds, 'round')} without a gain",
    }[config.schedule]
    return f"learning rate {config.learning_rate:g}{rise}, {then}"


def _stop(config: TrainingConfig) -> str:
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
