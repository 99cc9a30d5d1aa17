"""The lexicon: which target tokens stand for a source token, learned from the pairs of the training part.

    RUN/lexicon.npz     token_ids, probabilities, frequencies (see `Lexicon`), and the corpus' fingerprint

By IBM Model 1 (Brown et al. 1993, section 4.1): any token of the source may stand for any token of the target, or the
empty word does, whose place the end of sentence takes here. Knows no model.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nmt.corpus import TokenPairs
from nmt.errors import CorruptFileError, DataError
from nmt.files import write_file
from nmt.tokenizer import END_ID

LEXICON_FILE = "lexicon.npz"
KEPT = 32  # target tokens of a source token
ITERATIONS = 5
MAX_LINKS = 30_000_000  # pairs of a source and a target token; of a larger corpus, pairs of sentences are left out


@dataclass(frozen=True)
class Lexicon:
    """What translates what.

    Attributes:
        token_ids: target tokens of each source token, the likeliest first; (source_vocabulary, kept), int32.
        probabilities: of them, given the source token; 0 where there are fewer; (source_vocabulary, kept).
        frequencies: share of each token in all target tokens; (target_vocabulary,).
        fingerprint: of the prepared corpus that it was learned from.
    """

    token_ids: np.ndarray
    probabilities: np.ndarray
    frequencies: np.ndarray
    fingerprint: str = ""

    def write(self, run: Path) -> Path:
        """Writes it into a run folder.

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        path, file = run / LEXICON_FILE, io.BytesIO()
        np.savez_compressed(
            file,
            token_ids=self.token_ids,
            probabilities=self.probabilities,
            frequencies=self.frequencies,
            fingerprint=np.array(self.fingerprint),
        )
        write_file(path, file.getvalue())
        return path


def read_lexicon(run: Path) -> Lexicon:
    """The lexicon of a run folder.

    Raises:
        DataError: there is none.
        CorruptFileError: the file is damaged.
    """
    path = run / LEXICON_FILE
    try:
        with np.load(path) as file:  # each array has a checksum, as in any zip archive
            arrays = {name: file[name] for name in ("token_ids", "probabilities", "frequencies", "fingerprint")}
    except FileNotFoundError:
        raise DataError(
            f"decoding.candidates: expected the lexicon {path}, found none; run nmt lexicon {run}, or leave it out"
        ) from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise CorruptFileError(f"{path}: expected a lexicon ({error}); run nmt lexicon {run} again") from None
    return Lexicon(**{**arrays, "fingerprint": str(arrays["fingerprint"])})


def learn_lexicon(
    pairs: TokenPairs, source_vocabulary: int, target_vocabulary: int, fingerprint: str = "", max_links: int = MAX_LINKS
) -> Lexicon:
    """Learns the lexicon of a corpus by expectation maximization.

    Args:
        pairs: token ids without ends of sentences.
        source_vocabulary: pieces of the source's subword model.
        target_vocabulary: pieces of the target's.
        fingerprint: of the corpus.
        max_links: how many pairs of a source and a target token are looked at, at most; where there are more, those of
            evenly spaced pairs of sentences.

    Raises:
        DataError: there is no pair.
    """
    if not len(pairs.target.values):
        raise DataError("expected pairs of sentences to learn a lexicon from, received none")
    rows = _rows(pairs, max_links)
    sources = [np.append(pairs.source[row], END_ID) for row in rows]
    targets = [pairs.target[row] for row in rows]
    counts = np.bincount(_flat(targets), minlength=target_vocabulary)
    links, widths = _links(sources, targets, target_vocabulary)
    starts = np.cumsum(widths) - widths
    known, link_ids = np.unique(links, return_inverse=True)
    of = known // target_vocabulary  # the source token of each different link
    probabilities = np.ones(len(known))
    for _ in range(ITERATIONS):
        shares = probabilities[link_ids]  # of each source token in a target token
        shares /= np.repeat(np.add.reduceat(shares, starts), widths)
        expected = np.bincount(link_ids, shares, minlength=len(known))
        probabilities = expected / np.bincount(of, expected, minlength=source_vocabulary)[of]
    token_ids, kept = _likeliest(of, known % target_vocabulary, probabilities, source_vocabulary)
    return Lexicon(token_ids, kept, (counts / max(1, counts.sum())).astype(np.float32), fingerprint)


def _rows(pairs: TokenPairs, max_links: int) -> np.ndarray:
    """Numbers of the pairs of sentences to learn from."""
    links = int(((pairs.source.lengths + 1).astype(np.int64) * pairs.target.lengths).sum())
    count = len(pairs) if links <= max_links else max(1, len(pairs) * max_links // links)
    return np.linspace(0, max(0, len(pairs) - 1), count).astype(np.int64)


def _links(sources: list[np.ndarray], targets: list[np.ndarray], vocabulary: int) -> tuple[np.ndarray, np.ndarray]:
    """Every source token of a sentence with every target token of its translation.

    Returns:
        One number for each two tokens (links,), and how many links each target token has (target_tokens,).
    """
    links = [
        (source[None, :].astype(np.int64) * vocabulary + target[:, None]).ravel()
        for source, target in zip(sources, targets, strict=True)
    ]
    widths = np.repeat([len(source) for source in sources], [len(target) for target in targets])
    return _flat(links), widths


def _flat(lists: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int64), *lists])


def _likeliest(
    sources: np.ndarray, targets: np.ndarray, probabilities: np.ndarray, vocabulary: int
) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest targets of each source, as in `Lexicon`; one probability for each two, sorted by source."""
    order = np.lexsort((-probabilities, sources))
    ranks = np.arange(len(order)) - np.searchsorted(sources, np.arange(vocabulary))[sources]
    order, ranks = order[ranks < KEPT], ranks[ranks < KEPT]
    token_ids = np.zeros((vocabulary, KEPT), np.int32)
    kept = np.zeros((vocabulary, KEPT), np.float32)
    token_ids[sources[order], ranks] = targets[order]
    kept[sources[order], ranks] = probabilities[order]
    return token_ids, kept
