"""What a SavedModel computes: its signatures, as a server calls them.

    serving_default   text (batch,)                       translation, score, log_prob, cut
    nbest             text (batch,)                       translations, scores, log_probs, alignments: (batch, n)
    score_pairs       text, translation (batch,)          log_prob, cut
    tokenize          text (batch,)                       token_ids, pieces (batch, length), length, cut
    translate_ids     token_ids (batch, length), length   token_ids, length, score, log_prob

All as `nmt.translation` computes them. `translate_ids` needs no operation of TF Text, and is all that an export of
token ids holds. No text and no token id whatever makes an error: a server that merges requests would lose the whole
batch by one. A request whose inputs do not have the same number of rows is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from nmt.export.alignment import alignments, word_table, words_of
from nmt.export.text import TextTokenizers
from nmt.export.token_rows import ended, is_written
from nmt.saved_model.signatures import (
    IDS_SIGNATURE,
    N_BEST_SIGNATURE,
    SCORE_SIGNATURE,
    SIGNATURE,
    TOKENS_SIGNATURE,
    numbered,
)
from nmt.search import MISSING
from nmt.tokenizer import END_ID, PAD_ID, UNKNOWN_ID, UNKNOWN_TEXT, Tokenizer
from nmt.translation.searcher import Replayer, Searcher
from nmt.translation.translator import Translator


class TokenTranslator(tf.Module):
    """Token ids to token ids, in TensorFlow's own operations.

    Args:
        translator: models and search; it must not use cuDNN.

    Attributes:
        sources: the different source tokenizers, which `token_ids`, `token_ids_2` and so on belong to.
    """

    def __init__(self, translator: Translator) -> None:
        super().__init__(name="translator")
        ensemble, decoding = translator.ensemble, translator.config
        self.weights = [variable.value for variable in ensemble.variables]  # Keras' models themselves are not saved
        self._decoding = decoding
        self.sources, self._source_of = _distinct(translator.source_tokenizers)
        best_only = decoding.model_copy(update={"n_best": 1})
        self._search = Searcher(ensemble, best_only, translator.searcher.banned_words).__call__

    def signatures(self) -> dict[str, Any]:
        """Functions by the signatures' names."""
        return dict.fromkeys((SIGNATURE, IDS_SIGNATURE), self._ids_function())

    def _ids_function(self) -> Any:
        """The signature `translate_ids`, whose inputs depend on the number of different source tokenizers."""
        specs = {}
        for i in range(len(self.sources)):
            specs[numbered("token_ids", i)] = tf.TensorSpec([None, None], tf.int32)
            specs[numbered("length", i)] = tf.TensorSpec([None], tf.int32)
        return tf.function(self._translate_ids, autograph=False).get_concrete_function(**specs)

    def _translate_ids(self, **inputs: Any) -> dict[str, Any]:
        """Translates token ids without start and end.

        Args:
            inputs: for each source tokenizer `token_ids` (batch, length), and in `length` how many of them count
                (batch,).
        """
        rows = [
            self._known(inputs[numbered("token_ids", i)], inputs[numbered("length", i)], tokenizer.size)
            for i, tokenizer in enumerate(self.sources)
        ]
        has_tokens = tf.reduce_any(tf.stack([lengths for _, lengths in rows]) > 0, axis=0)  # (batch,)
        found = self._search({"source_ids": [ended(*rows[i]) for i in self._source_of]})
        token_ids = found.token_ids[:, 0]  # (batch, max_length)
        is_text = tf.logical_and(is_written(token_ids), has_tokens[:, tf.newaxis])
        return {
            "token_ids": tf.where(is_text, token_ids, PAD_ID),
            "length": tf.reduce_sum(tf.cast(is_text, tf.int32), axis=1),
            **_figures(found, has_tokens),
        }

    def _known(self, token_ids: Any, lengths: Any, size: int) -> tuple[Any, Any]:
        """Ids and lengths that make no error: what is no piece of the vocabulary is unknown, and the rest is cut."""
        lengths = _one_a_row(lengths, token_ids)
        is_piece = tf.logical_and(token_ids > END_ID, token_ids < size)
        longest = tf.minimum(tf.shape(token_ids)[1], self._decoding.max_source_tokens)
        return tf.where(is_piece, token_ids, UNKNOWN_ID), tf.clip_by_value(lengths, 0, longest)


