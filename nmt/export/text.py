"""Strings to token ids and back inside the graph, by TF Text; the same as `nmt.tokenizer` makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from nmt.config import DecodingConfig
from nmt.export.token_rows import ended, is_written


class Read(NamedTuple):
    """Lines, or translations, as the models read them.

    Attributes:
        token_ids: of each tokenizer, with the end of sentence, right-padded; each (batch, source_length).
        lengths: their tokens, the end not counted; each (batch,).
        has_tokens: whether any tokenizer found a token; (batch,).
        cut: whether a line was too long; (batch,).
    """

    token_ids: list[Any]
    lengths: list[Any]
    has_tokens: Any
    cut: Any


class TextTokenizers(tf.Module):
    """The tokenizers of both sides.

    Args:
        source_models: the different SentencePiece models that the source is read with.
        target_model: the SentencePiece model of the target.
        decoding: limits of a line's length.
    """

    def __init__(self, source_models: Sequence[bytes], target_model: bytes, decoding: DecodingConfig) -> None:
        import tensorflow_text

        super().__init__(name="tokenizers")
        # The names keep them apart: without, all get the first one's model when loaded (tensorflow/text#1304).
        self.sources = [
            tensorflow_text.SentencepieceTokenizer(model, name=f"source_{i}") for i, model in enumerate(source_models)
        ]
        self.target = tensorflow_text.SentencepieceTokenizer(target_model, name="target")
        self.decoding = decoding

    def read(self, text: Any) -> Read:
        """Reads lines (batch,)."""
        return self._read(text, self.sources, self.decoding.max_source_tokens)

    def read_target(self, text: Any) -> Read:
        """Reads translations (batch,)."""
        return self._read(text, [self.target], self.decoding.max_target_tokens)

    def _read(self, text: Any, tokenizers: Sequence[Any], limit: int) -> Read:
        ragged = [self._tokenize(text, tokenizer) for tokenizer in tokenizers]
        whole = tf.stack([_lengths(ids) for ids in ragged])  # (tokenizers, batch)
        is_long = tf.strings.length(text, unit="BYTE") > self.decoding.max_source_bytes
        lengths = [tf.minimum(_lengths(ids), limit) for ids in ragged]
        return Read(
            [ended(ids[:, :limit].to_tensor(), length) for ids, length in zip(ragged, lengths, strict=True)],
            lengths,
            tf.reduce_any(whole > 0, axis=0),
            tf.logical_or(tf.reduce_any(whole > limit, axis=0), is_long),
        )

    def write(self, token_ids: Any, is_there: Any) -> Any:
        """The texts of token ids (rows, length), empty where there is none; (rows,)."""
        kept = tf.ragged.boolean_mask(token_ids, tf.logical_and(is_written(token_ids), is_there[:, tf.newaxis]))
        return tf.ensure_shape(self.target.detokenize(kept), [None])

    def _tokenize(self, text: Any, tokenizer: Any) -> Any:
        """Token ids of cleaned strings, without the end; (batch, tokens), ragged."""
        beginning = tf.strings.substr(text, 0, self.decoding.max_source_bytes, unit="BYTE")
        return tokenizer.tokenize(tf.strings.unicode_transcode(beginning, "UTF-8", "UTF-8", errors="replace"))


def _lengths(ragged: Any) -> Any:
    return tf.cast(ragged.row_lengths(), tf.int32)
