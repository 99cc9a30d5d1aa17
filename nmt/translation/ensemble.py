"""The models that translate together: one or several translation models, and perhaps a language model.

They read the same line, each with its own source subwords, and write the same target subwords.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import keras
from keras import ops

from nmt.config import DecodingConfig
from nmt.decoder import Memory
from nmt.errors import DataError
from nmt.language_model import LanguageModel
from nmt.search import Step
from nmt.search.picking import take_rows
from nmt.search.steps import ensemble, fuse
from nmt.seq2seq import Seq2Seq
from nmt.seq2seq_run import LoadedSeq2Seq, load_seq2seq
from nmt.tokenizer import Tokenizer
from nmt.translation.fusion import fusion_partner

KEY = "decoding.ensemble"


class Choice(NamedTuple):
    """The target tokens that search chooses from; it knows them by their places here.

    Attributes:
        token_ids: (tokens,).
        projections: what makes their logits alone, for each translation model.
    """

    token_ids: Any
    projections: list[Callable[..., Any]]


class Ensemble(keras.layers.Layer):
    """Models that vote in every step of search.

    Args:
        models: translation models over the same target vocabulary.
        language_model: over that vocabulary too, or None.
        language_model_weight: of its log-probabilities.
    """

    def __init__(
        self,
        models: Sequence[Seq2Seq],
        language_model: LanguageModel | None = None,
        language_model_weight: float = 0.0,
    ) -> None:
        super().__init__(name="ensemble")
        self.models = list(models)
        self.language_model = language_model
        self.language_model_weight = language_model_weight
        self.built = True  # the models are; else Keras would run them once more before each batch, to see

    def remember(self, source_ids: Sequence[Any]) -> list[Memory]:
        """What each translation model knows of the source.

        Args:
            source_ids: for each of them, right-padded ids that end with the end of sentence; each
                (batch, source_length).
        """
        return [model.remember(ids) for model, ids in zip(self.models, source_ids, strict=True)]

    def step_over(self, memories: Sequence[Memory], choice: Choice | None = None) -> Step:
        """The step of all models together, over what they know of the source.

        Args:
            memories: what `remember` gave.
            choice: what is chosen from; None: the whole vocabulary.
        """
        projections = [model.project for model in self.models] if choice is None else choice.projections
        steps: list[Step] = [
            partial(_step, *of_model) for of_model in zip(self.models, memories, projections, strict=True)
        ]
        step = ensemble(steps) if len(steps) > 1 else steps[0]
        if self.language_model is not None:
            prior = self.language_model.step if choice is None else _chosen(self.language_model.step, choice.token_ids)
            step = fuse(step, prior, self.language_model_weight)
        return step if choice is None else _reading(step, choice.token_ids)

    def first_state(self, memories: Sequence[Memory]) -> Any:
        """The state that the step begins with."""
        state: Any = [memory.state for memory in memories] if len(memories) > 1 else memories[0].state
        if self.language_model is None:
            return state
        return state, self.language_model.first_state(ops.shape(memories[0].mask)[0])


def load_members(decoding: DecodingConfig, target: Tokenizer, use_cudnn: bool | str = "auto") -> list[LoadedSeq2Seq]:
    """The further translation models that `decoding.ensemble` names.

    Args:
        decoding: how translations are searched.
        target: the first model's target tokenizer.
        use_cudnn: see `Seq2Seq`.

    Raises:
        DataError: a folder is no translation model's run folder, has no checkpoint yet, or writes other subwords.
        CorruptFileError: a checkpoint or subword model does not match its checksum.
    """
    if missing := [folder for folder in decoding.ensemble if not Path(folder).is_dir()]:
        raise DataError(
            f"{KEY}: expected a run folder, found none at {missing[0]}; name a trained one, or leave it out"
        )
    members = [load_seq2seq(Path(folder), use_cudnn=use_cudnn) for folder in decoding.ensemble]
    for folder, member in zip(decoding.ensemble, members, strict=True):
        if member.target_tokenizer.model != target.model:
            raise DataError(
                f"{KEY}: expected runs with the same target subword model, received another one in {folder} "
                f"({member.target_tokenizer.size:,} pieces, not the same {target.size:,}); take runs that were trained "
                f"on one prepared corpus (corpus.prepared)"
            )
    return members


def assemble(model: Seq2Seq, members: Sequence[LoadedSeq2Seq], target: Tokenizer, decoding: DecodingConfig) -> Ensemble:
    """One ensemble of a model, the members beside it, and the language model that `decoding` names.

    The translation models are in the precision that `decoding` asks for; the language model stays in float32.

    Raises:
        DataError: that language model is missing or does not fit (see `nmt.translation.fusion`).
        CorruptFileError: it does not match its checksums.
    """
    models = [one.in_precision(decoding.precision) for one in (model, *(member.model for member in members))]
    return Ensemble(models, fusion_partner(decoding, target), decoding.language_model_weight)


def _step(
    model: Seq2Seq, memory: Memory, project: Callable[..., Any], token_ids: Any, state: Any
) -> tuple[Any, Any, Any]:
    return model.step(token_ids, state, memory, project)


def _chosen(step: Step, token_ids: Any) -> Step:
    """A step that says of some tokens (tokens,) alone how likely they are."""

    def chosen(last: Any, state: Any) -> tuple[Any, Any, Any]:
        log_probs, attention, state = step(last, state)
        return ops.take(log_probs, token_ids, axis=-1), attention, state

    return chosen


def _reading(step: Step, token_ids: Any) -> Step:
    """A step that reads tokens by their places in `token_ids` (tokens,)."""
    return lambda places, state: step(take_rows(token_ids, places), state)