class StringTranslator(TokenTranslator):
    """Strings to strings.

    Args:
        translator: models, search and tokenizers; it must not use cuDNN.
    """

    def __init__(self, translator: Translator) -> None:
        super().__init__(translator)
        ensemble, decoding, target = translator.ensemble, translator.config, translator.target_tokenizer
        self.tokenizers = TextTokenizers([source.model for source in self.sources], target.model, decoding)
        self._pieces = self.sources[0].vocabulary
        self._source_words = word_table(self._pieces, unknown_text="x")
        self._target_words = word_table(target.vocabulary, UNKNOWN_TEXT)
        self._search_all = Searcher(ensemble, decoding, translator.searcher.banned_words).__call__
        self._replay = Replayer(ensemble).__call__
        self._attends = translator.model.config.attention != "none"
        self._replay_with_attention = Replayer(ensemble, with_attention=True).__call__
        text, translation = (tf.TensorSpec([None], tf.string, name=name) for name in ("text", "translation"))
        self.translate = _function(self._translate, text)
        self.translate_n_best = _function(self._translate_n_best, text)
        self.score_pairs = _function(self._score_pairs, text, translation)
        self.tokenize = _function(self._tokenize, text)

    def signatures(self) -> dict[str, Any]:
        """Functions by the signatures' names."""
        return {
            SIGNATURE: self.translate,
            N_BEST_SIGNATURE: self.translate_n_best,
            SCORE_SIGNATURE: self.score_pairs,
            TOKENS_SIGNATURE: self.tokenize,
            IDS_SIGNATURE: self._ids_function(),
        }

    def _translate(self, text: Any) -> dict[str, Any]:
        """The best translation of strings (batch,)."""
        read = self.tokenizers.read(text)
        found = self._search({"source_ids": self._for_models(read.token_ids)})
        return {
            "translation": self.tokenizers.write(found.token_ids[:, 0], read.has_tokens),
            **_figures(found, read.has_tokens),
            "cut": read.cut,
        }

    def _translate_n_best(self, text: Any) -> dict[str, Any]:
        """The best translations of strings (batch,), best first; one that is not there has `MISSING` for its figures.

        A line without tokens has one translation, the empty one.
        """
        read = self.tokenizers.read(text)
        found = self._search_all({"source_ids": self._for_models(read.token_ids)})
        n = 1 if self._decoding.beam_size == 1 else self._decoding.n_best
        has_tokens = read.has_tokens[:, tf.newaxis]
        is_there = tf.logical_and(found.scores > MISSING, has_tokens)  # (batch, n)
        nothing = tf.where(has_tokens, MISSING, tf.one_hot(0, n, on_value=0.0, off_value=MISSING))
        rows = tf.reshape(found.token_ids, [-1, tf.shape(found.token_ids)[2]])  # (batch * n, max_length)
        rows_there, shape = tf.reshape(is_there, [-1]), [-1, n]
        aligned = self._alignments(read.token_ids, rows, rows_there, n)
        return {
            "translations": tf.reshape(self.tokenizers.write(rows, rows_there), shape),
            "log_probs": tf.where(is_there, found.log_probs, nothing),
            "scores": tf.where(is_there, found.scores, nothing),
            "alignments": tf.reshape(aligned, shape),
        }

    def _score_pairs(self, text: Any, translation: Any) -> dict[str, Any]:
        """Log-probabilities of translations (batch,) of strings (batch,)."""
        source, target = self.tokenizers.read(text), self.tokenizers.read_target(_one_a_row(translation, text))
        (target_ids,) = target.token_ids
        log_probs, _ = self._replay({"source_ids": self._for_models(source.token_ids), "target_ids": target_ids})
        totals = tf.reduce_sum(tf.where(tf.equal(target_ids, PAD_ID), 0.0, log_probs), axis=1)
        return {
            "log_prob": tf.where(tf.logical_or(source.has_tokens, target.has_tokens), totals, 0.0),
            "cut": tf.logical_or(source.cut, target.cut),
        }

    def _tokenize(self, text: Any) -> dict[str, Any]:
        """Token ids of strings (batch,) without start and end, as `translate_ids` takes them, and their pieces."""
        read, outputs = self.tokenizers.read(text), {}
        for i, (token_ids, lengths) in enumerate(zip(read.token_ids, read.lengths, strict=True)):
            outputs[numbered("token_ids", i)] = tf.where(is_written(token_ids), token_ids, PAD_ID)
            outputs[numbered("length", i)] = lengths
        pieces = tf.gather(tf.constant(self._pieces), read.token_ids[0])
        return {**outputs, "pieces": tf.where(is_written(read.token_ids[0]), pieces, ""), "cut": read.cut}

    def _alignments(self, token_ids: list[Any], target_ids: Any, is_there: Any, n: int) -> Any:
        """Which words translations (batch * n, length) and their sources (batch, source_length) align; (batch * n,)."""
        if not self._attends:
            return tf.fill(tf.shape(is_there), "")
        lengths = tf.reduce_sum(tf.cast(tf.not_equal(target_ids, PAD_ID), tf.int32), axis=1)
        target_ids = target_ids[:, : tf.reduce_max(tf.concat([lengths, [1]], axis=0))]  # to replay is to walk
        repeated = [tf.repeat(ids, n, axis=0) for ids in self._for_models(token_ids)]
        _, attention = self._replay_with_attention({"source_ids": repeated, "target_ids": target_ids})
        source_ids = tf.repeat(token_ids[0], n, axis=0)
        is_text = tf.logical_and(is_written(target_ids), is_there[:, tf.newaxis])
        source = words_of(source_ids, is_written(source_ids), self._source_words)
        return alignments(attention, source, words_of(target_ids, is_text, self._target_words))

    def _for_models(self, token_ids: list[Any]) -> list[Any]:
        """What each model of the ensemble reads, of what each tokenizer made."""
        return [token_ids[i] for i in self._source_of]


