"""How much memory a training needs, and what to change where there is too little.

Knows sizes, and nothing of models, devices or backends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nmt.config import Config, ModelConfig, TrainingConfig

FLOAT_BYTES = 4
SLOTS = {"adam": 2, "adamw": 2}  # of an optimizer, each as large as what is trained
# How many numbers wait for the backward pass, or are made by it, for each number of the result.
CELL_COPIES = {"lstm": 16, "gru": 13}  # gates, what is computed of them, states, dropout, the output's gradient
VECTOR_COPIES = 4  # as it is, scaled, with dropout, and the gradient
PAIR_COPIES = 3  # of additive attention: query and key together, tanh, gradient
SCORE_COPIES = 5  # scores, masked, softmax, and two gradients
LOGIT_COPIES = 3  # logits, softmax, gradient
SMOOTHING_COPIES = 4  # gradients of the label's logit and of the mean, and the sums of them
OUT_OF_MEMORY = re.compile(r"RESOURCE_EXHAUSTED|\bOOM\b|out of memory|ran out of memory", re.IGNORECASE)


def training_memory(
    config: Config, parameters: int, trainable: int, vocabulary: int, shapes: Sequence[tuple[int, int, int]]
) -> int:
    """Estimates the bytes that a training needs.

    Counted are the weights, their copy that validates, the gradients, the optimizer's slots, what accumulates gradients
    and averages weights, and the largest batch on its way through the model and back. Measured on a CPU, a process grew
    by 0.9 to 1.2 times the estimate. Not counted are the libraries themselves (about 0.8 GB with TensorFlow), the
    corpus, which is mapped from the disk, what the allocator keeps in reserve, longer batches after subword sampling,
    the copies that a checkpoint is written from, and the translations of a validation.

    Args:
        config: the model's sizes and the training's switches.
        parameters: numbers in the model.
        trainable: those of them that learn.
        vocabulary: pieces of the target's subword model.
        shapes: (batch size, source length, target length) of every batch.
    """
    training = config.training
    slots = SLOTS.get(training.optimizer, 1 if training.momentum else 0)
    copies = 1 + slots + (training.accumulate_batches > 1) + (training.average_decay is not None)  # 1: the gradients
    batch = max((_batch_bytes(config.model, training, vocabulary, shape) for shape in shapes), default=0)
    return FLOAT_BYTES * (2 * parameters + copies * trainable) + batch


def _batch_bytes(model: ModelConfig, training: TrainingConfig, vocabulary: int, shape: tuple[int, int, int]) -> int:
    """What a batch leaves on its way through the model and back; attention weights and loss are always float32."""
    rows, source_length, target_length = shape
    cell = CELL_COPIES[model.cell]
    source = VECTOR_COPIES * model.embedding_size + cell * model.memory_units * model.encoder_layers
    target = 2 * VECTOR_COPIES * model.embedding_size + cell * model.decoder_units * model.decoder_layers  # and readout
    pair = scores = 0  # of a source token seen from a target token
    if model.attention != "none":
        source += VECTOR_COPIES * model.decoder_units  # keys
        target += VECTOR_COPIES * model.memory_units  # context
        scores = SCORE_COPIES
    if model.attention == "additive":
        pair = PAIR_COPIES * model.decoder_units
    logits = (LOGIT_COPIES + (SMOOTHING_COPIES if training.label_smoothing else 0)) * vocabulary
    size = FLOAT_BYTES if training.precision == "float32" else FLOAT_BYTES // 2
    pairs = source_length * target_length
    layers = source_length * source + target_length * target + pairs * pair
    return rows * (size * layers + FLOAT_BYTES * (pairs * scores + target_length * logits))


def out_of_memory_advice(error: BaseException, shape: tuple[int, int, int], batch_tokens: int) -> str | None:
    """What to change after a training step ran out of memory.

    Args:
        error: what the step raised.
        shape: rows, source tokens and target tokens of its batch.
        batch_tokens: the setting that the batch was made with.

    Returns:
        A line that names the batch and the setting to lower; None where the error is another one.
    """
    if not is_out_of_memory(error):
        return None
    rows, source_length, target_length = shape
    batch = f"out of memory at a batch of {rows} x {source_length} x {target_length} (rows x source x target tokens)"
    if rows == 1:
        return (
            f"{batch}: a single pair is too long, whatever training.batch_tokens says; lower "
            f"corpus.filters.max_tokens below {max(source_length, target_length) - 1} and run nmt prepare again, or "
            f"choose a smaller model"
        )
    return (
        f"{batch}; lower training.batch_tokens from {batch_tokens} to {batch_tokens // 2} and double "
        f"training.accumulate_batches (1 becomes 2), so that an update sees as much as before"
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Recognizes every backend's error by name and text, since none of them is imported here."""
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return True
    of_a_backend = type(error).__module__.partition(".")[0] in ("tensorflow", "jaxlib", "torch")
    return (of_a_backend or isinstance(error, RuntimeError)) and bool(OUT_OF_MEMORY.search(str(error)))
