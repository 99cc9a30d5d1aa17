"""Starting from another run: its weights become the first weights, and parts of the model may stay as they are.

With other subword models the rows of the pieces that both know are kept, as in Zoph et al. 2016, section 3, where a
child model starts from its parent's weights; all other rows keep their random first values. Knows no optimizer and no
corpus.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from nmt.checkpoints import SEED_SUFFIX, load_state, load_weights
from nmt.config import ModelConfig, differences
from nmt.errors import TrainingError
from nmt.run_folder import RunFolder
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import END_ID, Tokenizer

KEY = "training.start_from"


@dataclass(frozen=True)
class SharedPieces:
    """The pieces that two subword models share.

    Attributes:
        old_ids: their ids in the old one; (shared,).
        new_ids: in the new one, in the same order; (shared,).
    """

    old_ids: np.ndarray
    new_ids: np.ndarray

    def __len__(self) -> int:
        return len(self.new_ids)


@dataclass(frozen=True)
class WarmStart:
    """Where a training started from, and how much of it could be kept.

    Attributes:
        origin: the run folder.
        step: of its checkpoint.
        source_kept: pieces of the new source vocabulary whose rows were kept, the special ones included.
        source_pieces: all its pieces.
        target_kept: the same of the target.
        target_pieces: all its pieces.
    """

    origin: Path
    step: int
    source_kept: int
    source_pieces: int
    target_kept: int
    target_pieces: int

    def __str__(self) -> str:
        return (
            f"starts from {self.origin} (step {self.step:,}): {self.source_kept:,} of {self.source_pieces:,} source "
            f"pieces, {self.target_kept:,} of {self.target_pieces:,} target pieces kept"
        )


def check_origin(origin: Path, run_folder: Path) -> None:
    """Refuses a run that the training in `run_folder` cannot start from, before anything is written.

    Raises:
        TrainingError: the origin is missing, has no checkpoint, or is the training's own folder.
        DataError: it is the run of a language model.
    """
    if origin.resolve() == run_folder.resolve():
        raise TrainingError(
            f"{KEY}: expected another run than the one to train, received {origin}; give the new training another name"
        )
    _find(origin).config()  # refuses a language model


def warm_start(model: Seq2Seq, tokenizers: tuple[Tokenizer, Tokenizer], origin: Path) -> WarmStart:
    """Gives a model the weights of another run's best checkpoint; dropout seeds stay the model's own.

    Args:
        model: freshly made; receives the values.
        tokenizers: of its source and its target.
        origin: the run folder to start from; its model may differ in the vocabularies and in dropout alone.

    Raises:
        TrainingError: there is no such run, it has no checkpoint, or its model is another one.
        CorruptFileError: its checkpoint or subword models do not match their checksums.
    """
    run = _find(origin)
    config = run.config().model
    _check_model(origin, config, model.config)
    old_tokenizers = run.tokenizers()
    checkpoint = run.checkpoint("best")
    trained = Seq2Seq(config, old_tokenizers[0].size, old_tokenizers[1].size, random_weights=False)
    load_weights(checkpoint, trained)
    source, target = (shared_pieces(old, new) for old, new in zip(old_tokenizers, tokenizers, strict=True))
    _copy(trained, model, source, target)
    sizes = [tokenizer.size for tokenizer in tokenizers]
    return WarmStart(origin, load_state(checkpoint).step, len(source), sizes[0], len(target), sizes[1])


def shared_pieces(old: Tokenizer, new: Tokenizer) -> SharedPieces:
    """Matches two subword models by their pieces' text; the special ids 0 to 3 match each other."""
    special = range(END_ID + 1)
    old_ids = {piece: i for i, piece in enumerate(old.vocabulary) if i not in special}
    matches = [(old_ids[piece], i) for i, piece in enumerate(new.vocabulary) if i not in special and piece in old_ids]
    ids = np.array([*((i, i) for i in special), *matches])  # (shared, 2)
    return SharedPieces(ids[:, 0], ids[:, 1])


def freeze(model: Seq2Seq, parts: Sequence[str]) -> None:
    """Takes the named parts out of the training, and no others; to be called before the optimizer is built.

    Args:
        model: its trainable variables are those of the other parts afterwards.
        parts: of `source_embedding`, `encoder`, `decoder` and `target_embedding`, which holds the output projection,
            too; embeddings that share their weights are one. Attention and bridges belong to the decoder.
    """
    frozen = [getattr(model, part) for part in parts]
    # Encoder and decoder reach their embeddings and would take them along: those come last and have the last word.
    for layer in (model.encoder, model.decoder, model.source_embedding, model.target_embedding):
        layer.trainable = not any(layer is other for other in frozen)


def _find(origin: Path) -> RunFolder:
    run = RunFolder(origin)
    if not run.exists:
        raise TrainingError(f"{KEY}: expected a run folder such as runs/quickstart, found none at {origin}")
    if not run.steps():
        raise TrainingError(f"{KEY}: expected a run with a checkpoint, found none yet in {origin}; train it first")
    return run


def _check_model(origin: Path, old: ModelConfig, new: ModelConfig) -> None:
    free = "dropout:", "recurrent_dropout:"
    found = [f"model.{line}" for line in differences(old, new) if not line.startswith(free)]
    if found:
        raise TrainingError(
            f"{KEY}: expected the model of {origin}, received another one ({'; '.join(found)}); take its values, or "
            f"leave {KEY} out"
        )


def _copy(trained: Seq2Seq, model: Seq2Seq, source: SharedPieces, target: SharedPieces) -> None:
    """Copies all variables but the seeds; of those with an axis over a vocabulary, the shared pieces' rows."""
    vocabularies = {  # the shared pieces, and the vocabulary's axis
        model.source_embedding.embeddings.path: (source, 0),
        model.target_embedding.embeddings.path: (target, 0),
    }
    if not model.target_embedding.tie_weights:
        vocabularies[model.target_embedding.reverse_embeddings.path] = (target, 1)
    if lexical_model := model.decoder.lexical_model:
        vocabularies[lexical_model.projection.kernel.path] = (target, 1)
        vocabularies[lexical_model.projection.bias.path] = (target, 0)
    values = {variable.path: ops.convert_to_numpy(variable) for variable in trained.variables}
    for variable in model.variables:
        if variable.path in vocabularies:
            variable.assign(_with_shared_rows(variable, values[variable.path], *vocabularies[variable.path]))
        elif not variable.path.endswith(SEED_SUFFIX):
            variable.assign(values[variable.path])


def _with_shared_rows(variable: Any, trained: np.ndarray, shared: SharedPieces, axis: int) -> np.ndarray:
    """The variable's values, with the trained ones of the shared pieces."""
    values = np.array(ops.convert_to_numpy(variable))
    values.swapaxes(0, axis)[shared.new_ids] = trained.swapaxes(0, axis)[shared.old_ids]  # a view: writes to values
    return values
