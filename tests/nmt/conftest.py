"""Shared fixtures: a configuration of tiny sizes, a corpus of number words, and models too small to be good."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pytest
from random_runs import TINY_EXPORT, save_run, train_subwords
from safetensors.numpy import load_file
from shouter import Shouter
from toy_training import ScriptedValidation, ToyModel

from data_prep.pipeline import prepare
from nmt.cli import translate_command
from nmt.config import Config, parse_config
from nmt.corpus import PreparedCorpus
from nmt.progress import Progress, Round
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import Tokenizer
from nmt.training import loop, translation_task

ENGLISH = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
GERMAN = ("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun")
TINY: dict[str, dict[str, Any]] = {
    "corpus": {"train": {"tsv": "train.tsv"}, "validation": {"tsv": "validation.tsv"}, "test": {"tsv": "test.tsv"}},
    "subword": {"vocabulary_size": 44},
    "model": {
        "cell": "gru",
        "embedding_size": 8,
        "encoder_layers": 1,
        "encoder_units": 8,
        "bidirectional": False,
        "decoder_layers": 1,
        "decoder_units": 8,
        "attention": "dot",
        "dropout": 0.1,
    },
    "training": {
        "epochs": 2,
        "batch_tokens": 160,
        "learning_rate": 0.01,
        "warmup_steps": 0,
        "schedule": "constant",
        "keep_best": "loss",
    },
    "decoding": {"beam_size": 2, "max_length": 12, "batch_size": 4},
}

ConfigFactory = Callable[..., Config]


def make_config(name: str = "tiny", root: Path | str = ".", **sections: dict[str, Any]) -> Config:
    """The tiny configuration, with the given keys of each section replaced."""
    values: dict[str, Any] = {key: {**section, **sections.get(key, {})} for key, section in TINY.items()}
    values["corpus"]["root"] = str(root)
    return parse_config({"name": name, **values})


def number_pairs(count: int, seed: int) -> list[tuple[str, str]]:
    """Different numbers of one to three digits, read digit by digit in English and in German."""
    numbers = [digits for length in (1, 2, 3) for digits in itertools.product(range(10), repeat=length)]
    chosen = numbers[:10] + random.Random(seed).sample(numbers[10:250], count - 10)
    return [(" ".join(ENGLISH[i] for i in digits), " ".join(GERMAN[i] for i in digits)) for digits in chosen]


def write_corpus_files(folder: Path, train: int = 60, held_out: int = 6, seed: int = 1) -> None:
    """Writes train.tsv, validation.tsv and test.tsv, no pair twice."""
    pairs = number_pairs(train + 2 * held_out, seed)
    random.Random(seed).shuffle(pairs)
    ends = {"train": (0, train), "validation": (train, train + held_out), "test": (train + held_out, len(pairs))}
    for part, (start, end) in ends.items():
        text = "".join(f"{source}\t{target}\n" for source, target in pairs[start:end])
        (folder / f"{part}.tsv").write_text(text, encoding="utf-8")


def checkpoint_checksum(folder: Path) -> str:
    """SHA-256 over all values of a checkpoint in their order; names count not, for those of seeds are process-wide."""
    digest = hashlib.sha256()
    for name in ("model.safetensors", "optimizer.safetensors"):
        tensors = load_file(folder / name)
        for key in sorted(tensors):
            digest.update(tensors[key].tobytes())
    return digest.hexdigest()


@dataclass
class Recorder:
    """A reporter that keeps what it is told."""

    texts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)

    def start(self, text: str) -> None:
        self.texts.append(text)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def steps(self, progress: Progress) -> None:
        self.progress.append(progress)

    def round(self, result: Round) -> None:
        self.rounds.append(result)

    def end(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture(scope="session")
def tiny_config() -> ConfigFactory:
    """Makes configurations of small sizes: `tiny_config(model={"cell": "lstm"})`."""
    return make_config


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with text files and, in `prepared/tiny`, the corpus made of them. Only to be read."""
    root = tmp_path_factory.mktemp("corpus")
    write_corpus_files(root)
    prepare(make_config(root=root), root / "prepared" / "tiny", report=lambda line: None)
    return root


@pytest.fixture
def corpus_folder(tiny_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a copy of the prepared corpus in `prepared/tiny`; the test may change it."""
    shutil.copytree(tiny_corpus / "prepared", tmp_path / "prepared")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "prepared" / "tiny"


@pytest.fixture(scope="session")
def tokenizers(tiny_corpus: Path) -> tuple[Tokenizer, Tokenizer]:
    """The tiny corpus' subword models."""
    return PreparedCorpus(tiny_corpus / "prepared" / "tiny").tokenizers()


@pytest.fixture(scope="session")
def tiny_model(tokenizers: tuple[Tokenizer, Tokenizer]) -> Seq2Seq:
    """A model with random weights for the tiny corpus. Only to be read."""
    keras.utils.set_random_seed(3)
    source, target = tokenizers
    return Seq2Seq(make_config(model={"attention": "general"}).model, source.size, target.size)


@pytest.fixture(scope="session")
def random_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `TINY_EXPORT` with large random weights and another subword model on each side. Only to be read."""
    source, target = train_subwords("unigram"), train_subwords("char")
    return save_run(tmp_path_factory.mktemp("random_run"), parse_config(TINY_EXPORT), source, target, seed=5)


@pytest.fixture
def recorder() -> Recorder:
    """Keeps what a training reports."""
    return Recorder()


@pytest.fixture(scope="session")
def checksum() -> Callable[[Path], str]:
    """Sums up a checkpoint: equal sums, equal model, dropout seeds and optimizer."""
    return checkpoint_checksum


@pytest.fixture(scope="session")
def write_corpus() -> Callable[..., None]:
    """Writes the text files of a tiny corpus into a folder."""
    return write_corpus_files


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, corpus_folder: Path) -> type[ScriptedValidation]:
    """A prepared corpus in the current directory, and fakes in place of model and validation."""
    monkeypatch.setattr(translation_task, "Seq2Seq", ToyModel)
    monkeypatch.setattr(translation_task, "TranslationValidation", ScriptedValidation)
    monkeypatch.setattr(translation_task, "freeze", lambda model, parts: None)
    monkeypatch.setattr(translation_task, "announcement", lambda *arguments: f"step {arguments[-1]}")
    monkeypatch.setattr(ScriptedValidation, "script", [(2.0, 10.0)])
    monkeypatch.setattr(loop, "LOG_EVERY_STEPS", 1)
    return ScriptedValidation


@pytest.fixture
def shouter(monkeypatch: pytest.MonkeyPatch) -> Shouter:
    """Takes the place of every model."""
    fake = Shouter()
    monkeypatch.setattr(translate_command, "load", lambda *_, **__: fake)
    return fake


@pytest.fixture
def by_twos(shouter: Shouter, monkeypatch: pytest.MonkeyPatch) -> Shouter:
    """Blocks of two lines."""
    monkeypatch.setattr(translate_command, "lines_at_once", lambda: 2)
    return shouter
