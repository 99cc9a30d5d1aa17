"""Text to token ids: one Arrow file a part, to be memory-mapped; of pairs, the text of the same rows in Parquet too.

Token ids go to disk as they come and are mapped back for the one record batch, so memory does not grow with the corpus.
Knows nothing of the stages before and of models after.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from data_prep.readers import ROWS_PER_CHUNK, chunks
from data_prep.subword import SIDES
from nmt.errors import DataError
from nmt.tokenizer import END_ID, UNKNOWN_ID, Tokenizer

TEXT_SCHEMA = pa.schema([("line", pa.int64()), ("source", pa.string()), ("target", pa.string())])
TOKEN_SCHEMA = pa.schema([(side, pa.list_(pa.int32())) for side in SIDES])
LINE_SCHEMA = pa.schema([("tokens", pa.list_(pa.int32()))])
MAX_PART_TOKENS = 2**31 - 1  # Arrow's 32-bit offsets

Row = tuple[int, int, str, str]  # corpus, line, source, target


@dataclass
class SideCounts:
    """What one side of a part holds, in tokens."""

    tokens: int = 0
    unknown: int = 0
    longest: int = 0

    def add(self, token_ids: list[int]) -> None:
        """Counts one sentence."""
        self.tokens += len(token_ids)
        self.unknown += token_ids.count(UNKNOWN_ID)
        self.longest = max(self.longest, len(token_ids))


@dataclass
class PartCounts:
    """What one part holds, and how many pairs of each corpus; `dropped` pairs had too many tokens, or none."""

    corpora: Counter[int] = field(default_factory=Counter)
    dropped: int = 0
    source: SideCounts = field(default_factory=SideCounts)
    target: SideCounts = field(default_factory=SideCounts)

    @property
    def pairs(self) -> int:
        """Pairs of all corpora."""
        return self.corpora.total()

    def for_manifest(self) -> dict[str, int]:
        """Flat, with the keys of the manifest."""
        sides = ((name, asdict(getattr(self, name))) for name in SIDES)
        return {"pairs": self.pairs} | {f"{name}_{key}": value for name, side in sides for key, value in side.items()}


@dataclass
class LineCounts:
    """What one part of running text holds; each line has one end of sentence among its tokens, and one newline."""

    lines: int = 0
    tokens: int = 0
    unknown: int = 0
    characters: int = 0

    def add(self, texts: list[str], token_ids: list[list[int]]) -> None:
        """Counts lines, without their newlines, and their tokens."""
        self.lines += len(texts)
        self.tokens += sum(map(len, token_ids))
        self.unknown += sum(ids.count(UNKNOWN_ID) for ids in token_ids)
        self.characters += sum(map(len, texts)) + len(texts)


def encode_part(
    text: Path, destination: Path, tokenizers: tuple[Tokenizer, Tokenizer], max_tokens: int | None, spool: Path
) -> PartCounts:
    """Writes the token ids of a part, and the text of the pairs that stay.

    Args:
        text: Parquet file of (corpus, line, source, target).
        destination: both files' path without ending; `.arrow` and `.parquet` are added.
        tokenizers: the source's and the target's.
        max_tokens: pairs with a longer side, or with a side of no token, are dropped; None keeps all pairs.
        spool: a folder for temporary files.
    """
    counts = PartCounts()
    with ExitStack() as stack:
        parquet = stack.enter_context(pyarrow.parquet.ParquetWriter(destination.with_suffix(".parquet"), TEXT_SCHEMA))
        spools = [stack.enter_context(_Spool(spool / f"{destination.name}.{side}")) for side in SIDES]
        for rows in chunks(_kept(text, tokenizers, max_tokens, counts), ROWS_PER_CHUNK):
            _, *texts = zip(*(row for row, _ in rows), strict=True)
            parquet.write_table(pa.table([list(column) for column in texts], schema=TEXT_SCHEMA))
            for side, side_spool in enumerate(spools):
                side_spool.write([token_ids[side] for _, token_ids in rows])
    columns = [side_spool.as_list_array() for side_spool in spools]
    _write_arrow(destination.with_suffix(".arrow"), columns, TOKEN_SCHEMA)
    return counts


def encode_lines(lines: Iterable[str], destination: Path, tokenizer: Tokenizer, spool: Path) -> LineCounts:
    """Writes the token ids of running text, an end of sentence after each line.

    Args:
        lines: the text, without its newlines.
        destination: the file's path without ending; `.arrow` is added.
        tokenizer: makes the ids.
        spool: a folder for temporary files.
    """
    counts = LineCounts()
    with _Spool(spool / destination.name) as token_spool:
        for texts in chunks(lines, ROWS_PER_CHUNK):
            token_ids = [[*ids, END_ID] for ids in tokenizer.encode_all(texts)]
            token_spool.write(token_ids)
            counts.add(texts, token_ids)
    _write_arrow(destination.with_suffix(".arrow"), [token_spool.as_list_array()], LINE_SCHEMA)
    return counts


def _kept(
    text: Path, tokenizers: tuple[Tokenizer, Tokenizer], max_tokens: int | None, counts: PartCounts
) -> Iterator[tuple[Row, tuple[list[int], list[int]]]]:
    """Rows with their token ids, counted."""
    for rows in chunks(_rows(text), ROWS_PER_CHUNK):
        sources = tokenizers[0].encode_all([source for *_, source, _ in rows])
        targets = tokenizers[1].encode_all([target for *_, target in rows])
        for row, source, target in zip(rows, sources, targets, strict=True):
            if max_tokens is not None and not all(1 <= len(token_ids) <= max_tokens for token_ids in (source, target)):
                counts.dropped += 1
                continue
            counts.corpora[row[0]] += 1
            counts.source.add(source)
            counts.target.add(target)
            yield row, (source, target)


def _rows(text: Path) -> Iterator[Row]:
    with pyarrow.parquet.ParquetFile(text) as file:
        for batch in file.iter_batches(columns=["corpus", *TEXT_SCHEMA.names]):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


class _Spool:
    """Lists of token ids on their way to disk: the ids in one file, where each list ends in another."""

    def __init__(self, path: Path) -> None:
        self._paths = (path.with_name(f"{path.name}.values"), path.with_name(f"{path.name}.offsets"))
        self._lists = self._tokens = 0

    def __enter__(self) -> _Spool:
        self._values, self._offsets = (path.open("wb") for path in self._paths)
        self._offsets.write(np.zeros(1, np.int32).tobytes())
        return self

    def __exit__(self, *_: object) -> None:
        self._values.close()
        self._offsets.close()

    def write(self, lists: list[list[int]]) -> None:
        ends = self._tokens + np.cumsum([len(token_ids) for token_ids in lists])
        self._lists, self._tokens = self._lists + len(lists), int(ends[-1])
        if self._tokens > MAX_PART_TOKENS:
            raise DataError(f"a part has more than {MAX_PART_TOKENS:,} tokens on one side; train on less text")
        self._values.write(np.array([i for token_ids in lists for i in token_ids], np.int32).tobytes())
        self._offsets.write(ends.astype(np.int32).tobytes())

    def as_list_array(self) -> pa.Array:
        values, offsets = (_mapped(path) for path in self._paths)
        numbers = pa.Array.from_buffers(pa.int32(), self._tokens, [None, values])
        return pa.Array.from_buffers(pa.list_(pa.int32()), self._lists, [None, offsets], children=[numbers])


def _mapped(path: Path) -> pa.Buffer:
    if path.stat().st_size == 0:  # an empty file cannot be mapped
        return pa.py_buffer(b"")
    with pa.memory_map(str(path)) as file:
        return file.read_buffer()


def _write_arrow(path: Path, columns: list[pa.Array], schema: pa.Schema) -> None:
    with pa.ipc.new_file(path, schema) as writer:
        writer.write_batch(pa.record_batch(columns, schema=schema))
