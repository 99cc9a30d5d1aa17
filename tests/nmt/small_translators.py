"""Translators for tests: run folders of models with random weights, and searches that nobody compiles."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
from keras import ops

from nmt.checkpoints import TrainingState
from nmt.config import Config, DecodingConfig
from nmt.run_folder import RunFolder
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import END_ID, START_ID, Tokenizer
from nmt.translation.lines import Hypothesis, Line
from nmt.translation.scoring import PairScorer
from nmt.translation.translator import Translator

Tokenizers = tuple[Tokenizer, Tokenizer]


def make_translator(
    model: Seq2Seq, tokenizers: Tokenizers, with_attention: bool = False, **decoding: Any
) -> Translator:
    """A translator that searches step by step: to compile a search takes longer than a few lines."""
    settings = {"beam_size": 2, "max_length": 5, **decoding}
    translator = Translator(model, *tokenizers, DecodingConfig(**settings), with_attention)
    translator.searcher.run_eagerly = translator.replayer.run_eagerly = True
    return translator


def unknown_ones(translator: Translator, source: str, prefix: str) -> Hypothesis:
    """The translation that begins with a prefix whose tokens may be unknown ones."""
    (sentence,) = translator.read([Line(source.encode())])
    beginning = tuple(translator.target_tokenizer.encode(prefix))
    ((found,),) = translator.search([replace(sentence, prefix=beginning)])
    return translator.hypotheses_of([(sentence, found)])[0]


def make_scorer(translator: Translator) -> PairScorer:
    """A scorer that is not compiled either."""
    scorer = PairScorer(translator)
    scorer.replayer.run_eagerly = True
    return scorer


def save_run(folder: Path, model: Seq2Seq, config: Config, tokenizers: Tokenizers) -> Path:
    """A run folder with one checkpoint."""
    run = RunFolder(folder)
    run.create(config, "f" * 64, tokenizers)
    run.save_weights(model, TrainingState(step=1))
    return folder


def character_tokenizer(lines: Iterable[str], normalization: str = "nmt_nfkc") -> Tokenizer:
    """A subword model whose pieces are the characters of some lines."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*lines] * 20),
        model_writer=model,
        model_type="char",
        vocab_size=60,
        hard_vocab_limit=False,
        normalization_rule_name=normalization,
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        minloglevel=2,
    )
    return Tokenizer(model.getvalue())


def log_probs_of(model: Seq2Seq, source: list[int], target: list[int]) -> np.ndarray:
    """What a model says of a target, read at once: log-probabilities of each token and the end; (tokens + 1,)."""
    inputs = {"source_ids": np.array([[*source, END_ID]]), "target_ids": np.array([[START_ID, *target]])}
    table = ops.convert_to_numpy(ops.log_softmax(model.logits(inputs), axis=-1))[0]
    return np.asarray(table[np.arange(len(target) + 1), [*target, END_ID]])
