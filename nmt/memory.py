"""How much memory a training needs, and what to change where there is too little.

Knows sizes, and nothing of models or devices.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nmt.blockwise_loss import has_blocks, most_rows
from nmt.config import Config, LanguageModelConfig, LanguageModelTraining, ModelConfig, TranslationTraining

FLOAT_BYTES = 4
SLOTS = {"adam": 2, "adamw": 2}  # of an optimizer, each as large as what is trained
# How many numbers wait for the backward pass, or are made by it, for each number of the result: gates, what is computed
# of them, states, dropout, the output's gradient; with layer normalization its three sums too, each three times.
CELL_COPIES = {"rnn": 6, "gru": 13, "lstm": 16, "layer_norm_lstm": 43}
WIDE_CELLS = {"lstm"}  # those whose gates are float32 whatever the training's precision (see `nmt.bptt`)
READOUT_COPIES = {"none": 0, "tanh": 4, "maxout": 8}  # as a vector; of pairs, of which the larger counts
VECTOR_COPIES = 4  # as it is, scaled, with dropout, and the gradient
PAIR_COPIES = 3  # of additive attention: query and key together, tanh, gradient
SCORE_COPIES = 5  # scores, masked, softmax, and two gradients
LOGIT_COPIES = 3  # logits, softmax, gradient
SMOOTHING_COPIES = 4  # gradients of the label's logit and of the mean, and the sums of them; none in blocks
LEXICAL_COPIES = 2  # the lexical model's logits, and the sum
OUT_OF_MEMORY = re.compile(r"RESOURCE_EXHAUSTED|\bOOM\b|out of memory|ran out of memory", re.IGNORECASE)

AnyTraining = TranslationTraining | LanguageModelTraining


def training_memory(
    config: Config, parameters: int, trainable: int, vocabulary: int, shapes: Sequence[tuple[int, int, int]]
) -> int:
    """Estimates the bytes that the training of a translation model needs.

    Counted are the weights, their copy that validates, the gradients, the optimizer's slots, what accumulates gradients
    and averages weights, and the largest batch on its way through the model and back, of whose logits only a block is
    there at a time (see `nmt.blockwise_loss`). Before there were blocks, and before the LSTM had a gradient of its own,
    a process on a CPU grew by 0.9 to 1.2 times the estimate. Not counted are the gradient that a block adds to the
    projection's, the libraries themselves (about 0.8 GB with TensorFlow), the corpus, which is mapped from the disk,
    what the allocator keeps in reserve, longer batches after subword sampling, the copies that a checkpoint is written
    from, and the translations of a validation.

    Args:
        config: the model's sizes and the training's switches.
        parameters: numbers in the model.
        trainable: those of them that learn.
        vocabulary: pieces of the target's subword model.
        shapes: (batch size, source length, target length) of every batch.
    """
    batch = max((_batch_bytes(config.model, config.training, vocabulary, shape) for shape in shapes), default=0)
    return _weight_bytes(config.training, parameters, trainable) + batch


def language_model_memory(config: LanguageModelConfig, parameters: int, vocabulary: int, shape: tuple[int, int]) -> int:
    """Estimates the bytes that the training of a language model needs, as `training_memory` does.

    Args:
        config: the model's sizes and the training's switches.
        parameters: numbers in the model, all of which learn.
        vocabulary: pieces of the subword model.
        shape: streams and length of a segment.
    """
    model, (streams, length) = config.model, shape
    layers = (
        VECTOR_COPIES * model.embedding_size + _cell_copies(model.cell, config.training) * model.units * model.layers
    )
    logits = _logit_copies(config.training) * vocabulary
    positions = streams * length
    segment = (
        positions * _float_bytes(config.training) * layers + _at_once(positions, vocabulary) * FLOAT_BYTES * logits
    )
    return _weight_bytes(config.training, parameters, parameters) + segment


def _weight_bytes(training: AnyTraining, parameters: int, trainable: int) -> int:
    """Weights, the copy that validates, and all that is as large as what learns."""
    slots = SLOTS.get(training.optimizer, 1 if training.momentum else 0)
    copies = 1 + slots + (training.accumulate_batches > 1) + (training.average_decay is not None)  # 1: the gradients
    return FLOAT_BYTES * (2 * parameters + copies * trainable)


def _batch_bytes(
    model: ModelConfig, training: TranslationTraining, vocabulary: int, shape: tuple[int, int, int]
) -> int:
    """What a batch leaves on its way through the model and back; attention weights and loss are always float32."""
    rows, source_length, target_length = shape
    cell = _cell_copies(model.cell, training)
    encoder_units = sum(model.layer_units(layer) for layer in range(model.encoder_layers))
    source = VECTOR_COPIES * model.embedding_size + cell * encoder_units
    target = VECTOR_COPIES * model.embedding_size + cell * model.decoder_units * model.decoder_layers
    target += READOUT_COPIES[model.readout] * model.hidden_units
    logits = _logit_copies(training)
    pair = scores = 0  # of a source token seen from a target token
    if model.peeky:
        target += VECTOR_COPIES * model.decoder_units  # the summary at every step
    if model.attention != "none":
        heads = model.attention_heads if model.attention == "multi_head" else 1
        source += VECTOR_COPIES * model.decoder_units * (2 if heads > 1 else 1)  # keys, and the heads' values
        target += VECTOR_COPIES * model.memory_units  # context
        scores = SCORE_COPIES * heads
    if model.attention == "additive":
        pair = PAIR_COPIES * model.decoder_units
    if model.lexical_model:
        target += VECTOR_COPIES * model.embedding_size
        logits += LEXICAL_COPIES
    pairs = source_length * target_length
    layers = source_length * source + target_length * target + pairs * pair
    loss = rows * pairs * scores + _at_once(rows * target_length, vocabulary) * logits * vocabulary
    return rows * _float_bytes(training) * layers + FLOAT_BYTES * loss


def _at_once(positions: int, vocabulary: int) -> int:
    """How many positions have logits at the same time."""
    return min(positions, most_rows(vocabulary)) if has_blocks() else positions


def _logit_copies(training: AnyTraining) -> int:
    return LOGIT_COPIES + (SMOOTHING_COPIES if training.label_smoothing and not has_blocks() else 0)


def _cell_copies(cell: str, training: AnyTraining) -> int:
    """Numbers in the training's precision that a cell leaves for each of its units."""
    wide = cell in WIDE_CELLS and has_blocks()  # the same backend has both
    return CELL_COPIES[cell] * (FLOAT_BYTES // _float_bytes(training) if wide else 1)


def _float_bytes(training: AnyTraining) -> int:
    """Of a number inside the layers."""
    return FLOAT_BYTES if training.precision == "float32" else FLOAT_BYTES // 2


def out_of_memory_advice(error: BaseException, shape: tuple[int, ...], training: TranslationTraining) -> str | None:
    """What to change after a training step on sentences ran out of memory.

    Args:
        error: what the step raised.
        shape: rows, source tokens and target tokens of its batch.
        training: the settings that the batch was made with.

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
    key = "batch_sentences" if rows == training.batch_sentences else "batch_tokens"
    size = getattr(training, key)
    return (
        f"{batch}; lower training.{key} from {size} to {size // 2} and double "
        f"training.accumulate_batches (1 becomes 2), so that an update sees as much as before"
    )


def segment_out_of_memory_advice(error: BaseException, shape: tuple[int, ...]) -> str | None:
    """What to change after a training step on running text ran out of memory.

    Args:
        error: what the step raised.
        shape: streams and length of its segment.

    Returns:
        A line that names the segment and the settings to lower; None where the error is another one.
    """
    if not is_out_of_memory(error):
        return None
    streams, length = shape
    return (
        f"out of memory at a segment of {streams} x {length} (streams x tokens); lower training.segment_length from "
        f"{length} to {max(1, length // 2)}, or training.streams, or choose a smaller model"
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Recognizes every backend's error by name and text, since none of them is imported here."""
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return True
    of_a_backend = type(error).__module__.partition(".")[0] in ("tensorflow", "jaxlib", "torch")
    return (of_a_backend or isinstance(error, RuntimeError)) and bool(OUT_OF_MEMORY.search(str(error)))
