"""Scores of translations: BLEU, chrF and TER through sacreBLEU, exact match and character error rate beside them.

Each takes hypotheses and one or more lists of references, a reference for each hypothesis in each. Every sacreBLEU
score carries the signature of its settings. Knows strings only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER


@dataclass(frozen=True)
class Score:
    """A score in percent, and for sacreBLEU's the signature of its settings."""

    score: float
    signature: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON; without a signature where there is none."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def bleu(hypotheses: Sequence[str], *references: Sequence[str]) -> Score:
    """BLEU (Papineni et al. 2002) with sacreBLEU's default tokenization 13a."""
    return _sacrebleu(BLEU(), hypotheses, references)


def chrf(hypotheses: Sequence[str], *references: Sequence[str]) -> Score:
    """chrF2 (Popović 2015)."""
    return _sacrebleu(CHRF(), hypotheses, references)


def ter(hypotheses: Sequence[str], *references: Sequence[str]) -> Score:
    """Translation edit rate (Snover et al. 2006); lower is better."""
    return _sacrebleu(TER(), hypotheses, references)


def exact_match(sources: Sequence[str], hypotheses: Sequence[str], *references: Sequence[str]) -> Score:
    """Share of distinct sources whose translation equals one of the references that stand beside that source.

    Args:
        sources: as the model sees them; equal ones count once, and any of their references is right.
        hypotheses: one a source.
        references: lists of one a source.
    """
    accepted: dict[str, set[str]] = {}
    for source, *right_answers in zip(sources, *references, strict=True):
        accepted.setdefault(source, set()).update(right_answers)
    answers = dict(zip(sources, hypotheses, strict=True))
    right = sum(answers[source] in right_answers for source, right_answers in accepted.items())
    return Score(100.0 * right / max(1, len(accepted)))


def character_error_rate(hypotheses: Sequence[str], *references: Sequence[str]) -> Score:
    """Levenshtein distance in characters over the references' characters; lower is better.

    Of several references the nearest one counts, and of equally near ones the shortest.
    """
    errors = characters = 0
    for hypothesis, *candidates in zip(hypotheses, *references, strict=True):
        distance, length = min((edit_distance(hypothesis, reference), len(reference)) for reference in candidates)
        errors += distance
        characters += length
    return Score(100.0 * errors / max(1, characters))


def edit_distance(first: str, second: str) -> int:
    """Insertions, deletions and substitutions that turn one string into the other (Levenshtein 1966)."""
    if not first or not second:
        return len(first) + len(second)
    columns = np.array([ord(character) for character in second])
    offsets = np.arange(len(second) + 1)
    row = offsets.copy()
    for i, character in enumerate(first, start=1):
        substituted = row[:-1] + (columns != ord(character))
        best = np.concatenate([[i], np.minimum(substituted, row[1:] + 1)])
        row = np.minimum.accumulate(best - offsets) + offsets  # insertions run along the row
    return int(row[-1])


def _sacrebleu(metric: Any, hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
    score = metric.corpus_score(list(hypotheses), [list(lines) for lines in references])
    return Score(float(score.score), str(metric.get_signature()))
