"""The translation table: which target tokens stand for a source token, learned from the pairs of the training part.

    RUN/translation_table.safetensors     see `TranslationTable`; a checksum of it stands in the file's own metadata

By IBM Model 1 (Brown et al. 1993, section 4.1): any token of the source may stand for any token of the target, or the
empty word does, whose place the end of sentence takes here. Knows no model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from nmt.corpus import TokenPairs
from nmt.errors import CorruptFileError, DataError
from nmt.files import write_file
from nmt.tokenizer import END_ID

TABLE_FILE = "translation_table.safetensors"
ARRAYS = ("token_ids", "probabilities", "frequencies")
KEPT = 32  # target tokens of a source token
ITERATIONS = 5
MAX_LINKS = 100_000_000  # pairs of a source and a target token: a few minutes
LINKS_AT_ONCE = 4_000_000  # some 350 MB


@dataclass(frozen=True)
class TranslationTable:
    """What translates what.

    Attributes:
        token_ids: target tokens of each source token, the likeliest first; (source_vocabulary, kept), int32.
        probabilities: of them, given the source token; 0 where there are fewer; (source_vocabulary, kept), float32.
        frequencies: share of each token in all target tokens; (target_vocabulary,), float32.
        fingerprint: of the prepared corpus that it was learned from.
    """

    token_ids: np.ndarray
    probabilities: np.ndarray
    frequencies: np.ndarray
    fingerprint: str = ""

    @property
    def checksum(self) -> str:
        """SHA-256 of all of it."""
        digest = hashlib.sha256(self.fingerprint.encode())
        for name in ARRAYS:
            array = getattr(self, name)
            digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
        return digest.hexdigest()

    @property
    def sizes(self) -> tuple[int, int]:
        """Of the source's and the target's vocabulary."""
        return len(self.token_ids), len(self.frequencies)

    def write(self, run: Path) -> Path:
        """Writes it into a run folder.

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        path = run / TABLE_FILE
        arrays = {name: getattr(self, name) for name in ARRAYS}
        write_file(path, save(arrays, {"fingerprint": self.fingerprint, "sha256": self.checksum}))
        return path


def read_translation_table(run: Path) -> TranslationTable:
    """The table of a run folder.

    Raises:
        DataError: there is none.
        CorruptFileError: the file is damaged.
    """
    path = run / TABLE_FILE
    if not path.exists():
        raise DataError(f"decoding.shortlist: expected {path}, found none; run nmt shortlist {run}, or leave it out")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            token_ids, probabilities, frequencies = (file.get_tensor(name) for name in ARRAYS)
    except (SafetensorError, ValueError, TypeError) as error:  # a header without a type of NumPy's is a TypeError
        raise CorruptFileError(f"{path}: expected a translation table: {error}; run nmt shortlist {run}") from None
    table = TranslationTable(token_ids, probabilities, frequencies, metadata.get("fingerprint", ""))
    if table.checksum != metadata.get("sha256"):
        raise CorruptFileError(
            f"{path}: does not match the checksum inside; the file was changed or damaged, run nmt shortlist {run}"
        )
    return table


def learn_translation_table(
    pairs: TokenPairs, source_vocabulary: int, target_vocabulary: int, fingerprint: str = "", max_links: int = MAX_LINKS
) -> TranslationTable:
    """Learns the table of a corpus by expectation maximization.

    Args:
        pairs: token ids without ends of sentences.
        source_vocabulary: pieces of the source's subword model.
        target_vocabulary: pieces of the target's.
        fingerprint: of the corpus.
        max_links: how many pairs of a source and a target token are looked at, at most (and at least those of one pair
            of sentences): of a larger corpus, evenly spaced pairs of sentences (see `rows_for`).

    Raises:
        DataError: there is no target token.
    """
    counts = np.bincount(pairs.target.values, minlength=target_vocabulary)
    if not counts.any():
        raise DataError(
            "expected pairs of sentences to learn a translation table from, received none; take a corpus that has some"
        )
    rows = rows_for(pairs, max_links)
    known = reduce(np.union1d, (np.unique(links) for links, _ in _links(pairs, rows, target_vocabulary)))
    of = known // target_vocabulary  # the source token of each different link
    probabilities = np.ones(len(known))
    for _ in range(ITERATIONS):
        expected = np.zeros(len(known))
        for links, widths in _links(pairs, rows, target_vocabulary):
            places = np.searchsorted(known, links)
            shares = probabilities[places]  # of each source token in a target token
            shares /= np.repeat(np.add.reduceat(shares, np.cumsum(widths) - widths), widths)
            expected += np.bincount(places, shares, minlength=len(known))
        probabilities = expected / np.bincount(of, expected, minlength=source_vocabulary)[of]
    token_ids, kept = _likeliest(of, known % target_vocabulary, probabilities, source_vocabulary)
    return TranslationTable(token_ids, kept, (counts / counts.sum()).astype(np.float32), fingerprint)


def rows_for(pairs: TokenPairs, max_links: int = MAX_LINKS) -> np.ndarray:
    """Numbers of the pairs of sentences that are learned from, those without a target token left out."""
    links = _links_of(pairs)
    share = min(1.0, max_links / max(1, links.sum()))
    rows = np.linspace(0, len(pairs) - 1, max(1, int(len(pairs) * share))).astype(np.int64)
    rows = rows[links[rows] > 0]
    within = np.cumsum(links[rows]) <= max_links
    return rows[within] if within.any() else np.flatnonzero(links)[:1]


def _links_of(pairs: TokenPairs) -> np.ndarray:
    """How many pairs of a source token, or its end, and a target token each pair of sentences has."""
    links: np.ndarray = (pairs.source.lengths + 1).astype(np.int64) * pairs.target.lengths
    return links


def _links(pairs: TokenPairs, rows: np.ndarray, vocabulary: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Every source token of a sentence with every target token of its translation, some sentences at a time.

    Yields:
        One number for each two tokens (links,), and how many links each target token has (target_tokens,).
    """
    parts = np.cumsum(_links_of(pairs)[rows]) // LINKS_AT_ONCE
    for part in np.split(rows, np.flatnonzero(np.diff(parts)) + 1):
        sources = [np.append(pairs.source[row], END_ID).astype(np.int64) for row in part]
        targets = [pairs.target[row] for row in part]
        links = [
            (source[None, :] * vocabulary + target[:, None]).ravel()
            for source, target in zip(sources, targets, strict=True)
        ]
        yield np.concatenate(links), np.repeat([len(source) for source in sources], [len(of) for of in targets])


def _likeliest(
    sources: np.ndarray, targets: np.ndarray, probabilities: np.ndarray, vocabulary: int
) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest targets of each source, as in `TranslationTable`; one probability for each two, by source."""
    order = np.lexsort((-probabilities, sources))
    ranks = np.arange(len(order)) - np.searchsorted(sources, np.arange(vocabulary))[sources]
    order, ranks = order[ranks < KEPT], ranks[ranks < KEPT]
    token_ids = np.zeros((vocabulary, KEPT), np.int32)
    kept = np.zeros((vocabulary, KEPT), np.float32)
    token_ids[sources[order], ranks] = targets[order]
    kept[sources[order], ranks] = probabilities[order]
    return token_ids, kept
