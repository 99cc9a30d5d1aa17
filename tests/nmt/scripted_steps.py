"""Models that are tables: what comes next is looked up under the whole history of a hypothesis.

The histories are the nodes of a tree with one child for each word, so a state that is not reordered with its hypothesis
gives other numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from nmt.search import MISSING, Hypotheses
from nmt.tokenizer import END_ID, PAD_ID

A, B, C, D = WORDS = (4, 5, 6, 7)
VOCABULARY = 8
NEVER = -60.0  # log-probability of what a scripted table leaves out


class Script:
    """A step function over a table, which counts its calls.

    Args:
        table: log-probabilities (sentences, nodes, vocabulary). Deeper nodes than there are come round to the first.
        attention: (sentences, nodes, source_length); None: the model has none.
    """

    def __init__(self, table: np.ndarray, attention: np.ndarray | None = None) -> None:
        self.table = table.astype(np.float32)
        self.attention = None if attention is None else attention.astype(np.float32)
        self.calls = 0

    def state(self, sentences: Sequence[int] = (0,)) -> dict[str, Any]:
        """The first state for these sentences."""
        return {"sentence": ops.convert_to_tensor(sentences, "int32"), "node": ops.zeros((len(sentences),), "int32")}

    def __call__(self, token_ids: Any, state: Any) -> tuple[Any, Any, Any]:
        self.calls += 1
        sentence, node = state["sentence"], state["node"]
        node = ops.where(token_ids >= A, self._child(node, token_ids), node)
        place = sentence * self.table.shape[1] + node
        log_probs, attention = (
            None if values is None else ops.take(values.reshape(-1, values.shape[-1]), place, axis=0)
            for values in (self.table, self.attention)
        )
        return log_probs, attention, {"sentence": sentence, "node": node}

    def node(self, tokens: Sequence[int]) -> int:
        """Where a history stands in the table; only words count."""
        node = 0
        for token in tokens:
            node = self._child(node, token) if token >= A else node
        return node

    def log_prob(self, tokens: Sequence[int], sentence: int = 0) -> float:
        """Of tokens after the start."""
        return sum(float(self.table[sentence, self.node(tokens[:i]), token]) for i, token in enumerate(tokens))

    def _child(self, node: Any, token: Any) -> Any:
        _, nodes, vocabulary = self.table.shape
        return ((vocabulary - A) * node + token - A + 1) % nodes


class Found(NamedTuple):
    """One hypothesis, its end included."""

    tokens: list[int]
    log_prob: float
    score: float


def scripted(entries: dict[tuple[int, ...], dict[int, float]], depth: int = 4) -> Script:
    """Probabilities after each history of so many words at most."""
    script = Script(np.full((1, nodes_of(depth), VOCABULARY), NEVER))
    for history, probabilities in entries.items():
        for token, probability in probabilities.items():
            script.table[0, script.node(history), token] = math.log(probability)
    return script


def constant_script(probabilities: dict[int, float], sentences: int = 1) -> Script:
    """The same probabilities after every history."""
    table = np.full((sentences, 1, VOCABULARY), NEVER)
    table[:, :, list(probabilities)] = np.log(list(probabilities.values()))
    return Script(table)


def random_script(
    seed: int, sentences: int = 1, depth: int = 4, source_length: int = 0, vocabulary: int = VOCABULARY
) -> Script:
    """Random distributions, over the next token and over the source."""
    generator = np.random.default_rng(seed)
    nodes = nodes_of(depth, vocabulary - A)
    table = log_softmax(2.0 * generator.normal(size=(sentences, nodes, vocabulary)))
    attention = np.exp(log_softmax(2.0 * generator.normal(size=(sentences, nodes, source_length or 1))))
    return Script(table, attention if source_length else None)


def nodes_of(depth: int, words: int = len(WORDS)) -> int:
    """Histories of so many words at most."""
    return sum(words**length for length in range(depth + 1))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    normalized: np.ndarray = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return normalized


def rows_of(hypotheses: Hypotheses) -> list[list[Found]]:
    """The hypotheses that each row has, without padding; nothing but padding may follow an end."""
    token_ids, log_probs, scores = (ops.convert_to_numpy(part) for part in hypotheses)
    assert token_ids.shape[:2] == log_probs.shape == scores.shape
    rows = []
    for row in range(len(token_ids)):
        found = []
        for ids, log_prob, score in zip(token_ids[row].tolist(), log_probs[row], scores[row], strict=True):
            if score > MISSING:
                length = ids.index(END_ID) + 1
                assert set(ids[length:]) <= {PAD_ID}
                found.append(Found(ids[:length], float(log_prob), float(score)))
        rows.append(found)
    return rows
