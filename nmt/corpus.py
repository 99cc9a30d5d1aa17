"""The prepared corpus, as it is read: manifest, token ids in memory-mapped Arrow files, subword models.

    prepared/NAME/
      manifest.json                 what the corpus was made from, what each stage kept, a checksum per file, and one
                                    fingerprint for the whole
      source.model target.model     SentencePiece; the same bytes twice where the model is shared
      train.arrow ...               token ids, one part a file: columns source and target, lists of int32; the corpora
                                    of a mixture stand one after the other
      train.parquet ...             the text of the same rows: columns line, source, target

`data_prep` writes this format. Knows nothing of batches or models.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nmt.errors import CorruptFileError, DataError
from nmt.tokenizer import Tokenizer

CORPUS_FORMAT = 1
PARTS = ("train", "validation", "test")
ROWS_PER_CHUNK = 2**16
MANIFEST_KEYS = {"fingerprint", "settings", "files"}


@dataclass(frozen=True)
class TokenLists:
    """Many lists of token ids as two flat arrays.

    Attributes:
        values: all ids, one list after the other; shape (tokens,), int32.
        offsets: where each list begins and the last one ends; shape (lists + 1,).
    """

    values: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def count(self, rows: np.ndarray) -> int:
        """Tokens of the given lists together; memory does not grow with their number."""
        chunks = (rows[start : start + ROWS_PER_CHUNK] for start in range(0, len(rows), ROWS_PER_CHUNK))
        return sum(int((self.offsets[chunk + 1] - self.offsets[chunk]).sum()) for chunk in chunks)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each list; shape (lists,)."""
        return np.diff(self.offsets)


@dataclass(frozen=True)
class TokenPairs:
    """The token ids of one part, row by row the same pairs on both sides."""

    source: TokenLists
    target: TokenLists

    def __len__(self) -> int:
        return len(self.source)


class PreparedCorpus:
    """A folder that `nmt prepare` wrote.

    Raises:
        DataError: the folder is missing, unfinished or of another format.
        CorruptFileError: a file is missing or does not match the checksum in the manifest.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = read_manifest(folder)
        for name, entry in self.manifest["files"].items():
            _check_file(folder / name, entry["sha256"])

    @property
    def fingerprint(self) -> str:
        """One checksum over settings and files: equal fingerprints, equal corpora."""
        return str(self.manifest["fingerprint"])

    @property
    def mixture(self) -> dict[str, int]:
        """The pairs of each corpus of a mixture in the order of the training part's rows; empty where there is one."""
        return {str(corpus["name"]): int(corpus["pairs"]) for corpus in self.manifest.get("mixture", [])}

    @property
    def pairs(self) -> dict[str, int]:
        """The pairs of each part."""
        return {str(part): int(counts["pairs"]) for part, counts in self.manifest.get("parts", {}).items()}

    def tokenizers(self) -> tuple[Tokenizer, Tokenizer]:
        """The source's and the target's tokenizer."""
        return Tokenizer.from_file(self.folder / "source.model"), Tokenizer.from_file(self.folder / "target.model")

    def tokens(self, part: str) -> TokenPairs:
        """Token ids of a part, memory-mapped: pages are read when they are touched."""
        import pyarrow as pa  # here, because who translates reads no corpus

        with pa.memory_map(str(self.folder / f"{part}.arrow")) as source:
            table = pa.ipc.open_file(source).read_all()
        return TokenPairs(*(_token_lists(table.column(side)) for side in ("source", "target")))

    def text(self, part: str) -> tuple[list[str], list[str]]:
        """Source and target sentences of a part, in their order."""
        from pyarrow import parquet

        with parquet.ParquetFile(self.folder / f"{part}.parquet") as file:  # parquet.read_table imports pandas
            table = file.read(columns=["source", "target"])
        return table.column("source").to_pylist(), table.column("target").to_pylist()


def read_manifest(folder: Path) -> dict[str, Any]:
    """Reads `manifest.json`.

    Raises:
        DataError: it is missing, not JSON, or of another format.
    """
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        found = manifest["format"]
    except FileNotFoundError:
        raise DataError(
            f"{folder}: expected a prepared corpus, found no manifest.json; run nmt prepare first"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: expected a manifest in JSON ({error}); run nmt prepare again") from None
    if found != CORPUS_FORMAT:
        raise DataError(f"{path}: expected corpus format {CORPUS_FORMAT}, received {found}; run nmt prepare again")
    if missing := MANIFEST_KEYS - set(manifest):
        raise DataError(f"{path}: expected the key {min(missing)}, found none; run nmt prepare again")
    return dict(manifest)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_file(path: Path, expected: str) -> None:
    try:
        received = sha256_of(path)
    except OSError as error:
        raise CorruptFileError(f"{path}: {error.strerror}; run nmt prepare again") from None
    if received != expected:
        raise CorruptFileError(
            f"{path}: expected SHA-256 {expected[:12]}..., received {received[:12]}...; the file was changed or "
            f"damaged, run nmt prepare again"
        )


def _token_lists(column: Any) -> TokenLists:
    """Of a column of Arrow, of type list<int32>."""
    chunks = [chunk for chunk in column.chunks if len(chunk)]
    if len(chunks) == 1 and chunks[0].offset == 0:  # without a copy: one record batch is what data_prep writes
        return TokenLists(as_numpy(chunks[0].values), as_numpy(chunks[0].offsets))
    values = [as_numpy(chunk.flatten()) for chunk in chunks]
    lengths = [np.diff(as_numpy(chunk.offsets)) for chunk in chunks]
    offsets = np.concatenate([[0], *[np.asarray(length) for length in lengths]]).cumsum()
    return TokenLists(np.concatenate(values) if values else np.zeros(0, np.int32), offsets)


def as_numpy(array: Any) -> np.ndarray:
    """An array of Arrow, of integers that are all there, without a copy; it cannot be written to.

    Arrow's own `to_numpy` imports pandas, where it is installed: 50 MB for nothing.
    """
    return np.from_dlpack(array)
