"""Minimum Bayes risk: of several translations, the one that is most like the others (Kumar & Byrne 2004).

The utility is chrF, and all translations are both candidates and references (Eikema & Aziz 2022, section 3.1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache

from sacrebleu.metrics.chrf import CHRF


def by_expected_utility(texts: Sequence[str]) -> list[int]:
    """The places of translations, the most useful first; of equals the first one."""
    utilities = expected_utilities(texts)
    return sorted(range(len(texts)), key=lambda i: -utilities[i])


def expected_utilities(texts: Sequence[str]) -> list[float]:
    """The mean chrF of each translation against all others, from 0 to 100; one alone has 100.

    A translation that occurs twice is two references, so what is sampled often counts often.
    """
    counts = Counter(texts)
    if len(texts) < 2:
        return [100.0] * len(texts)

    @cache
    def expected(candidate: str) -> float:
        others = counts - Counter([candidate])
        total = sum(times * utility(candidate, other) for other, times in others.items())
        return total / (len(texts) - 1)

    return [expected(text) for text in texts]


def utility(candidate: str, reference: str) -> float:
    """Sentence chrF, from 0 to 100; that of equal texts is 100, empty ones included."""
    return 100.0 if candidate == reference else float(CHRF().sentence_score(candidate, [reference]).score)
