"""Shallow fusion: a language model of the target side votes in every step of search (Gulcehre et al. 2015, 4.1).

The two models share nothing but the subword model. Knows search only by the step function that it asks for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nmt.config import DecodingConfig
from nmt.errors import DataError
from nmt.language_model import LanguageModel
from nmt.language_model_run import load_language_model
from nmt.search import Step
from nmt.tokenizer import Tokenizer

KEY = "decoding.language_model"


def fuse(step: Step, language_model_step: Step, weight: float) -> Step:
    """One step of search for two models (Gulcehre et al. 2015, section 4.1).

    Log-probabilities become log p(translation model) + weight · log p(language model). They are no longer normalized,
    but with a weight of at least 0 a longer hypothesis still has less, which beam search relies on.

    Args:
        step: the translation model's.
        language_model_step: the language model's, over the same vocabulary.
        weight: of the language model, at least 0.

    Returns:
        A step whose state is the pair of both states.
    """

    def fused(token_ids: Any, states: Any) -> tuple[Any, Any, Any]:
        state, language_model_state = states
        log_probs, attention, state = step(token_ids, state)  # (rows, vocabulary)
        prior, _, language_model_state = language_model_step(token_ids, language_model_state)
        return log_probs + weight * prior, attention, (state, language_model_state)

    return fused


def fusion_partner(decoding: DecodingConfig, target: Tokenizer) -> LanguageModel | None:
    """The language model that search shall ask, or None.

    Args:
        decoding: how translations are searched; a weight of 0 asks no language model.
        target: the translation model's target tokenizer.

    Raises:
        DataError: there is no such run, it is no language model, it has no checkpoint yet, or it reads other subwords.
        CorruptFileError: its checkpoint or subword model does not match its checksum.
    """
    if decoding.language_model is None or not decoding.asks_language_model:
        return None
    folder = Path(decoding.language_model)
    if not folder.is_dir():
        raise DataError(
            f"{KEY}: expected a language model's run folder, found none at {folder}; train one with nmt lm train, or "
            f"set {KEY}_weight: 0 to search without"
        )
    model, tokenizer, _ = load_language_model(folder, use_cudnn=False)  # it steps, and only cells do that
    if tokenizer.model != target.model:
        raise DataError(
            f"{KEY}: expected the translation's own target subword model in {folder}, received another "
            f"({tokenizer.size:,} pieces, not the same {target.size:,}); train a language model that fits with "
            f"text.prepared: the folder of the translation's prepared corpus, and text.side: target"
        )
    return model
