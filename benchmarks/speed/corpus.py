"""The corpus of the benchmark: one preparation by `nmt prepare`, and its pieces for the peers.

    FOLDER/prepared/speed/                       what `nmt prepare` wrote
    FOLDER/pieces/{train,validation,test}.{source,target}
                                                 the same rows as pieces with a space between
    FOLDER/pieces/vocabulary                     the pieces, without the special ones
    FOLDER/text/{validation,test}.{source,target} as they were

Multi30k's files (`train.en.gz`, `val.de.gz`, `test_2016_flickr.en.gz` ...) are expected. Knows no system.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from arithmetic import Lengths
from protocol import Job, write_lines

from nmt.corpus import PARTS, PreparedCorpus, TokenLists
from nmt.tokenizer import END_ID, Tokenizer

ROOT = Path(__file__).resolve().parents[2]
NAME = "speed"
FILES = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
SIDES = {"source": "en", "target": "de"}


class Corpus:
    """The corpus in a folder, made there if it is not yet.

    Args:
        raw: folder of Multi30k.
        folder: where it is made.
        vocabulary: pieces of the joint subword model.
    """

    def __init__(self, raw: Path, folder: Path, vocabulary: int) -> None:
        self.folder = folder
        _prepare(raw, folder, vocabulary)
        self.prepared = PreparedCorpus(folder / "prepared" / NAME)
        self.tokenizer: Tokenizer = self.prepared.tokenizers()[1]
        if self.tokenizer.size != vocabulary:
            raise SystemExit(f"{folder}: expected {vocabulary} pieces, found {self.tokenizer.size}; remove the folder")
        self._write_pieces()
        self.references = [" ".join(line.splitlines()) for line in self.prepared.text("test")[1]]

    @property
    def pairs(self) -> int:
        """Of the training part."""
        return len(self.prepared.tokens("train"))

    @property
    def target_tokens(self) -> int:
        """Target pieces of the training part, one more a sentence for its end: what every system's epoch must count."""
        return int(self.pairs * self.lengths.target + 0.5)

    @property
    def lengths(self) -> Lengths:
        """Mean lengths of the training part."""
        tokens = self.prepared.tokens("train")
        return Lengths(*(float(lists.lengths.mean()) + 1.0 for lists in (tokens.source, tokens.target)))

    def job(self, **more: Any) -> Job:
        """What all jobs on this corpus have in common; the rest of `more`, or as each job needs it."""
        return Job(
            task="",
            corpus=str(self.folder),
            fingerprint=self.prepared.fingerprint,
            folder="",
            scratch="",
            output="",
            **more,
        )

    def text_of(self, hypotheses: list[str]) -> list[str]:
        """Text of lines of pieces."""
        return [" ".join(self.tokenizer.decode_pieces(line.split()).splitlines()) for line in hypotheses]

    def _write_pieces(self) -> None:
        vocabulary = self.tokenizer.vocabulary
        write_lines(self.folder / "pieces" / "vocabulary", vocabulary[END_ID + 1 :])
        for part in PARTS:
            tokens = self.prepared.tokens(part)
            for side, lists in (("source", tokens.source), ("target", tokens.target)):
                write_lines(self.folder / "pieces" / f"{part}.{side}", _pieces(lists, vocabulary))
            if part != "train":
                for side, lines in zip(SIDES, self.prepared.text(part), strict=True):
                    write_lines(
                        self.folder / "text" / f"{part}.{side}", [" ".join(line.splitlines()) for line in lines]
                    )


def _pieces(lists: TokenLists, vocabulary: list[str]) -> list[str]:
    return [" ".join(vocabulary[i] for i in lists[row]) for row in range(len(lists))]


def _prepare(raw: Path, folder: Path, vocabulary: int) -> None:
    """Runs `nmt prepare`, which does nothing where its work is done."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {part: {side: f"{stem}.{language}.gz" for side, language in SIDES.items()} for part, stem in FILES.items()}
    settings = {
        "name": NAME,
        "corpus": {"root": str(raw.resolve()), **files},
        "subword": {"vocabulary_size": vocabulary, "shared": True},
    }
    (folder / "corpus.yaml").write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "nmt", "prepare", "corpus.yaml"], cwd=folder, env=environment, check=True)
