"""Models and search together: what translation calls batch by batch, and export wraps as it is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from nmt.compiled import compiled
from nmt.config import DecodingConfig
from nmt.search import Breadth, Hypotheses, Ranking, Replay, Rule, Step, beam_search, greedy_search, replay, sample
from nmt.search.forced_words import Finished, search_with_words
from nmt.search.rules import at_least, compose, forced_prefix, never, no_repeated_ngram, repetition_penalty
from nmt.search.sampling import adjustment
from nmt.seq2seq import ChosenProjection
from nmt.tokenizer import PAD_ID, UNKNOWN_ID
from nmt.translation.ensemble import Choice, Ensemble
from nmt.translation.shortlist import shortlist_of
from nmt.translation_table import TranslationTable

EXTRA_TOKENS = 10

Inputs = dict[str, Any]


class LineModel(keras.Model):
    """What computes something of lines; on TensorFlow in one graph for a line alone and one for several together.

    The graph for a line alone takes plain products where the other takes products of batches. No graph knows lengths,
    and lines with prefixes have graphs of their own.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        if keras.backend.backend() == "tensorflow":
            self._compiled = compiled(partial(self.__call__, training=False), self, _known_shape)

    def build(self, shapes: Any) -> None:
        """Nothing: the models are built, and Keras need not look for it."""

    def predict_on_batch(self, inputs: Inputs) -> Any:
        """What `call` computes of lines, from NumPy arrays to NumPy arrays."""
        if keras.backend.backend() != "tensorflow":
            return super().predict_on_batch(inputs)
        return tree.map_structure(np.asarray, self._compiled(inputs))


