r"""The user's text files, line by line, into one Parquet file of (origin, corpus, line, source, target).

Parallel text and TSV, plain or gzip (told apart by content, not by name), UTF-8. Lines end at `\n` alone. Everything
streams: memory does not grow with the corpus. Corpora are numbered in the order in which they are read: those of the
training part, then validation and test. Knows nothing of filters or subwords.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice, zip_longest
from pathlib import Path
from typing import BinaryIO, TypeVar

import pyarrow as pa
import pyarrow.parquet

from data_prep.exercises import generate_exercise
from nmt.config import CorpusConfig, Synthetic, TextFiles
from nmt.corpus import PARTS
from nmt.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MAX_LINE_BYTES = 16 * 2**20
ROWS_PER_CHUNK = 10_000
ADVICE = "correct its name or corpus.root"

RAW_SCHEMA = pa.schema(
    [
        ("origin", pa.string()),  # the part that the row was read for
        ("corpus", pa.int32()),
        ("line", pa.int64()),
        ("source", pa.string()),
        ("target", pa.string()),
    ]
)

Pair = tuple[str, str]
Item = TypeVar("Item")


def read_corpus(corpus: CorpusConfig, destination: Path) -> dict[str, int]:
    """Reads all corpora that the configuration names and writes them to one Parquet file.

    Returns:
        The number of pairs of each corpus, under its key in the configuration.

    Raises:
        DataError: a file is missing, empty, damaged, not UTF-8, or does not fit the other side.
    """
    counts: dict[str, int] = {}
    with pyarrow.parquet.ParquetWriter(destination, RAW_SCHEMA) as writer:
        for number, (key, pairs) in enumerate(_corpora(corpus)):
            counts[key] = 0
            for rows in chunks(enumerate(pairs, start=1), ROWS_PER_CHUNK):
                writer.write_table(_raw_table(key if key in PARTS else "train", number, rows))
                counts[key] += len(rows)
    return counts


def named_files(corpus: CorpusConfig) -> dict[str, TextFiles]:
    """The files of each corpus under its key in the configuration (`train`, `mixture.NAME`), in reading order."""
    mixture = {f"mixture.{name}": files for name, files in (corpus.mixture or {}).items()}
    parts = {part: getattr(corpus, part) for part in PARTS}
    return {key: files for key, files in {**mixture, **parts}.items() if files is not None}


def input_names(files: TextFiles) -> list[str]:
    """The files of one corpus, as the configuration names them."""
    return [name for name in (files.source, files.target, files.tsv) if name is not None]


def input_files(corpus: CorpusConfig) -> dict[str, Path]:
    """The files that the configuration names: the name as given, and where it lies."""
    names = [name for files in named_files(corpus).values() for name in input_names(files)]
    return {name: Path(corpus.root) / name for name in names}


def read_parallel(source: Path, target: Path, advice: str = ADVICE) -> Iterator[Pair]:
    """Pairs of two files, line by line.

    Args:
        source: the source side.
        target: the target side.
        advice: what to do where a file cannot be opened.

    Raises:
        DataError: the files have different numbers of lines; the message has both.
    """
    counts = [0, 0]
    for source_line, target_line in zip_longest(read_lines(source, advice), read_lines(target, advice)):
        counts[0] += source_line is not None
        counts[1] += target_line is not None
        if source_line is not None and target_line is not None:
            yield source_line, target_line
    if counts[0] != counts[1]:
        raise DataError(
            f"expected as many lines in {source} as in {target}; received {counts[0]} and {counts[1]}; "
            f"make line n of one the translation of line n of the other"
        )


def read_tsv(path: Path) -> Iterator[Pair]:
    """Pairs of one file: source, a tab, target on each line.

    Raises:
        DataError: a line has not exactly two fields.
    """
    for number, line in enumerate(read_lines(path), start=1):
        fields = line.split("\t")
        if len(fields) != 2:
            raise DataError(
                f"{path}: line {number}: expected source, one tab, target; received {len(fields)} "
                f"field{'s' if len(fields) > 1 else ''}; correct the line or remove it"
            )
        yield fields[0], fields[1]


def read_lines(path: Path, advice: str = ADVICE) -> Iterator[str]:
    r"""Lines of a plain or gzip file, without `\n` or `\r\n` and without a byte order mark at the start.

    Args:
        path: the file.
        advice: what to do where it cannot be opened.

    Raises:
        DataError: the file is missing, empty, damaged or not UTF-8.
    """
    number = 0
    with _opened(path, advice) as file:
        for number, raw in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES + 1), b""), start=1):
            if len(raw) > MAX_LINE_BYTES:
                raise DataError(f"{path}: line {number}: expected text, received over {MAX_LINE_BYTES:,} bytes")
            yield _decoded(raw.removeprefix(BYTE_ORDER_MARK) if number == 1 else raw, path, number)
    if number == 0:
        raise DataError(f"{path}: expected at least one line, received an empty file")


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` items, the last one shorter."""
    iterator = iter(items)
    return iter(lambda: list(islice(iterator, size)), [])


