"""Words that no translation may have, however their characters are cut into tokens.

A finite automaton reads the translation character by character and knows which banned words may be under way; it is
tabulated over the pieces of the vocabulary, so that search looks up what each token would do. Knows no search but its
rules.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from nmt.errors import DataError
from nmt.search.hypotheses import IMPOSSIBLE
from nmt.search.rules import History, Rule
from nmt.tokenizer import END_ID, PAD_ID, START_ID, UNKNOWN_ID, UNKNOWN_TEXT
from nmt.translation.alignment import SPACE


class State(NamedTuple):
    """What the automaton knows after some characters.

    Attributes:
        in_word: whether the last one belongs to a word.
        matches: banned words that are under way: (number of the word, characters of it).
    """

    in_word: bool
    matches: frozenset[tuple[int, int]] = frozenset()


BOUNDARY, INSIDE = State(False), State(True)


class Automaton(NamedTuple):
    """The tables; state 0 is the beginning of a sentence, state 1 stands inside of some word.

    Attributes:
        next_state: (states, vocabulary), int32.
        forbidden: whether a token completes a banned word, or ends the sentence right behind one; (states, vocabulary).
        memory: the state depends on so many last tokens and on nothing before.
    """

    next_state: np.ndarray
    forbidden: np.ndarray
    memory: int


def banned_words(words: Sequence[str], vocabulary: Sequence[str]) -> Rule | None:
    """The rule that no translation has these words; None without words.

    Args:
        words: words or phrases, normalized as the text is; upper and lower case differ. They are banned as whole words:
            what begins and ends with a letter, a digit or an underscore is only found where none of these stands beside
            it. Two spaces where a phrase has one are as good as one.
        vocabulary: the target's pieces by their ids.

    Raises:
        DataError: one of the words is empty.
    """
    if not words:
        return None
    table = automaton([word.strip() for word in words], vocabulary)
    size = len(vocabulary)
    forbidden_last = table.forbidden[table.next_state, END_ID]  # where the end, which comes next, would be forbidden
    forbidden_last[:, END_ID] = False

    def ruled(log_probs: Any, history: History) -> Any:
        token_ids, position, limits = history
        state = ops.full_like(token_ids[..., 0], 1)  # (batch, hypotheses)
        for back in range(min(table.memory, token_ids.shape[-1]), 0, -1):
            token = ops.take(token_ids, ops.maximum(position - back, 0), axis=-1)
            token = ops.where(position >= back, token, PAD_ID)
            state = ops.take(table.next_state.reshape(-1), state * size + token)
        forbidden = ops.take(table.forbidden, state, axis=0)  # (batch, hypotheses, vocabulary)
        if limits is not None:
            comes_last = ops.reshape(position + 2 >= limits, (-1, 1, 1))
            ends_banned = ops.logical_and(comes_last, ops.take(forbidden_last, state, axis=0))
            forbidden = ops.logical_or(forbidden, ends_banned)
        return ops.where(forbidden, IMPOSSIBLE, log_probs)

    return ruled


def automaton(words: Sequence[str], vocabulary: Sequence[str]) -> Automaton:
    """Tabulates which token leads from which state to which.

    Raises:
        DataError: one of the words is empty.
    """
    if not all(words):
        raise DataError("decoding.banned_words: expected words, received an empty one; leave it out")
    reader, texts = _Reader(words), [_text_of(token_id, piece) for token_id, piece in enumerate(vocabulary)]
    by_beginning = _by_beginning(texts)
    states = [BOUNDARY, INSIDE]
    numbers = {state: number for number, state in enumerate(states)}
    rows: list[np.ndarray] = []
    forbidden: list[np.ndarray] = []
    for state in states:  # more of them come while their predecessors are read
        row, completes = np.zeros(len(texts), np.int32), np.zeros(len(texts), bool)
        concerned: Iterable[int] = range(len(texts))
        if state.matches:  # what begins with no character that a match waits for reads as if nothing were under way
            plain = numbers[State(state.in_word)]
            row, completes = rows[plain].copy(), forbidden[plain].copy()
            concerned = chain.from_iterable(by_beginning[beginning] for beginning in reader.waits_for(state))
        for token in concerned:
            next_state, completes[token] = reader.read(state, texts[token])
            if next_state not in numbers:
                numbers[next_state] = len(states)
                states.append(next_state)
            row[token] = numbers[next_state]
        row[PAD_ID] = 0  # nothing stands before a sentence
        rows.append(row)
        forbidden.append(completes)
    return Automaton(np.stack(rows), np.stack(forbidden), max(map(len, words)) + 2)


class _Reader:
    """Reads text on from a state.

    Args:
        words: the banned words, none of them empty.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self.starting: defaultdict[str, list[int]] = defaultdict(list)
        for number, word in enumerate(words):
            self.starting[word[0]].append(number)

    def read(self, state: State, text: str) -> tuple[State, bool]:
        """The state after a text, and whether a banned word became complete on the way."""
        completes = False
        for character in text:
            state, complete = self._read_character(state, character)
            completes = completes or complete
        return state, completes

    def waits_for(self, state: State) -> set[str]:
        """What a text begins with that goes on with a match or ends it (see `_by_beginning`)."""
        ahead = {self.words[number][length : length + 1] for number, length in state.matches}
        behind = {self.words[number][length - 1] for number, length in state.matches}
        return {character if _belongs_to_word(character) else " " for character in ahead | (behind & {" "})}

    def _read_character(self, state: State, character: str) -> tuple[State, bool]:
        is_word = _belongs_to_word(character)
        under_way, complete = set(), False
        starts = () if state.in_word and is_word else self.starting.get(character, ())
        for number, length in [*state.matches, *((number, 0) for number in starts)]:
            word = self.words[number]
            if length == len(word):  # it stood there, and a letter behind it would have made it another word
                complete = complete or not is_word
            elif word[length] == character:
                if length + 1 == len(word) and not is_word:
                    complete = True
                else:
                    under_way.add((number, length + 1))
            elif character == " " and word[:length].endswith(" "):  # more space does not make it another phrase
                complete = True
        return State(is_word, frozenset(under_way)), complete


def _by_beginning(texts: Sequence[str]) -> defaultdict[str, list[int]]:
    """The tokens whose text begins with each character; a space stands for all that belong to no word."""
    tokens: defaultdict[str, list[int]] = defaultdict(list)
    for token_id, text in enumerate(texts):
        if text:
            tokens[text[0] if _belongs_to_word(text[0]) else " "].append(token_id)
    return tokens


def _text_of(token_id: int, piece: str) -> str:
    """What a token writes; an end of sentence ends a word as a space does."""
    special = {PAD_ID: "", START_ID: "", END_ID: " ", UNKNOWN_ID: UNKNOWN_TEXT}
    return special.get(token_id, piece.replace(SPACE, " "))


def _belongs_to_word(character: str) -> bool:
    return character.isalnum() or character == "_"
