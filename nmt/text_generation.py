"""Text from a language model: sampled lines, or running text that goes on over the ends of lines.

The random numbers are drawn beforehand, row by row, so that a seed gives the same text and more lines begin with the
same ones. Knows no run folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from nmt.language_model import LanguageModel
from nmt.search import Hypotheses, sample
from nmt.search.sampling import Adjust, adjustment
from nmt.tokenizer import END_ID, START_ID, UNKNOWN_ID, Tokenizer

ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class Sampling:
    """What tokens are drawn from.

    Attributes:
        temperature: of the softmax; 1 is the model's own distribution, 0 always takes the likeliest token, and so does
            what is below `nmt.search.sampling.GREEDY_BELOW`.
        top_k: so many of the likeliest tokens alone; None: all.
        top_p: the likeliest tokens alone that have this probability together; 1: all.
        seed: of the random numbers.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    seed: int = 1

    @property
    def adjust(self) -> Adjust:
        """What makes the model's distribution to the one that is drawn from."""
        return adjustment(self.temperature, self.top_k, self.top_p)


class Sampler(keras.Model):
    """From the last tokens and the states after them to sampled tokens: model and loop in one graph.

    Args:
        model: the language model.
        sampling: what tokens are drawn from.
        max_tokens: tokens of a row, at most; with `running`, exactly.
        running: whether a row goes on over the ends of its lines.
    """

    def __init__(self, model: LanguageModel, sampling: Sampling, max_tokens: int, running: bool) -> None:
        super().__init__(name="sampler")
        self.model = model
        self.sampling = sampling
        self.max_tokens = max_tokens
        self.running = running

    def call(self, inputs: dict[str, Any]) -> Hypotheses:
        """Samples rows: `last` tokens (rows,), `state` before them, `uniforms` (rows, 1, max_tokens)."""
        last, uniforms = inputs["last"], inputs["uniforms"]

        def step(token_ids: Any, state: Any) -> tuple[Any, Any, Any]:
            # Sampling begins with the start of sentence and never draws it: here it stands for the last token.
            return self.model.step(ops.where(token_ids == START_ID, last, token_ids), state)

        limits = None if self.running else ops.full_like(last, self.max_tokens)
        return sample(step, inputs["state"], limits, self.max_tokens, uniforms, self.sampling.adjust)


class TextGenerator:
    """Writes text with a language model.

    Args:
        model: the language model, float32.
        tokenizer: its own.
        sampling: what tokens are drawn from.
    """

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer, sampling: Sampling) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.sampling = sampling

    def lines(self, count: int, max_tokens: int, prefix: str = "") -> Iterator[str]:
        """Samples lines to their ends, many as one batch.

        Args:
            count: number of lines.
            max_tokens: tokens that are sampled of each, at most, its end included.
            prefix: text that the model reads first and that each line begins with.
        """
        sampler = Sampler(self.model, self.sampling, max_tokens, running=False)
        generator = np.random.default_rng(self.sampling.seed)
        beginning = self._encode(prefix)
        for start in range(0, count, ROWS_AT_ONCE):
            rows = min(ROWS_AT_ONCE, count - start)
            for ids in self._sample(sampler, beginning, generator.random((rows, max_tokens), np.float32)):
                yield self._continue(prefix, beginning, ids[: ids.index(END_ID)])

    def running_text(self, tokens: int, prefix: str = "") -> str:
        """Samples so many tokens of running text, in which each end of a line is a newline, after a prefix."""
        sampler = Sampler(self.model, self.sampling, tokens, running=True)
        uniforms = np.random.default_rng(self.sampling.seed).random((1, tokens), np.float32)
        beginning = self._encode(prefix)
        (ids,) = self._sample(sampler, beginning, uniforms)
        return self._continue(prefix, beginning, ids)

    def unknown(self, prefix: str) -> list[str]:
        """The characters of a prefix, normalized, that the subword model does not know; each once, in their order."""
        unknown = ""
        for line in prefix.split("\n"):
            tokens = zip(self.tokenizer.pieces(line), self.tokenizer.encode(line), strict=True)
            unknown += "".join(piece for piece, token_id in tokens if token_id == UNKNOWN_ID)
        return list(dict.fromkeys(unknown.replace("\u2581", " ")))  # SentencePiece's sign for a space

    def _sample(self, sampler: Sampler, beginning: list[int], uniforms: np.ndarray) -> list[list[int]]:
        """Token ids of each row of random numbers, after the same beginning."""
        rows = len(uniforms)
        *before, last = END_ID, *beginning  # a text's first line begins as all others, after an end
        state = self.model.first_state(1)
        if before:
            _, state = self.model.read(np.array([before], np.int32), state)
        inputs = {
            "last": np.full((rows,), last, np.int32),
            "uniforms": uniforms[:, None],
            "state": tree.map_structure(lambda x: ops.repeat(x, rows, axis=0), state),
        }
        token_ids: list[list[int]] = sampler.predict_on_batch(inputs).token_ids[:, 0].tolist()
        return token_ids

    def _continue(self, prefix: str, beginning: list[int], token_ids: list[int]) -> str:
        """The text of a prefix, of token ids `beginning`, and of what was sampled after it."""
        text = self._decode([*beginning, *token_ids])
        if UNKNOWN_ID not in beginning:
            return text
        return prefix + text[len(self._decode(beginning)) :]  # as it was given: an unknown token has no text

    def _encode(self, text: str) -> list[int]:
        """Token ids of a text, an end between two lines."""
        first, *others = (self.tokenizer.encode(line) for line in text.split("\n"))
        return first + [token for ids in others for token in (END_ID, *ids)]

    def _decode(self, token_ids: list[int]) -> str:
        """The text of token ids, a newline for each end."""
        lines: list[list[int]] = [[]]
        for token in token_ids:
            if token == END_ID:
                lines.append([])
            else:
                lines[-1].append(token)
        return "\n".join(self.tokenizer.decode(ids) for ids in lines)
