"""Runs for the tests of the SavedModel: subword models, random weights, and lines that are hard to read."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece

from nmt.checkpoints import Best, TrainingState
from nmt.config import Config
from nmt.export import HARD_LINES
from nmt.run_folder import RunFolder
from nmt.seq2seq_run import make_seq2seq
from nmt.tokenizer import END_ID, PAD_ID, START_ID, UNKNOWN_ID, Tokenizer

TEXT = "the cat dog sat runs on a mat fast good we go to school . 나는 학교에 갑니다 오늘 날씨가 좋습니다 감사합니다"
WORDS = TEXT.split()
SENTENCES = [" ".join(random.Random(seed).sample(WORDS, 3 + seed % 5)) for seed in range(300)]
INVALID_UTF8 = [
    b"\x80",  # a continuation alone
    b"\xff\xfe",  # bytes that UTF-8 never has
    b"\xc0\x80",  # NUL in two bytes
    b"\xc1\xbf",
    b"\xc2",  # one of two bytes
    b"\xe2\x82",  # two of three
    b"\xf0\x9f\x98",  # three of four
    b"\xe0\x80\xaf",  # a slash in three bytes
    b"\xf0\x80\x80\xaf",  # in four
    b"\xed\xa0\x80",  # half of a surrogate pair
    b"\xed\xa0\xbd\xed\xb8\x80",  # both halves
    b"\xf4\x90\x80\x80",  # above U+10FFFF
    b"\xf8\x88\x80\x80\x80",  # five bytes
]
HARD_TEXTS = [
    *HARD_LINES,
    *INVALID_UTF8,
    *(b"the cat " + line + b" sat" for line in INVALID_UTF8),
    b"\xef\xbb\xbfthe cat",  # byte order mark
    b"\xef\xbf\xbe\xef\xbf\xbf\xef\xbf\xbd",
    b"\x00",
    b"the\ncat\r\n\x1b",
    "\u1112\u1161\u11ab국 \u3000 \u2028 \u2581 \u2581cat".encode(),
    "학교에 👩🏽‍🚀 𝕬 ﷺ ½ ﬁ".encode(),
    b"x" * 5_000,
    "é".encode() * 2_047 + b"a" + "éé".encode(),  # the limit of 4,096 bytes cuts a character
]


# A tiny model, with a beam in the export that differs from the run's.
TINY_EXPORT: dict[str, Any] = {
    "name": "tiny",
    "corpus": {"synthetic": {}},
    "subword": {"shared": False},
    "model": {
        "embedding_size": 8,
        "encoder_layers": 1,
        "encoder_units": 8,
        "decoder_layers": 1,
        "decoder_units": 16,
    },
    "decoding": {"max_length": 16, "batch_size": 8, "max_source_tokens": 60},
    "export": {"beam_size": 2, "length_penalty": 0.5},
}


def train_subwords(kind: str, normalization: str = "nmt_nfkc") -> Tokenizer:
    """A subword model of the words above."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES),
        model_writer=model,
        model_type=kind,
        vocab_size=90,
        hard_vocab_limit=False,
        normalization_rule_name=normalization,
        pad_id=PAD_ID,
        unk_id=UNKNOWN_ID,
        bos_id=START_ID,
        eos_id=END_ID,
        minloglevel=2,
    )
    return Tokenizer(model.getvalue())


def save_run(folder: Path, config: Config, source: Tokenizer, target: Tokenizer, seed: int) -> Path:
    """A run folder with random weights, which are large, so that the translations differ from line to line."""
    run = RunFolder(folder)
    run.create(config, "f" * 64, (source, target))
    model = make_seq2seq(config, source, target)
    model.compile(optimizer="adam")
    model.optimizer.build(model.trainable_variables)
    generator = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(generator.normal(size=variable.shape).astype(np.float32))
    run.save(model, TrainingState(step=7, best=(Best(7, [0.0]),)))
    return run.folder