def _corpora(corpus: CorpusConfig) -> Iterator[tuple[str, Iterable[Pair]]]:
    if corpus.synthetic is not None:
        yield from _synthetic_parts(corpus.synthetic)
        return
    for key, files in named_files(corpus).items():
        yield key, _file_pairs(files, Path(corpus.root))


def _file_pairs(files: TextFiles, root: Path) -> Iterator[Pair]:
    if files.tsv is not None:
        return read_tsv(root / files.tsv)
    return read_parallel(root / str(files.source), root / str(files.target))


def _synthetic_parts(synthetic: Synthetic) -> Iterator[tuple[str, Iterable[Pair]]]:
    try:
        corpora = _generated(synthetic)
    except ValueError as error:
        advice = "lower corpus.synthetic.train, or corpus.synthetic.validation and corpus.synthetic.test"
        raise DataError(f"{str(error).removesuffix('.')}: {advice}") from None
    for part in PARTS:
        yield part, corpora[part]


def _generated(synthetic: Synthetic) -> dict[str, list[Pair]]:
    counts = synthetic.train, synthetic.validation, synthetic.test
    if synthetic.kind != "english_korean":
        return generate_exercise(synthetic.kind, synthetic.seed, *counts)
    from data_prep.synthetic import english_korean  # no other corpus loads the grammars

    corpora = english_korean(synthetic.seed, *counts)
    return {part: [(pair.source, pair.target) for pair in corpora[part]] for part in PARTS}


def _raw_table(origin: str, corpus: int, rows: list[tuple[int, Pair]]) -> pa.Table:
    lines = [line for line, _ in rows]
    sources = [source for _, (source, _) in rows]
    targets = [target for _, (_, target) in rows]
    return pa.table([[origin] * len(rows), [corpus] * len(rows), lines, sources, targets], schema=RAW_SCHEMA)


@contextmanager
def _opened(path: Path, advice: str) -> Iterator[BinaryIO]:
    """Opens a plain or gzip file, and words every failure of reading it."""
    try:
        with path.open("rb") as plain:
            is_gzip = plain.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            plain.seek(0)
            yield gzip.GzipFile(fileobj=plain) if is_gzip else plain  # type: ignore[misc]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; {advice}") from None
    except EOFError:
        raise DataError(f"{path}: expected a whole gzip file, but it is cut short; copy or download it again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: expected a sound gzip file ({error}); copy or download it again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; {advice}") from None


def _decoded(raw: bytes, path: Path, number: int) -> str:
    try:
        return raw.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: line {number}: expected UTF-8, received the byte 0x{error.object[error.start]:02x}; "
            f"convert the file, for example with iconv -t UTF-8"
        ) from None
