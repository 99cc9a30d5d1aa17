"""The signatures of an export: what each takes and gives, row by row of a batch. Knows no TensorFlow.

The first dimension of every tensor is the batch: a server merges requests along it. There are strings, 32-bit numbers
and truth values alone, since JSON carries neither bfloat16 nor half, and no name ends in `_bytes`, whose values
TensorFlow Serving would write in base64.
"""

from __future__ import annotations

from typing import NamedTuple

SIGNATURE, SCORE_SIGNATURE, N_BEST_SIGNATURE = "serving_default", "score_pairs", "nbest"
TOKENS_SIGNATURE, IDS_SIGNATURE = "tokenize", "translate_ids"


class Tensor(NamedTuple):
    """Type and number of dimensions."""

    type: str
    rank: int

    def __str__(self) -> str:
        """As messages name it."""
        return f"{self.type} of rank {self.rank}"


class Signature(NamedTuple):
    """Tensors by the names that a caller knows."""

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]


STRINGS, STRING_ROWS = Tensor("string", 1), Tensor("string", 2)
COUNTS, IDS = Tensor("int32", 1), Tensor("int32", 2)
FLOATS, FLOAT_ROWS = Tensor("float32", 1), Tensor("float32", 2)
FLAGS = Tensor("bool", 1)
FIGURES = {"log_prob": FLOATS, "score": FLOATS}


def signatures_of(with_text: bool, source_tokenizers: int = 1) -> dict[str, Signature]:
    """All signatures of an export, by name.

    Args:
        with_text: whether it takes and gives strings; else token ids alone.
        source_tokenizers: how many different ones its models read with.
    """
    by_ids = Signature(_token_ids(source_tokenizers), {**_token_ids(1), **FIGURES})
    if not with_text:
        return {SIGNATURE: by_ids, IDS_SIGNATURE: by_ids}
    text = {"text": STRINGS}
    n_best = {
        "translations": STRING_ROWS,
        "scores": FLOAT_ROWS,
        "log_probs": FLOAT_ROWS,
        "alignments": STRING_ROWS,
    }
    return {
        SIGNATURE: Signature(text, {"translation": STRINGS, **FIGURES, "cut": FLAGS}),
        N_BEST_SIGNATURE: Signature(text, n_best),
        SCORE_SIGNATURE: Signature({**text, "translation": STRINGS}, {"log_prob": FLOATS, "cut": FLAGS}),
        TOKENS_SIGNATURE: Signature(text, {**_token_ids(source_tokenizers), "pieces": STRING_ROWS, "cut": FLAGS}),
        IDS_SIGNATURE: by_ids,
    }


def numbered(name: str, i: int) -> str:
    """The name of what belongs to source tokenizer `i`, from 0: most exports have one only."""
    return name if i == 0 else f"{name}_{i + 1}"


def _token_ids(tokenizers: int) -> dict[str, Tensor]:
    """Rows of token ids, and how many of each row count."""
    ids = {numbered("token_ids", i): IDS for i in range(tokenizers)}
    return ids | {numbered("length", i): COUNTS for i in range(tokenizers)}
