"""How many multiply-adds a target token takes, from the sizes alone.

Counted are the products of matrices: they are nearly all there is. Not counted are gates, softmax, dropout, the bridge
(once a sentence) and the optimizer. With E, H, D, V for the units of embedding, encoder direction, decoder and readout,
vocabulary, and S for the source tokens of a sentence (the end included), a forward pass takes

    a source token   2 * 4H (E + H)          both directions of the encoder
                     2H * D                  keys, where the attention projects them ("general")
    a target token   4D (E + D)              the decoder
                     4D * D                  more, where input feeding hands it the last readout
                     S * (D + 2H)            scores and context
                     (D + 2H) D              readout
                     D * V                   output projection

and a training step three times as many, since each product has two in the backward pass. A multiply-add is two
floating-point operations.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocol import Sizes

TRAINING_PASSES = 3
OPERATIONS = 2


@dataclass(frozen=True)
class Form:
    """In which way a system builds the model of these sizes.

    Attributes:
        input_feeding: whether the decoder reads its last readout.
        projects_keys: whether the attention compares with W k instead of k.
    """

    input_feeding: bool = False
    projects_keys: bool = False


@dataclass(frozen=True)
class Lengths:
    """Mean lengths of a corpus in tokens, the ends of sentences included."""

    source: float
    target: float


def multiply_adds(sizes: Sizes, form: Form, lengths: Lengths) -> float:
    """Multiply-adds of a forward pass for each target token."""
    embedding, encoder, decoder = sizes.embedding, sizes.encoder, sizes.decoder
    memory = 2 * encoder
    source = 2 * 4 * encoder * (embedding + encoder) + (memory * decoder if form.projects_keys else 0)
    fed = 4 * decoder * decoder if form.input_feeding else 0
    target = 4 * decoder * (embedding + decoder) + fed + (decoder + memory + sizes.vocabulary) * decoder
    return source * lengths.source / lengths.target + lengths.source * (decoder + memory) + target


def training_operations(sizes: Sizes, form: Form, lengths: Lengths) -> float:
    """Floating-point operations of a training step for each target token."""
    return OPERATIONS * TRAINING_PASSES * multiply_adds(sizes, form, lengths)
