"""Shallow fusion: a language model of the target side votes in every step of search (Gulcehre et al. 2015, 4.1).

The two models share nothing but the subword model. How they vote is `nmt.search.steps.fuse`.
"""

from __future__ import annotations

from pathlib import Path

from nmt.config import DecodingConfig
from nmt.errors import DataError
from nmt.language_model import LanguageModel
from nmt.language_model_run import load_language_model
from nmt.tokenizer import Tokenizer

KEY = "decoding.language_model"


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
