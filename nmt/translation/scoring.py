"""Scores of given translations: the log-probability of each, and of each of its tokens, for filtering and reranking.

The models take the same steps as in search, so a translation that search found among all tokens (see
`decoding.shortlist`) has the same log-probability here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from nmt.batches import pad
from nmt.tokenizer import END_ID, clean_line
from nmt.translation.lines import LINES_AT_ONCE, Line
from nmt.translation.searcher import Replayer
from nmt.translation.translator import LENGTH_STEP, Sentence, Translator


@dataclass(frozen=True)
class Score:
    """A translation under a model.

    Attributes:
        log_prob: natural logarithm of its probability, the end of sentence included; with a language model or an
            ensemble, of what they say together.
        pieces: its tokens, for reading; the end of sentence is not among them.
        log_probs: of each piece, and of the end of sentence. Nothing as the translation of nothing has none, and the
            log-probability 0, as search says too.
        cut: whether source or translation was too long and only its beginning was scored.
    """

    log_prob: float
    pieces: tuple[str, ...]
    log_probs: tuple[float, ...]
    cut: bool = False


class PairScorer:
    """Scores translations with a translator's models.

    Args:
        translator: what would make the translations.
    """

    def __init__(self, translator: Translator) -> None:
        self.translator = translator
        self.replayer = Replayer(translator.ensemble)

    def score(
        self,
        pairs: Iterable[tuple[bytes, bytes]],
        progress: Callable[[int], None] = lambda lines: None,
        as_pieces: bool = False,
    ) -> Iterator[Score]:
        """Scores pairs in their order.

        Args:
            pairs: a source and its translation, encoded, without the newline; what is not UTF-8 is replaced by U+FFFD.
            progress: called with the number of pairs after each batch.
            as_pieces: translations are pieces with a space between, as search found them; else text, whose tokens may
                be others than those that search put together.
        """
        remaining = iter(pairs)
        while window := list(islice(remaining, LINES_AT_ONCE)):
            yield from self._score_together(window, progress, as_pieces)

    def _score_together(
        self, pairs: Sequence[tuple[bytes, bytes]], progress: Callable[[int], None], as_pieces: bool
    ) -> list[Score]:
        """Sorts pairs by length into batches, longest first, and puts the scores back in order."""
        sources = self.translator.read([Line(source) for source, _ in pairs])
        targets, cut = self._read_targets([target for _, target in pairs], as_pieces)
        lengths = [(len(target), len(source.sources[0])) for target, source in zip(targets, sources, strict=True)]
        order = sorted(range(len(pairs)), key=lambda i: lengths[i], reverse=True)
        is_empty = [not target and not any(source.sources) for target, source in zip(targets, sources, strict=True)]
        cut = [source.cut or was_cut for source, was_cut in zip(sources, cut, strict=True)]
        scores = {i: Score(0.0, (), (), cut[i]) for i, empty in enumerate(is_empty) if empty}
        order = [i for i in order if i not in scores]
        progress(len(scores))
        size = self.translator.config.batch_size
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            log_probs = self._log_probs([sources[i] for i in rows], [targets[i] for i in rows])
            for i, of in zip(rows, log_probs, strict=True):
                scores[i] = Score(float(of.sum()), self._pieces(targets[i]), tuple(of.tolist()), cut[i])
            progress(len(rows))
        return [scores[i] for i in range(len(pairs))]

    def _read_targets(self, lines: Sequence[bytes], as_pieces: bool) -> tuple[list[list[int]], list[bool]]:
        """Token ids of translations, and whether they were cut."""
        config, tokenizer = self.translator.config, self.translator.target_tokenizer
        max_bytes = config.max_source_bytes if not as_pieces else max(map(len, lines))
        texts = [clean_line(line, max_bytes) for line in lines]
        if as_pieces:  # other white space may be part of a piece
            encoded = [tokenizer.ids_of([piece for piece in text.split(" ") if piece]) for text in texts]
        else:
            encoded = tokenizer.encode_all(texts)
        limit = config.max_target_tokens
        cut = [len(line) > max_bytes or len(ids) > limit for line, ids in zip(lines, encoded, strict=True)]
        return [ids[:limit] for ids in encoded], cut

    def _log_probs(self, sources: Sequence[Sentence], targets: Sequence[list[int]]) -> list[np.ndarray]:
        """Of each token and the end of sentence; each (tokens + 1,)."""
        length = -(-(max(map(len, targets)) + 1) // LENGTH_STEP) * LENGTH_STEP
        target_ids = pad([np.array([*ids, END_ID], np.int32) for ids in targets], length)
        inputs = {"source_ids": self.translator.source_ids(sources), "target_ids": target_ids}
        log_probs, _ = self.replayer.predict_on_batch(inputs)  # (batch, length)
        return [np.asarray(row[: len(ids) + 1]) for row, ids in zip(log_probs, targets, strict=True)]

    def _pieces(self, token_ids: Sequence[int]) -> tuple[str, ...]:
        return tuple(self.translator.pieces[i] for i in token_ids)
