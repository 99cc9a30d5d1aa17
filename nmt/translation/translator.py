"""Translation with models in memory: clean, tokenize, batch, search, detokenize.

In float32 unless `decoding.precision` says otherwise, whatever the training's was. Knows neither export nor training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from nmt.batches import pad
from nmt.config import DecodingConfig
from nmt.errors import DataError
from nmt.run_folder import RunFolder
from nmt.search import MISSING
from nmt.search.forced_words import check_room
from nmt.seq2seq import Seq2Seq
from nmt.seq2seq_run import load_seq2seq
from nmt.tokenizer import END_ID, PAD_ID, START_ID, UNKNOWN_ID, Tokenizer, clean_line
from nmt.translation.alignment import SPACE
from nmt.translation.banned_words import banned_words
from nmt.translation.copying import copy_unknown
from nmt.translation.ensemble import assemble, load_members
from nmt.translation.lines import Hypothesis, Line, LineTranslator, Translation
from nmt.translation.minimum_bayes_risk import by_expected_utility
from nmt.translation.searcher import Inputs, Replayer, Searcher
from nmt.translation.shortlist import table_for
from nmt.translation_table import TranslationTable

LENGTH_STEP = 8  # lengths are padded to multiples, so that few shapes occur


@dataclass(frozen=True)
class Sentence:
    """A line as the models read it.

    Attributes:
        text: cleaned.
        sources: token ids for each model of the ensemble, without start and end.
        number: as in `Line`.
        prefix: token ids that the translation begins with.
        cut: whether it was too long and the rest is missing.
    """

    text: str
    sources: tuple[list[int], ...]
    number: int = 0
    prefix: tuple[int, ...] = ()
    cut: bool = False


class Found(NamedTuple):
    """What search found: token ids without start and end, and their figures as in `Hypothesis`."""

    token_ids: list[int]
    log_prob: float
    score: float


class Translator(LineTranslator):
    """Translates lines with models in memory.

    Args:
        model: the translation model, which is rounded where `config.precision` asks for it.
        source_tokenizer: of the model's source side.
        target_tokenizer: of its target side.
        config: how to search; the models that it names are loaded.
        with_attention: whether hypotheses carry their attention.
        use_cudnn: see `Seq2Seq`; for the models that are loaded.
        table: of the model's subwords, where `config.shortlist` asks for it.

    Raises:
        DataError: a model that `config` names is missing or does not fit (see `load_members` and `fusion_partner`), the
            beam is wider than what it chooses from, a translation table is missing or does not fit, or attention is
            needed where the model has none.
        CorruptFileError: a model does not match its checksums.
    """

    def __init__(
        self,
        model: Seq2Seq,
        source_tokenizer: Tokenizer,
        target_tokenizer: Tokenizer,
        config: DecodingConfig,
        with_attention: bool = False,
        use_cudnn: bool | str = "auto",
        table: TranslationTable | None = None,
    ) -> None:
        self._check(model, target_tokenizer, config, with_attention)
        self._check_table(table, (source_tokenizer.size, target_tokenizer.size), config)
        self.source_tokenizer = source_tokenizer
        self.target_tokenizer = target_tokenizer
        self.config = config
        self.max_source_bytes = config.max_source_bytes
        self.with_attention = with_attention
        members = load_members(config, target_tokenizer, use_cudnn)
        self.source_tokenizers = [source_tokenizer, *(member.source_tokenizer for member in members)]
        self.ensemble = assemble(model, members, target_tokenizer, config)
        self.model = self.ensemble.models[0]
        banned = [target_tokenizer.normalize(word).replace(SPACE, " ") for word in config.banned_words]
        banned_rule = banned_words(banned, target_tokenizer.vocabulary)
        self.table = table
        self.searcher = Searcher(self.ensemble, config, banned_rule, table)
        self.replayer = Replayer(self.ensemble, with_attention=True)

    @property
    def description(self) -> dict[str, Any]:
        """The models' weights, by a checksum, and how they are searched."""
        checksum = hashlib.sha256()
        for variable in self.ensemble.weights:
            checksum.update(ops.convert_to_numpy(variable).tobytes())
        table = {"translation_table": self.table.checksum} if self.table else {}
        return {"weights": checksum.hexdigest(), "decoding": self.config.model_dump(mode="json"), **table}

    def read(self, lines: Sequence[Line]) -> list[Sentence]:
        """Cleans and tokenizes lines.

        Raises:
            DataError: a prefix leaves no room for a translation.
        """
        limit, max_bytes = self.config.max_source_tokens, self.config.max_source_bytes
        texts = [clean_line(line.text, max_bytes) for line in lines]
        encoded = list(zip(*(tokenizer.encode_all(texts) for tokenizer in self.source_tokenizers), strict=True))
        return [
            Sentence(
                text,
                tuple(ids[:limit] for ids in sources),
                line.number,
                self.read_prefix(line.number, line.prefix),
                cut=len(line.text) > max_bytes or any(len(ids) > limit for ids in sources),
            )
            for line, text, sources in zip(lines, texts, encoded, strict=True)
        ]

    def read_prefix(self, number: int, prefix: str) -> tuple[int, ...]:
        """The token ids of the prefix of line `number`, from 0.

        Raises:
            DataError: it leaves no room for a translation.
        """
        token_ids = self.target_tokenizer.encode(prefix) if prefix else []
        if UNKNOWN_ID in token_ids:
            raise DataError(
                f"line {number + 1}: expected a prefix of characters that the target's subword model knows, received "
                f"{prefix!r}; leave it out, or write it with other characters"
            )
        if len(token_ids) >= self.config.max_length:
            raise DataError(
                f"line {number + 1}: expected a prefix of fewer tokens than decoding.max_length "
                f"({self.config.max_length}), received {len(token_ids)}; shorten it, or raise max_length"
            )
        return tuple(token_ids)

    def check_prefix(self, number: int, prefix: str) -> None:
        """Refuses a prefix that leaves no room for a translation."""
        self.read_prefix(number, prefix)

    def search(self, sentences: Sequence[Sentence]) -> list[list[Found]]:
        """Translates one batch of sentences, none of which is empty; for each the best first."""
        token_ids, log_probs, scores = map(np.asarray, self.searcher.predict_on_batch(self._inputs(sentences)))
        ends = np.argmax(token_ids == END_ID, axis=2)  # (batch, found)
        return [
            [
                Found(token_ids[row, i, : ends[row, i]].tolist(), float(log_probs[row, i]), float(scores[row, i]))
                for i in range(token_ids.shape[1])
                if scores[row, i] > MISSING
            ]
            for row in range(len(sentences))
        ]

    def read_words(self, line: Line, words: Sequence[str]) -> list[list[int]]:
        """The token ids of words or phrases that the translation of a line shall have.

        Raises:
            DataError: a word is empty, or has characters that the target's subword model does not know; there are more
                of them than the translation can have; or this way to search knows no forced words.
        """
        config, where = self.config, f"line {line.number + 1}: forced words"
        if config.samples or config.coverage_penalty or config.n_best > 1 or config.diversity_groups > 1:
            raise DataError(
                "forced words: expected a search for the best translation, received samples, n_best, "
                "coverage_penalty or diversity_groups; leave them out"
            )
        encoded = [self.target_tokenizer.encode(word) for word in words]
        for word, token_ids in zip(words, encoded, strict=True):
            if not token_ids or UNKNOWN_ID in token_ids:
                raise DataError(
                    f"{where}: expected words of characters that the target's subword model knows, received {word!r}; "
                    f"leave it out, or write it with other characters"
                )
        sentences = self.read([line])
        if encoded and not any(sentences[0].sources):
            raise DataError(f"{where}: expected a text to translate, received {line.text!r}; leave them out")
        (limit,) = np.asarray(self.searcher.limits(self._inputs(sentences))).tolist()
        check_room(encoded, limit)
        return encoded

    def translate_with_words(self, line: Line, words: Sequence[list[int]]) -> Translation:
        """Translates one line so that it has given words, wherever they fit (see `nmt.search.forced_words`).

        Args:
            line: what to translate.
            words: the token ids of each (see `read_words`).

        Raises:
            DataError: no translation has them all.
        """
        (sentence,) = self.read([line])
        if not any(sentence.sources):
            return Translation((Hypothesis("", 0.0, 0.0),), sentence.cut)
        found = self.searcher.search_with_words(self._inputs([sentence]), words, self._continues_word)
        best = Found([*found.token_ids[:-1]], found.log_prob, found.score)
        return Translation(self.hypotheses_of([(sentence, best)]), sentence.cut)

    def with_seed(self, seed: int) -> Translator:
        """The same translator with other random numbers; it shares the compiled search."""
        other = copy(self)
        other.config = self.config.model_copy(update={"seed": seed})
        return other

    def attend(self, sentences: Sequence[Sentence], targets: Sequence[list[int]]) -> list[np.ndarray]:
        """The attention of each target's tokens and its end to the source's tokens and its end."""
        target_ids = _padded([[*ids, END_ID] for ids in targets])
        inputs = {"source_ids": self.source_ids(sentences), "target_ids": target_ids}
        _, attention = self.replayer.predict_on_batch(inputs)  # (batch, target_length, source_length)
        return [
            np.array(weights[: len(target) + 1, : len(sentence.sources[0]) + 1])  # a view would keep the whole batch
            for weights, target, sentence in zip(attention, targets, sentences, strict=True)
        ]

    def _inputs(self, sentences: Sequence[Sentence]) -> Inputs:
        inputs: Inputs = {"source_ids": self.source_ids(sentences)}
        if any(sentence.prefix for sentence in sentences):
            inputs["prefix_ids"] = _padded([list(sentence.prefix) for sentence in sentences])
        if self.config.samples:
            inputs["uniforms"] = np.stack([self._uniforms(sentence.number) for sentence in sentences])
        return inputs

    def source_ids(self, sentences: Sequence[Sentence]) -> list[np.ndarray]:
        """What the models read: for each of the ensemble (batch, source_length)."""
        by_model = zip(*(sentence.sources for sentence in sentences), strict=True)
        return [_padded([[*ids, END_ID] for ids in sources]) for sources in by_model]

    def _uniforms(self, number: int) -> np.ndarray:
        """Random numbers of a line (samples, max_length): they depend on the seed and its number alone."""
        shape = self.config.samples, self.config.max_length
        return np.random.default_rng((self.config.seed, number)).random(shape, np.float32)

    def _translate_together(self, lines: list[Line], progress: Callable[[int], None]) -> list[Translation]:
        sentences = self.read(lines)
        translations = [Translation((Hypothesis("", 0.0, 0.0),), sentence.cut) for sentence in sentences]
        order = sorted(
            (i for i, sentence in enumerate(sentences) if any(sentence.sources)),
            key=lambda i: -len(sentences[i].sources[0]),
        )
        progress(len(lines) - len(order))
        size = max(1, self.config.batch_size // max(1, self.config.samples))  # each sample takes a row
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            batch = [sentences[i] for i in rows]
            for i, hypotheses in zip(rows, self._hypotheses(batch), strict=True):
                translations[i] = replace(translations[i], hypotheses=hypotheses)
            progress(len(rows))
        return translations

    def _hypotheses(self, sentences: Sequence[Sentence]) -> list[tuple[Hypothesis, ...]]:
        """The hypotheses of one batch of sentences, in the order in which they are returned."""
        found = self.search(sentences)
        flat = [(sentence, one) for sentence, of in zip(sentences, found, strict=True) for one in of]
        made = iter(self.hypotheses_of(flat))
        by_line = [list(islice(made, len(of))) for of in found]
        if self.config.minimum_bayes_risk:
            by_line = [[of[i] for i in by_expected_utility([one.text for one in of])] for of in by_line]
        return [tuple(of) for of in by_line]

    def hypotheses_of(self, pairs: Sequence[tuple[Sentence, Found]]) -> tuple[Hypothesis, ...]:
        """What was found, for people to read."""
        attentions = self._attentions(pairs)
        return tuple(
            self._hypothesis(sentence, found, attention)
            for (sentence, found), attention in zip(pairs, attentions, strict=True)
        )

    def _attentions(self, pairs: Sequence[tuple[Sentence, Found]]) -> Sequence[np.ndarray | None]:
        """The attention of each hypothesis where somebody needs it."""
        is_needed = [
            self.with_attention or (self.config.copy_unknown and UNKNOWN_ID in found.token_ids) for _, found in pairs
        ]
        needing = [pair for pair, needed in zip(pairs, is_needed, strict=True) if needed]
        attentions: list[np.ndarray] = []
        for start in range(0, len(needing), self.config.batch_size):
            part = needing[start : start + self.config.batch_size]
            attentions += self.attend([sentence for sentence, _ in part], [found.token_ids for _, found in part])
        remaining = iter(attentions)
        return [next(remaining) if needed else None for needed in is_needed]

    def _hypothesis(self, sentence: Sentence, found: Found, attention: np.ndarray | None) -> Hypothesis:
        pieces = tuple(self.pieces[i] for i in found.token_ids)
        text = self.target_tokenizer.decode(found.token_ids)
        source_pieces: tuple[str, ...] = ()
        if attention is not None:
            source_ids = sentence.sources[0]
            source_pieces = tuple(self.source_tokenizer.pieces(sentence.text)[: len(source_ids)])
            if self.config.copy_unknown and UNKNOWN_ID in found.token_ids:
                pieces = copy_unknown(found.token_ids, pieces, attention, source_ids, source_pieces)
                text = self.target_tokenizer.decode_pieces(pieces)
        kept = attention if self.with_attention else None
        return Hypothesis(text, found.log_prob, found.score, pieces, kept, source_pieces)

    @cached_property
    def _continues_word(self) -> np.ndarray:
        """Whether a piece goes on with the word before it; (vocabulary,)."""
        return np.array([not piece.startswith(SPACE) and piece[:1].isalnum() for piece in self.pieces])

    @cached_property
    def pieces(self) -> list[str]:
        """The target's pieces by their ids."""
        return self.target_tokenizer.vocabulary

    @staticmethod
    def _check(model: Seq2Seq, target: Tokenizer, config: DecodingConfig, with_attention: bool) -> None:
        """Refuses a search that this model cannot do."""
        never = len((PAD_ID, START_ID))
        if config.beam_size > target.size - never and not config.samples:
            raise DataError(
                f"decoding.beam_size: expected at most the {target.size - never:,} pieces that the target's subword "
                f"model has to choose from, received {config.beam_size}; take a smaller beam"
            )
        if config.shortlist and config.beam_size > config.shortlist - never:
            raise DataError(
                f"decoding.beam_size: expected at most the {config.shortlist - never:,} tokens that decoding.shortlist "
                f"leaves to choose from, received {config.beam_size}; take a smaller beam, or a longer shortlist"
            )
        wish = (
            "decoding.coverage_penalty" if config.coverage_penalty
            else "decoding.copy_unknown" if config.copy_unknown
            else "an alignment" if with_attention
            else ""
        )  # fmt: skip
        if wish and model.config.attention == "none":
            raise DataError(
                f"{wish} needs a model with attention, received one with model.attention: none; leave it out, or train "
                f"a model with attention"
            )

    @staticmethod
    def _check_table(table: TranslationTable | None, sizes: tuple[int, int], config: DecodingConfig) -> None:
        """Refuses a shortlist without a table of these vocabularies."""
        if config.shortlist and table is None:
            raise DataError(
                "decoding.shortlist: expected a translation table, received none; give that of the run folder (see "
                "table_for), or leave it out"
            )
        if table is not None and table.sizes != sizes:
            raise DataError(
                f"decoding.shortlist: expected a translation table of {sizes[0]:,} source and {sizes[1]:,} target "
                f"pieces, received one of {table.sizes[0]:,} and {table.sizes[1]:,}; run nmt shortlist again"
            )


def load_translator(
    folder: Path,
    checkpoint: str = "best",
    decoding: DecodingConfig | None = None,
    use_cudnn: bool | str = "auto",
    with_attention: bool = False,
) -> Translator:
    """A translator from a run folder.

    Args:
        folder: the run folder.
        checkpoint: `best` or `last`.
        decoding: instead of the run's own.
        use_cudnn: see `Seq2Seq`.
        with_attention: whether hypotheses carry their attention.

    Raises:
        DataError: the folder is no run folder or has no checkpoint yet, or what `decoding` asks for does not fit (see
            `Translator` and `table_for`).
        CorruptFileError: a checkpoint or the translation table does not match its checksums.
    """
    model, source, target, config = load_seq2seq(folder, checkpoint, use_cudnn)
    decoding = decoding or config.decoding
    table = table_for(RunFolder(folder), decoding)
    return Translator(model, source, target, decoding, with_attention, use_cudnn, table)


def _padded(rows: Sequence[list[int]]) -> np.ndarray:
    """Right-padded to a multiple of `LENGTH_STEP`; (rows, length)."""
    length = max(1, -(-max(map(len, rows)) // LENGTH_STEP)) * LENGTH_STEP
    return pad([np.array(row, np.int32) for row in rows], length)