class Searcher(LineModel):
    """Source token ids to target token ids.

    Args:
        ensemble: the models.
        config: how to search.
        banned_words: the rule that `config.banned_words` stands for, which needs the target's pieces; None: there is
            no such word.
        table: where `config.shortlist` asks for it.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        config: DecodingConfig,
        banned_words: Rule | None = None,
        table: TranslationTable | None = None,
    ) -> None:
        super().__init__("searcher")
        self.ensemble = ensemble
        self.decoding = config
        self.banned_words = banned_words
        self.table = table
        self._projections = [ChosenProjection(model) for model in ensemble.models] if table else []
        self.ranking = Ranking(
            config.length_normalization, config.length_penalty, config.word_reward, config.coverage_penalty
        )

    def call(self, inputs: Inputs) -> Hypotheses:
        """Translates rows.

        Args:
            inputs: `source_ids`: for each model of the ensemble right-padded ids that end with the end of sentence,
                (batch, source_length). `prefix_ids`, where translations shall begin with given tokens: right-padded,
                (batch, prefix_length). `uniforms`, for sampling: (batch, samples, max_length).
        """
        choice = self._choice(inputs)
        if choice is None:
            return self._search(inputs, None)
        found = self._search(inputs, choice)
        return found._replace(token_ids=ops.take(choice.token_ids, found.token_ids, axis=0))

    def _search(self, inputs: Inputs, choice: Choice | None) -> Hypotheses:
        """The search that the configuration asks for; with a choice, it gives places among the tokens there."""
        memories = self.ensemble.remember(inputs["source_ids"])
        step, state = self.ensemble.step_over(memories, choice), self.ensemble.first_state(memories)
        limits = self.limits(inputs)
        max_length, rule = self.decoding.max_length, self._rule(inputs)
        if self.decoding.samples:
            adjust = adjustment(self.decoding.temperature, self.decoding.top_k, self.decoding.top_p)
            return sample(step, state, limits, max_length, inputs["uniforms"], adjust, rule, self.ranking)
        if self.decoding.beam_size == 1:
            return greedy_search(step, state, limits, max_length, rule, self.ranking)
        breadth = Breadth(
            self.decoding.beam_size,
            self.decoding.n_best,
            self.decoding.diversity_groups,
            self.decoding.diversity_strength,
            self.decoding.lookahead,
        )
        mask = ops.not_equal(inputs["source_ids"][0], PAD_ID) if self.decoding.coverage_penalty else None

        def narrow(rows: Any) -> tuple[Step, Rule]:
            own = [memory.take(rows) for memory in memories]
            return self.ensemble.step_over(own, choice), self._rule(inputs, rows)

        can_narrow = keras.backend.backend() == "tensorflow"  # JAX compiles for known shapes alone
        return beam_search(
            step, state, limits, max_length, breadth, rule, self.ranking, mask, narrow if can_narrow else None
        )

    def search_with_words(self, inputs: Inputs, words: Sequence[Sequence[int]], continues_word: np.ndarray) -> Finished:
        """The best translation of one sentence that has given words (see `nmt.search.forced_words`)."""
        memories = self.ensemble.remember(inputs["source_ids"])
        step, state = self.ensemble.step_over(memories), self.ensemble.first_state(memories)
        (limit,) = ops.convert_to_numpy(self.limits(inputs)).tolist()
        size = self.decoding.beam_size
        return search_with_words(step, state, limit, words, size, continues_word, self._rule(inputs), self.ranking)

    def _choice(self, inputs: Inputs) -> Choice | None:
        """The tokens that search chooses from; None: from all, as where lines have prefixes, which may be anything."""
        count, table = self.decoding.shortlist, self.table
        if table is None or "prefix_ids" in inputs or not 0 < count < len(table.frequencies):
            return None
        token_ids = shortlist_of(table, inputs["source_ids"][0], count)
        return Choice(token_ids, [projection.to(token_ids) for projection in self._projections])

    def limits(self, inputs: Inputs) -> Any:
        """Tokens of each row at most, the end of sentence included; (batch,)."""
        lengths = _lengths(inputs["source_ids"][0])
        limits = ops.cast(ops.cast(lengths, "float32") * self.decoding.max_length_ratio, "int32") + EXTRA_TOKENS
        if "prefix_ids" in inputs:
            limits = limits + _lengths(inputs["prefix_ids"])
        return ops.minimum(limits, self.decoding.max_length)

    def _rule(self, inputs: Inputs, rows: Any = None) -> Rule:
        """What search may choose in some rows of the batch, or in all."""
        config, rules = self.decoding, []
        if config.repetition_penalty > 1.0:
            rules.append(repetition_penalty(config.repetition_penalty))
        if config.no_repeated_ngram:
            rules.append(no_repeated_ngram(config.no_repeated_ngram))
        if config.ban_unknown:
            rules.append(never([UNKNOWN_ID]))
        if config.min_length:
            rules.append(at_least(config.min_length))
        if self.banned_words is not None:
            rules.append(self.banned_words)
        rule = compose(rules)
        if "prefix_ids" not in inputs:
            return rule
        prefix_ids = inputs["prefix_ids"]
        return forced_prefix(prefix_ids if rows is None else ops.take(prefix_ids, rows, axis=0), rule)


class Replayer(LineModel):
    """Source and target token ids to what the models say of each target token.

    Args:
        ensemble: the models.
        with_attention: whether to return the first model's attention.
    """

    def __init__(self, ensemble: Ensemble, with_attention: bool = False) -> None:
        super().__init__("replayer")
        self.ensemble = ensemble
        self.with_attention = with_attention

    def call(self, inputs: Inputs) -> Replay:
        """Replays rows: `source_ids` as for `Searcher`, and `target_ids` (batch, target_length) without start."""
        source_ids = inputs["source_ids"]
        memories = self.ensemble.remember(source_ids)
        step, state = self.ensemble.step_over(memories), self.ensemble.first_state(memories)
        source_length = ops.shape(source_ids[0])[1] if self.with_attention else 0
        return replay(step, state, inputs["target_ids"], source_length)


def _known_shape(array: Any) -> tuple[int | None, ...]:
    """What a graph knows of an input's shape: whether there is one row, and how many random numbers a row gets."""
    rows, *sizes = array.shape
    is_ids = np.issubdtype(array.dtype, np.integer)
    return 1 if rows == 1 else None, *(None if is_ids else size for size in sizes)


def _lengths(token_ids: Any) -> Any:
    """Tokens of each row of right-padded ids; (batch,)."""
    return ops.sum(ops.cast(ops.not_equal(token_ids, PAD_ID), "int32"), axis=1)
