"""The shortlist: the target tokens that the translations of some lines can be expected to need.

A search among them takes less of the output projection, and of all that looks at every token: of a thousand among
8,000, an eighth (the vocabulary of each batch: Jean et al. 2015, section 3.2; L'Hostis et al. 2016). It knows tokens by
their places on the list, from 0; the special tokens keep their ids, so rules need not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from nmt.batches import pad
from nmt.config import DecodingConfig
from nmt.corpus import PreparedCorpus, TokenPairs
from nmt.errors import DataError
from nmt.run_folder import RunFolder
from nmt.tokenizer import END_ID, PAD_ID, START_ID, UNKNOWN_ID
from nmt.translation_table import TranslationTable, learn_translation_table, read_translation_table

SPECIAL = max(PAD_ID, UNKNOWN_ID, START_ID, END_ID) + 1  # ids below are special tokens'


def shortlist_of(table: TranslationTable, source_ids: Any, count: int) -> Any:
    """The special tokens, and those that are expected most often.

    A token is expected as often as the table says for all source tokens together; as it does not know every use of a
    frequent token, as many target tokens again are expected by their frequency alone.

    Args:
        table: of the model's source and target tokens.
        source_ids: right-padded ids that end with the end of sentence; (batch, source_length).
        count: how many, at most as many as there are.

    Returns:
        Token ids in ascending order (count,), int32.
    """
    vocabulary = len(table.frequencies)
    rows = ops.reshape(source_ids, (-1,))
    is_token = ops.cast(rows != PAD_ID, "float32")  # (tokens,)
    shares = ops.take(table.probabilities, rows, axis=0) * is_token[:, None]  # (tokens, kept)
    places = ops.reshape(ops.take(table.token_ids, rows, axis=0), (-1,))
    expected = ops.segment_sum(ops.reshape(shares, (-1,)), places, num_segments=vocabulary)
    expected = expected + ops.sum(is_token) * table.frequencies
    expected = ops.where(ops.arange(vocabulary) < SPECIAL, float("inf"), expected)
    _, chosen = ops.top_k(expected, count, sorted=False)
    return ops.sort(ops.cast(chosen, "int32"))


def table_for(run: RunFolder, decoding: DecodingConfig) -> TranslationTable | None:
    """The translation table of a run folder, where `decoding.shortlist` asks for it.

    Raises:
        DataError: there is none, or it was learned from another corpus than the model was trained on.
        CorruptFileError: it is damaged.
    """
    if not decoding.shortlist:
        return None
    table = read_translation_table(run.folder)
    if table.fingerprint != run.corpus_fingerprint():
        raise DataError(
            f"decoding.shortlist: expected a translation table of the corpus {run.corpus_fingerprint()[:12]}... that "
            f"{run.folder} was trained on, received one of {table.fingerprint[:12]}...; run nmt shortlist {run.folder}"
        )
    return table


def learn_table(run: RunFolder, corpus: PreparedCorpus) -> TranslationTable:
    """The translation table for a run folder, learned from the corpus that it was trained on."""
    source, target = run.tokenizers()
    return learn_translation_table(corpus.tokens("train"), source.size, target.size, corpus.fingerprint)


def coverage(table: TranslationTable, pairs: TokenPairs, batch_size: int, counts: Sequence[int]) -> list[float]:
    """The share of the target tokens of a corpus that are on the shortlists of their batches.

    Args:
        table: of the same tokens.
        pairs: whose sources are batched by their lengths, longest first.
        batch_size: lines of a batch.
        counts: lengths of shortlists; a share is given for each.
    """
    order, found = np.argsort(-pairs.source.lengths, kind="stable"), np.zeros(len(counts), np.int64)
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        source_ids = pad([np.append(pairs.source[row], END_ID) for row in rows], int(pairs.source.lengths[rows[0]]) + 1)
        targets = np.concatenate([pairs.target[row] for row in rows])
        for i, count in enumerate(counts):
            found[i] += np.isin(targets, ops.convert_to_numpy(shortlist_of(table, source_ids, count))).sum()
    return [int(one) / max(1, len(pairs.target.values)) for one in found]
