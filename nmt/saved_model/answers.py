"""What is asked of an export's signatures for a sample, and what they shall answer.

The answers are those of the run that was exported, as the signatures give them: a batch of one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from nmt.saved_model.calls import Arrays, Call, texts
from nmt.saved_model.samples import Sample
from nmt.saved_model.signatures import (
    N_BEST_SIGNATURE,
    SCORE_SIGNATURE,
    TOKENS_SIGNATURE,
    Signature,
    Tensor,
    numbered,
)
from nmt.search import MISSING

TOLERANCE = 1e-3  # of log-probabilities, relative to them where they are above 1


def empty_call(name: str, signature: Signature) -> Call:
    """A batch without rows."""
    return Call(name, {key: _no_rows(tensor) for key, tensor in signature.inputs.items()})


def call_of(name: str, signature: Signature, sample: Sample) -> Call:
    """A sample as a signature takes it."""
    given = {
        "text": texts([sample.line]),
        "translation": texts([sample.hypotheses[0].translation.encode()]),
        **ids_inputs([sample.source_ids]),
    }
    return Call(name, {key: given[key] for key in signature.inputs})


def ids_inputs(rows: Sequence[Sequence[list[int]]]) -> Arrays:
    """Token ids as `translate_ids` takes them.

    Args:
        rows: of each line, the ids of each source tokenizer.
    """
    inputs: dict[str, np.ndarray] = {}
    for i, of_tokenizer in enumerate(zip(*rows, strict=True)):
        inputs |= _padded(of_tokenizer, i)
    return inputs


def answer_to(name: str, signature: Signature, sample: Sample, n_best: int) -> Arrays:
    """What a signature shall answer to a sample."""
    best = sample.hypotheses[0]
    figures = {"log_prob": _floats([best.log_prob]), "score": _floats([best.score])}
    if name == N_BEST_SIGNATURE:
        return _n_best_answer(sample, n_best)
    if name == SCORE_SIGNATURE:
        return {"log_prob": _floats([sample.pair_log_prob]), "cut": np.array([sample.pair_cut])}
    if name == TOKENS_SIGNATURE:
        pieces = texts([piece.encode() for piece in sample.pieces])[np.newaxis]
        return {**ids_inputs([sample.source_ids]), "pieces": pieces, "cut": np.array([sample.cut])}
    if "translation" in signature.outputs:
        return {"translation": texts([best.translation.encode()]), **figures, "cut": np.array([sample.cut])}
    return {**_padded([best.target_ids]), **figures}


def settled(name: str, sample: Sample, answer: Arrays) -> Arrays:
    """What of an answer rounding cannot decide.

    Of `nbest` the ranks above the first two scores that are equal within the tolerance; and no alignment of a line that
    was cut, whose attention may be the same in many places.
    """
    if name != N_BEST_SIGNATURE:
        return answer
    scores = [_floats([one.score]) for one in sample.hypotheses]
    equal = (rank for rank, (one, following) in enumerate(pairwise(scores)) if _are_equal(one, following))
    ranks = slice(next(equal, None))
    return {key: output[:, ranks] for key, output in answer.items() if key != "alignments" or not sample.cut}


def difference(expected: np.ndarray, received: np.ndarray) -> str:
    """How a signature's output is not the expected one; empty if it is.

    Args:
        expected: of one row; what it lacks on the right is padding, zeros or empty strings.
        received: with the same number of dimensions.
    """
    left = [size - missing for size, missing in zip(received.shape, expected.shape, strict=True)]
    if min(left) >= 0:
        padding = b"" if expected.dtype == object else 0
        padded = np.pad(expected, [(0, size) for size in left], constant_values=padding)
        if _are_equal(padded, received):
            return ""
    return f"expected {_shown(expected)}, received {_shown(received)}"


def _n_best_answer(sample: Sample, n_best: int) -> Arrays:
    """Of `n_best` places, those of translations that search did not find have `MISSING` for their figures."""
    found = sample.hypotheses
    missing = [MISSING] * (n_best - len(found))
    columns = {
        "translations": texts([one.translation.encode() for one in found]),
        "alignments": texts([one.alignment.encode() for one in found]),
        "log_probs": _floats([one.log_prob for one in found] + missing),
        "scores": _floats([one.score for one in found] + missing),
    }
    return {name: column[np.newaxis] for name, column in columns.items()}


def _padded(rows: Sequence[list[int]], tokenizer: int = 0) -> dict[str, np.ndarray]:
    """Rows of token ids, and their lengths, by the names of a tokenizer's tensors."""
    token_ids = np.zeros((len(rows), max(1, *map(len, rows)) if rows else 1), np.int32)
    for row, ids in zip(token_ids, rows, strict=True):
        row[: len(ids)] = ids
    lengths = np.array([len(ids) for ids in rows], np.int32)
    return {numbered("token_ids", tokenizer): token_ids, numbered("length", tokenizer): lengths}


def _no_rows(tensor: Tensor) -> np.ndarray:
    shape = (0, *[1] * (tensor.rank - 1))
    return np.empty(shape, object if tensor.type == "string" else tensor.type)


def _floats(values: Sequence[float]) -> np.ndarray:
    return np.array(values, np.float32)


def _are_equal(expected: np.ndarray, received: np.ndarray) -> bool:
    if expected.dtype == np.float32:
        return bool((np.abs(expected - received) <= TOLERANCE * np.maximum(1.0, np.abs(expected))).all())
    return bool((expected == received).all())


def _shown(array: np.ndarray) -> str:
    """The only row, as far as a message has room for it."""
    text = repr(array[0].tolist() if array.ndim > 1 else array.tolist()[0])
    return text if len(text) <= 200 else f"{text[:200]}..."