def _one_a_row(values: Any, rows: Any) -> Any:
    """Values (batch,), after a look whether there is one for each row; else TensorFlow would repeat a single one."""
    expected, received = tf.shape(rows)[0], tf.shape(values)[0]
    advice = f"expected inputs of as many rows as {rows.name}; give one for each. Expected and received rows:"
    with tf.control_dependencies(
        [tf.raw_ops.Assert(condition=tf.equal(expected, received), data=[advice, expected, received])]
    ):
        return tf.identity(values)


def _figures(found: Any, has_tokens: Any) -> dict[str, Any]:
    """What the search says of the best translations; each (batch,)."""
    return {
        "log_prob": tf.where(has_tokens, found.log_probs[:, 0], 0.0),
        "score": tf.where(has_tokens, found.scores[:, 0], 0.0),
    }


def _function(compute: Any, *specs: Any) -> Any:
    return tf.function(compute, input_signature=list(specs), autograph=False)


def _distinct(tokenizers: Sequence[Tokenizer]) -> tuple[list[Tokenizer], list[int]]:
    """The different ones, and for each model of the ensemble the number of its own."""
    by_model = {tokenizer.model: tokenizer for tokenizer in reversed(tokenizers)}
    order = list(dict.fromkeys(tokenizer.model for tokenizer in tokenizers))
    return [by_model[model] for model in order], [order.index(tokenizer.model) for tokenizer in tokenizers]
