"""Words that a subword model does not know, copied from the source to where the translation attends to them.

Luong et al. (2015, "Addressing the rare word problem", section 3) trained a model to point at the source; here, the
attention points.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nmt.tokenizer import UNKNOWN_ID
from nmt.translation.alignment import SPACE, word_numbers


def copy_unknown(
    token_ids: Sequence[int],
    pieces: Sequence[str],
    attention: np.ndarray,
    source_ids: Sequence[int],
    source_pieces: Sequence[str],
) -> tuple[str, ...]:
    """The translation's pieces, each unknown one replaced by text of the source.

    Where the source has unknown pieces, it is the one of them with the most attention; else it is the source word with
    the most.

    Args:
        token_ids: of the translation.
        pieces: the same tokens, for reading.
        attention: (token_ids + 1, source_ids + 1); the last of each is the end of sentence.
        source_ids: of the source.
        source_pieces: the same tokens; an unknown one is its own text.
    """
    copied = list(pieces)
    for place, token_id in enumerate(token_ids):
        if token_id == UNKNOWN_ID and source_ids:
            copied[place] = _attended_text(attention[place, : len(source_ids)], source_ids, source_pieces)
    return tuple(copied)


def _attended_text(weights: np.ndarray, source_ids: Sequence[int], source_pieces: Sequence[str]) -> str:
    """Text of the source for one unknown token; weights are (source_ids,)."""
    unknown = np.array(source_ids) == UNKNOWN_ID
    if unknown.any():
        return source_pieces[int(np.where(unknown, weights, -1.0).argmax())]
    words = word_numbers(source_pieces)
    chosen = int(np.bincount(words, weights).argmax())
    return "".join(piece for piece, word in zip(source_pieces, words, strict=True) if word == chosen).strip(SPACE)
