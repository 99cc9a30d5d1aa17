"""How finished hypotheses of different lengths are compared, and how good an open one can still become."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from keras import ops

from nmt.search.hypotheses import MISSING, is_possible

UNATTENDED = 1e-7  # attention of a source token that got none; its logarithm must stay a number


@dataclass(frozen=True)
class Ranking:
    """The score of a hypothesis: (log-probability + reward · length) / normalizer(length) + coverage penalty.

    Attributes:
        normalization: `gnmt` divides by ((5 + length) / 6) ** exponent (Wu et al. 2016, eq. 14), `average` by the
            length, `none` by nothing. Lengths count the end of sentence.
        exponent: of `gnmt`, at least 0.
        word_reward: added for each token (He et al. 2016, section 3.3); any number.
        coverage_penalty: weight of the sum over source tokens of log(min(attention, 1)), where a source token's
            attention is the sum over all target tokens (Wu et al. 2016, eq. 14); at least 0.
    """

    normalization: Literal["gnmt", "average", "none"] = "gnmt"
    exponent: float = 0.0
    word_reward: float = 0.0
    coverage_penalty: float = 0.0

    def score(self, log_probs: Any, lengths: Any, coverage: Any = 0.0) -> Any:
        """Scores of finished hypotheses; log-probabilities (...), lengths and coverage (...) or broadcast to it."""
        lengths = ops.cast(lengths, "float32")
        return (log_probs + self.word_reward * lengths) / self._normalizer(lengths) + self.coverage_penalty * coverage

    def bound(self, log_probs: Any, position: Any, limits: Any, max_length: int) -> Any:
        """The best score that open hypotheses can still reach.

        Log-probabilities only fall and the coverage penalty is never positive, so of each length that is still ahead
        the score can be no better than with the log-probability of now.

        Args:
            log_probs: of the hypotheses so far; (...).
            position: their length; ().
            limits: lengths at most; (...) or broadcast to it.
            max_length: the highest limit.
        """
        lengths = ops.arange(1, max_length + 1)
        ahead = ops.logical_and(lengths > position, lengths <= limits[..., None])
        ahead = ops.logical_and(ahead, is_possible(log_probs)[..., None])  # (..., lengths)
        return ops.max(ops.where(ahead, self.score(log_probs[..., None], lengths), MISSING), axis=-1)

    def _normalizer(self, lengths: Any) -> Any:
        if self.normalization == "gnmt":
            return ((5.0 + lengths) / 6.0) ** self.exponent
        return lengths if self.normalization == "average" else ops.ones_like(lengths)


PLAIN = Ranking(normalization="none")


def coverage_of(attention: Any, source_mask: Any) -> Any:
    """The sum over source tokens of log(min(attention, 1)) (Wu et al. 2016, eq. 14); at most 0.

    Args:
        attention: summed over the target; (batch, hypotheses, source_length).
        source_mask: True where there is a token; (batch, source_length).

    Returns:
        (batch, hypotheses).
    """
    logarithms = ops.log(ops.clip(attention, UNATTENDED, 1.0))
    return ops.sum(ops.where(source_mask[:, None, :], logarithms, 0.0), axis=-1)
