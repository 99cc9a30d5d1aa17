"""A translation model from its run folder. Knows nothing of search."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from nmt.checkpoints import load_weights
from nmt.config import Config
from nmt.run_folder import RunFolder
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import Tokenizer


class LoadedSeq2Seq(NamedTuple):
    """A translation model, the subword models of both sides, and its configuration."""

    model: Seq2Seq
    source_tokenizer: Tokenizer
    target_tokenizer: Tokenizer
    config: Config


def make_seq2seq(config: Config, source: Tokenizer, target: Tokenizer, use_cudnn: bool | str = "auto") -> Seq2Seq:
    """A float32 model for translation, whose weights are to be put in.

    It has no recurrent dropout, because Keras' layers draw the mask even where they do not apply it.
    """
    sizes = config.model.model_copy(update={"recurrent_dropout": 0.0})
    return Seq2Seq(sizes, source.size, target.size, use_cudnn=use_cudnn, random_weights=False)


def load_seq2seq(folder: Path, checkpoint: str = "best", use_cudnn: bool | str = "auto") -> LoadedSeq2Seq:
    """A translation model in float32.

    Args:
        folder: the run folder.
        checkpoint: `best` or `last`.
        use_cudnn: see `Seq2Seq`.

    Raises:
        DataError: the folder is no translation model's run folder, or has no checkpoint yet.
        CorruptFileError: the checkpoint does not match its checksums.
    """
    run = RunFolder(folder)
    config = run.config()
    source, target = run.tokenizers()
    model = make_seq2seq(config, source, target, use_cudnn)
    load_weights(run.checkpoint(checkpoint), model)
    return LoadedSeq2Seq(model, source, target, config)
