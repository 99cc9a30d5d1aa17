"""Which rounds gained something: the best checkpoints, patience, and the plateau schedule's next learning rate.

A function from one `TrainingState` to the next; knows nothing of models or files.
"""

from __future__ import annotations

from dataclasses import replace

from nmt.checkpoints import Best, TrainingState
from nmt.config import LanguageModelTraining, TranslationTraining
from nmt.training.task import ValidationFigures


def after_round(
    state: TrainingState,
    figures: ValidationFigures,
    config: TranslationTraining | LanguageModelTraining,
    counts: bool = True,
) -> TrainingState:
    """The state after a validation: the ranks of checkpoints, and what the round gained.

    A validation that only a time limit brought about does not count as a round: it ranks its checkpoint, and the
    training that goes on later is as if it had not been. Loss breaks the ties of BLEU and chrF: they are 0 for all
    where no translation has enough words.
    """
    compared = _compared(figures, config.keep_best)
    others = [best for best in state.best if best.step != state.step]
    ranked = sorted([*others, Best(state.step, compared)], key=lambda best: best.figures, reverse=True)
    best = tuple(ranked[: config.keep_best_checkpoints])
    state = replace(state, best=best, validated_step=state.step)
    if not counts:
        return state
    if _is_gain(compared, state.gain_figures, config.minimum_gain):
        return replace(state, gain_figures=compared, rounds_without_gain=0, rounds_at_rate=0)
    state = replace(state, rounds_without_gain=state.rounds_without_gain + 1, rounds_at_rate=state.rounds_at_rate + 1)
    if config.schedule == "plateau" and state.rounds_at_rate >= config.plateau_rounds:
        return replace(state, rounds_at_rate=0, rate_scale=state.rate_scale * config.plateau_factor)
    return state


def _compared(figures: ValidationFigures, keep_best: str) -> list[float]:
    """Figures of which the higher is better, the first one first."""
    return [-figures.loss] if keep_best == "loss" else [getattr(figures, keep_best), -figures.loss]


def _is_gain(figures: list[float], before: list[float] | None, minimum: float) -> bool:
    return before is None or figures > [before[0] + minimum, *before[1:]]
