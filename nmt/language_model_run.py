"""A trained language model, from its run folder. Knows nothing of what it is used for."""

from __future__ import annotations

from pathlib import Path

from nmt.checkpoints import load_weights
from nmt.config import LanguageModelConfig
from nmt.language_model import LanguageModel
from nmt.run_folder import RunFolder
from nmt.tokenizer import Tokenizer


def load_language_model(
    folder: Path, checkpoint: str = "best", use_cudnn: bool | str = "auto"
) -> tuple[LanguageModel, Tokenizer, LanguageModelConfig]:
    """A language model in float32, its subword model and its configuration.

    Args:
        folder: the run folder.
        checkpoint: `best` or `last`.
        use_cudnn: see `LanguageModel`.

    Raises:
        DataError: the folder is no language model's run folder, or has no checkpoint yet.
        CorruptFileError: the checkpoint does not match its checksums.
    """
    run = RunFolder(folder)
    config = run.language_model_config()
    tokenizer = run.tokenizer()
    sizes = config.model.model_copy(update={"recurrent_dropout": 0.0})  # Keras' layers draw masks that they do not use
    model = LanguageModel(sizes, tokenizer.size, config.training.streams, use_cudnn=use_cudnn, random_weights=False)
    load_weights(run.checkpoint(checkpoint), model)
    return model, tokenizer, config
