"""The built-in corpus: an English-Korean mini grammar.

Every pair is put together from a sentence pattern (`statements`, `questions`, `quantities`, `descriptions`,
`clauses`, `long`), the lexicon and the grammars of both languages (`korean` and `conjugation`, `english`), so the same
English always has the same Korean.

The held-out part tests composition. A combination is a pattern with two of the content words that fill it; one
combination in `HELD_OUT_ONE_IN` is held out, chosen by hash. A sentence with a held-out combination goes to validation
or test and never to training; every sentence of validation and test has at least one.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import combinations

from data_prep.synthetic import clauses, descriptions, long, quantities, questions, statements
from data_prep.synthetic.phrases import Draw
from data_prep.synthetic.registry import PATTERNS, SHARES

__all__ = ["Sentence", "content_words", "english_korean", "is_held_out", "patterns"]

PATTERN_FILES = (statements, questions, quantities, descriptions, clauses, long)
SHORTEST, LONGEST = 4, 25  # words of a source sentence
HELD_OUT_ONE_IN = 40
# A long sentence has many combinations; no pattern may take more than this share of validation and test.
LARGEST_SHARE = 0.03
# So many draws in a row without a new sentence: the grammar has no more.
PATIENCE = 20_000


@dataclass(frozen=True)
class Sentence:
    """One pair.

    Attributes:
        source: English.
        target: Korean.
        pattern: the name of its pattern.
        words: the English content words (lemmas) that fill the slots.
    """

    source: str
    target: str
    pattern: str
    words: tuple[str, ...]


def patterns() -> tuple[str, ...]:
    """The names of the sentence patterns."""
    return tuple(PATTERNS)


@cache
def _by_share() -> tuple[str, ...]:
    return tuple(name for name in PATTERNS for _ in range(SHARES[name]))


@cache
def _held_out_combination(pattern: str, one: str, other: str) -> bool:
    key = "\t".join((pattern, *sorted((one, other))))
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % HELD_OUT_ONE_IN == 0


def is_held_out(sentence: Sentence) -> bool:
    """Whether the sentence has a combination (pattern, two content words) that training must not see."""
    return any(_held_out_combination(sentence.pattern, one, other) for one, other in combinations(sentence.words, 2))


def _draw(generator: random.Random) -> Sentence | None:
    """One sentence of a random pattern, or None if the draw makes no good sentence."""
    draw = Draw(generator)
    pattern = draw.one(_by_share())
    source, target = PATTERNS[pattern](draw)
    fits = SHORTEST <= source.count(" ") + 1 <= LONGEST
    if not fits or len(set(draw.words)) < len(draw.words):  # no nurse meets the nurse, no red hat is red
        return None
    return Sentence(source[0].upper() + source[1:], target, pattern, tuple(draw.words))


def english_korean(
    seed: int = 1, train: int = 60_000, validation: int = 1_000, test: int = 1_000
) -> dict[str, list[Sentence]]:
    """Generates the corpus; the same arguments give the same sentences.

    Args:
        seed: of the random draws. What is held out does not depend on it.
        train: pairs for training.
        validation: pairs for validation.
        test: pairs for testing.

    Returns:
        The pairs under "train", "validation" and "test"; no source occurs twice.

    Raises:
        ValueError: the grammar has fewer sentences.
    """
    generator = random.Random(seed)
    known: list[Sentence] = []
    held_out: list[Sentence] = []
    seen: set[str] = set()
    per_pattern: Counter[str] = Counter()
    largest = math.ceil(LARGEST_SHARE * (validation + test))
    idle = 0
    while len(known) < train or len(held_out) < validation + test:
        sentence = _draw(generator)
        idle += 1
        if idle > PATIENCE:
            raise ValueError(
                f"synthetic corpus: expected at most as many pairs as the grammar gives; received train={train}, "
                f"validation={validation}, test={test}, after {len(known)} and {len(held_out)} pairs no new one came. "
                f"Ask for fewer."
            )
        if sentence is None or sentence.source in seen:
            continue
        if is_held_out(sentence):
            if len(held_out) == validation + test or per_pattern[sentence.pattern] == largest:
                continue
            per_pattern[sentence.pattern] += 1
            held_out.append(sentence)
        elif len(known) < train:
            known.append(sentence)
        else:
            continue
        seen.add(sentence.source)
        idle = 0
    return {"train": known, "validation": held_out[:validation], "test": held_out[validation:]}


@cache
def content_words() -> frozenset[str]:
    """English lemmas of all content words: what the patterns draw from, a time adverbial as "last week" being one."""
    generator = random.Random(0)
    return frozenset(word for _ in range(40_000) if (sentence := _draw(generator)) for word in sentence.words)
