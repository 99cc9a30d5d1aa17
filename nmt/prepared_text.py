"""Prepared running text, as it is read: one long stream of token ids a part.

    prepared/NAME/
      manifest.json                 `kind` text; what it was made from, a checksum per file, and one fingerprint
      text.model                    SentencePiece
      train.arrow ...               token ids, one part a file: column tokens, a list of int32 a line, end of sentence
                                    included

One side of a prepared translation corpus is read in the same way. `data_prep` writes this format. Knows nothing of
segments or models.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from nmt.config import LanguageModelConfig
from nmt.corpus import PreparedCorpus, as_numpy
from nmt.errors import DataError
from nmt.tokenizer import END_ID, Tokenizer

TEXT_KIND = "text"  # in the manifest; that of a translation corpus has none
SUBWORD_FILE = "text.model"
COLUMN = "tokens"


class PreparedText:
    """A folder that `nmt prepare` wrote for a language model, or one side of a translation's.

    Args:
        folder: the folder.
        side: `source` or `target` of a translation corpus; None where the folder holds running text.

    Raises:
        DataError: the folder is missing, unfinished, of another format or of the other kind.
        CorruptFileError: a file is missing or does not match the checksum in the manifest.
    """

    def __init__(self, folder: Path, side: str | None = None) -> None:
        self.folder = folder
        self.side = side
        self._corpus = PreparedCorpus(folder)
        if (self._corpus.manifest.get("kind") == TEXT_KIND) == (side is not None):
            kinds = "running text", "a translation corpus"
            expected, received = kinds if side is None else kinds[::-1]
            raise DataError(
                f"{folder}: expected {expected}, received {received}; take another name, or correct text.prepared"
            )

    @classmethod
    def of_side(cls, folder: Path, side: str) -> PreparedText:
        """The sentences of one side of a prepared translation corpus, with that side's subword model."""
        return cls(folder, side)

    @property
    def fingerprint(self) -> str:
        """One checksum over settings and files: equal fingerprints, equal texts."""
        whole = self._corpus.fingerprint
        return whole if self.side is None else hashlib.sha256(f"{self.side} of {whole}".encode()).hexdigest()

    @property
    def settings(self) -> dict[str, Any]:
        """The sections that it was made with: `text` and `subword`, or a translation's `corpus` and `subword`."""
        return dict(self._corpus.manifest["settings"])

    def tokenizer(self) -> Tokenizer:
        """The text's tokenizer."""
        return Tokenizer.from_file(self.folder / (SUBWORD_FILE if self.side is None else f"{self.side}.model"))

    def stream(self, part: str) -> np.ndarray:
        """All lines of a part, one after the other, each followed by the end of sentence; shape (tokens,), int32.

        Of running text the array is memory-mapped and cannot be written to: pages are read when they are touched.
        """
        if self.side is not None:
            lines = getattr(self._corpus.tokens(part), self.side)
            return np.insert(lines.values, lines.offsets[1:], END_ID)
        import pyarrow as pa  # here, because who samples or scores reads no prepared text

        with pa.memory_map(str(self.folder / f"{part}.arrow")) as file:
            column = pa.ipc.open_file(file).read_all().column(COLUMN)
        return as_numpy(column.chunk(0).flatten())  # one record batch is what data_prep writes

    def characters(self, part: str) -> int:
        """Characters of a part's text as it was read, with one newline a line."""
        if self.side is None:
            return int(self._corpus.manifest["parts"][part]["characters"])
        sentences = self._corpus.text(part)[("source", "target").index(self.side)]
        return sum(map(len, sentences)) + len(sentences)


def open_text(config: LanguageModelConfig) -> PreparedText:
    """The prepared text of a configuration.

    Raises:
        DataError: the folder is missing, unfinished, of another format or of the other kind.
        CorruptFileError: a file is missing or does not match the checksum in the manifest.
    """
    return PreparedText(config.prepared_folder, None if config.text.prepared is None else config.text.side)
