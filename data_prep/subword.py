"""Trains the SentencePiece models and measures what share of the characters they cover.

Knows nothing of the stages before or of token files. Same text and settings, same bytes: the number of threads is
fixed, because it changes the sums of the unigram training.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow.parquet
import sentencepiece

from data_prep.readers import MAX_LINE_BYTES
from nmt.config import SubwordConfig, SubwordModel, TextSubwordConfig
from nmt.corpus import PARTS
from nmt.errors import DataError, NmtError
from nmt.tokenizer import END_ID, PAD_ID, START_ID, UNKNOWN_ID, Tokenizer

SIDES = ("source", "target")
MAX_TRAINING_SENTENCES = 1_000_000
THREADS = 16  # part of the result, see above
BYTES_PER_CHARACTER = 4
ERRORS_ONLY = 2
TOO_LARGE = re.compile(r"Vocabulary size too high \(\d+\)\. Please set it to a value <= (\d+)")
TOO_SMALL = re.compile(r"Vocabulary size is smaller than required_chars\. \d+ vs (\d+)")
NO_TEXT = "!sentences_.empty()"
SPACES = frozenset(" \u2581")


@dataclass(frozen=True)
class Coverage:
    """How much of a text a subword model covers.

    Attributes:
        share: share of the characters, after normalization and without spaces, that are not turned into unknown.
        missing: the most frequent characters that are.
    """

    share: float
    missing: tuple[str, ...]


def train_subwords(text: Path, subword: SubwordConfig, max_characters: int) -> tuple[Tokenizer, Tokenizer]:
    """Trains the source's and the target's subword model on a Parquet file of clean pairs.

    Raises:
        DataError: the text has no characters, or allows no vocabulary of the size that is asked for.
    """
    if subword.shared:
        both = _train(read_sentences(text, *SIDES), "shared", subword, subword.target_normalization, max_characters)
        return both, both
    normalizations = (subword.source_normalization, subword.target_normalization)
    source, target = (
        _train(read_sentences(text, side), side, subword, normalization, max_characters)
        for side, normalization in zip(SIDES, normalizations, strict=True)
    )
    return source, target


def train_text_subwords(lines: Iterable[str], subword: TextSubwordConfig) -> Tokenizer:
    """Trains the subword model of running text; under `identity` every space counts, for `char` each character alone.

    Raises:
        DataError: the text has no characters, or allows no vocabulary of the size that is asked for.
        NmtError: what reading the lines raises.
    """
    spaces = {
        "remove_extra_whitespaces": subword.normalization != "identity",
        "add_dummy_prefix": subword.model != "char",
    }
    return _train(lines, "text", subword, subword.normalization, MAX_LINE_BYTES, **spaces)


def read_sentences(text: Path, *sides: str) -> Iterator[str]:
    """The sentences of a Parquet file, row by row; of both sides, the source before the target."""
    with pyarrow.parquet.ParquetFile(text) as file:
        for batch in file.iter_batches(columns=list(sides)):
            columns = [batch.column(side).to_pylist() for side in sides]
            yield from chain.from_iterable(zip(*columns, strict=True))


def measure_coverage(tokenizer: Tokenizer, sentences: Iterable[str]) -> Coverage:
    """Counts the characters of normalized text that have no piece of their own, and so become unknown."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.model)
    pieces = (processor.id_to_piece(i) for i in range(END_ID + 1, tokenizer.size))
    known = SPACES | {piece for piece in pieces if len(piece) == 1}
    counts: Counter[str] = Counter()
    for sentence in sentences:
        counts.update(tokenizer.normalize(sentence))
    total = sum(count for character, count in counts.items() if character not in SPACES)
    missing = Counter({character: count for character, count in counts.items() if character not in known})
    share = 1.0 - missing.total() / total if total else 1.0
    return Coverage(share, tuple(character for character, _ in missing.most_common(5)))


def measure_all(
    tokenizers: tuple[Tokenizer, Tokenizer], texts: dict[str, Path], minimum: float
) -> dict[str, dict[str, float]]:
    """The coverage of every part, as `{side: {part: share}}`.

    Args:
        tokenizers: the source's and the target's.
        texts: a Parquet file for each part.
        minimum: the share of the validation part's characters that each model must cover.

    Raises:
        DataError: a model covers less of the validation part.
    """
    coverage: dict[str, dict[str, float]] = {}
    for side, tokenizer in zip(SIDES, tokenizers, strict=True):
        measured = measure_coverage(tokenizer, read_sentences(texts["validation"], side))
        _check_coverage(measured, side, minimum)
        others = [part for part in PARTS if part != "validation"]
        shares = {part: measure_coverage(tokenizer, read_sentences(texts[part], side)).share for part in others}
        coverage[side] = {part: round((shares | {"validation": measured.share})[part], 6) for part in PARTS}
    return coverage


def _check_coverage(measured: Coverage, side: str, minimum: float) -> None:
    if measured.share < minimum:
        raise DataError(
            f"the {side}'s subword model covers {measured.share:.2%} of the validation part's characters, expected at "
            f"least {minimum:.2%} (subword.minimum_coverage); most frequent without a piece: "
            f"{' '.join(map(repr, measured.missing))}; raise subword.character_coverage or subword.vocabulary_size, or "
            f"train on text like the validation part's"
        )


def _train(
    sentences: Iterable[str], side: str, subword: SubwordModel, normalization: str, max_characters: int, **spaces: Any
) -> Tokenizer:
    model = io.BytesIO()
    refused: list[NmtError] = []
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_noting(sentences, refused),
            model_writer=model,
            model_type=subword.model,
            vocab_size=subword.vocabulary_size,
            hard_vocab_limit=subword.model != "char",
            character_coverage=subword.character_coverage,
            normalization_rule_name=normalization,
            pad_id=PAD_ID,
            unk_id=UNKNOWN_ID,
            bos_id=START_ID,
            eos_id=END_ID,
            input_sentence_size=MAX_TRAINING_SENTENCES,
            shuffle_input_sentence=True,
            max_sentence_length=max_characters * BYTES_PER_CHARACTER,
            num_threads=THREADS,
            minloglevel=ERRORS_ONLY,
            **spaces,
        )
    except RuntimeError as error:
        raise (refused[0] if refused else _worded(error, side, subword.vocabulary_size)) from None
    return Tokenizer(model.getvalue(), origin=f"{side}.model")


def _noting(sentences: Iterable[str], refused: list[NmtError]) -> Iterator[str]:
    """Keeps what reading the text raises, because SentencePiece makes a RuntimeError of it."""
    try:
        yield from sentences
    except NmtError as error:
        refused.append(error)
        raise


def _worded(error: RuntimeError, side: str, asked: int) -> DataError:
    """SentencePiece's own complaint, in the words of the configuration."""
    if found := TOO_LARGE.search(str(error)):
        return DataError(
            f"subword.vocabulary_size: the training text allows at most {found[1]} pieces for the {side} model; "
            f"received {asked}; lower it to {found[1]} or less"
        )
    if found := TOO_SMALL.search(str(error)):
        return DataError(
            f"subword.vocabulary_size: the {side} model needs at least {found[1]} pieces, one for every character; "
            f"received {asked}; raise it to {found[1]} or more, or lower subword.character_coverage"
        )
    if NO_TEXT in str(error):
        return DataError(
            f"the {side} subword model has nothing to learn from: expected a line with a character that is not blank, "
            f"received none; correct the files of the training part"
        )
    return DataError(f"the {side} subword model cannot be trained on this text ({error}); check the training part")
