"""Running text to a prepared text: what `nmt prepare` does for a language model.

Nothing is cleaned: files are read line by line as they are, cut into parts and turned into token ids. A part without
files of its own is split off the training files in blocks of neighbouring lines, each chosen by a hash of its text and
of nothing else. The text is read anew for each step, so memory does not grow with it. Knows no model.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from data_prep.brackets import bracket_lines
from data_prep.encode import LineCounts, encode_lines
from data_prep.manifest import MANIFEST, FileEntries, write_manifest
from data_prep.preparation import Preparation, Report
from data_prep.readers import chunks, read_lines
from data_prep.subword import train_text_subwords
from nmt.config import LanguageModelConfig, TextConfig
from nmt.corpus import PARTS
from nmt.errors import DataError
from nmt.prepared_text import SUBWORD_FILE, TEXT_KIND

BLOCK_LINES = 20
HASH_BYTES = 6  # as many as a float holds
SMALL_PART = 1_000  # tokens
TEXT_FILES = {MANIFEST, SUBWORD_FILE, *(f"{part}.arrow" for part in PARTS)}
ADVICE = "correct its name or text.root"


def prepare_text(config: LanguageModelConfig, folder: Path | None = None, report: Report = print) -> Preparation:
    """Makes the prepared text of a configuration, or finds it up to date.

    Args:
        config: says where the text lies and how it is cut into subwords.
        folder: where it goes; by default `prepared/NAME`. An older one there is replaced once the new one is complete,
            and stays as it is on any error.
        report: called with a line of text for each step.

    Raises:
        DataError: the text cannot be used; the message says what to do.
    """
    return Preparation.make(config, folder, TEXT_FILES, partial(_build, config, report), report)


def part_lines(text: TextConfig, part: str) -> Iterator[str]:
    """The lines of one part, without their newlines.

    Raises:
        DataError: a file is missing, empty, damaged or not UTF-8.
    """
    if text.synthetic is not None:
        yield from bracket_lines(text.synthetic, part)
        return
    shares = split_shares(text)
    own_files = part != "train" and shares[part] == 0.0
    for block in _blocks(text, part if own_files else "train"):
        if own_files or _side(block, shares) == part:
            yield from block


def split_shares(text: TextConfig) -> dict[str, float]:
    """The share of the training files that each part without files of its own gets; 0 for one that has files."""
    wanted = {"validation": text.split.validation, "test": text.split.test}
    if text.synthetic is not None:
        return dict.fromkeys(wanted, 0.0)
    return {part: share if getattr(text, part) is None else 0.0 for part, share in wanted.items()}


def _blocks(text: TextConfig, part: str) -> Iterator[list[str]]:
    """The blocks of the files that are named for a part; none is of two files."""
    for name in getattr(text, part) or ():
        yield from chunks(read_lines(Path(text.root) / name, ADVICE), BLOCK_LINES)


def _side(block: list[str], shares: dict[str, float]) -> str:
    """Where a block ends up; test has the lowest hashes and validation the highest, as for pairs."""
    digest = hashlib.sha256("\n".join(block).encode()).digest()
    place = int.from_bytes(digest[:HASH_BYTES]) / 256**HASH_BYTES  # in [0, 1)
    if place < shares["test"]:
        return "test"
    return "validation" if place >= 1.0 - shares["validation"] else "train"


def _build(config: LanguageModelConfig, report: Report, building: Path, inputs: FileEntries) -> dict[str, Any]:
    _refuse_empty(config.text)
    report(f"training the {config.subword.model} subword model")
    tokenizer = train_text_subwords(part_lines(config.text, "train"), config.subword)
    (building / SUBWORD_FILE).write_bytes(tokenizer.model)
    report("encoding")
    work = building / "work"
    work.mkdir()
    parts = {part: encode_lines(part_lines(config.text, part), building / part, tokenizer, work) for part in PARTS}
    shutil.rmtree(work)
    _warn_of_small_parts(parts, config.text, report)
    contents = {
        "kind": TEXT_KIND,
        "inputs": inputs,
        "vocabulary": {"text": tokenizer.size},
        "parts": {part: asdict(counts) for part, counts in parts.items()},
    }
    return write_manifest(building, config, contents)


def _refuse_empty(text: TextConfig) -> None:
    """Looks for a line in each part before the work begins; only a split can leave a part without one."""
    for part in PARTS:
        lines = part_lines(text, part)
        first = next(lines, None)
        if first is None:
            raise DataError(_too_short(text, part))
        if part == "train" and not (first.strip() or any(map(str.strip, lines))):
            raise DataError(
                "the training part has blank lines alone; expected a line with a character that is not blank; correct "
                "the files that text.train names"
            )


def _too_short(text: TextConfig, part: str) -> str:
    sizes = [len(block) for block in _blocks(text, "train")]
    files = " and ".join(f"text.{name}" for name, share in split_shares(text).items() if share > 0.0)
    shares = "lower the shares of text.split" if part == "train" else f"raise text.split.{part}"
    return (
        f"the {part} part has no lines: text.train is split in blocks of {BLOCK_LINES} lines, and has {len(sizes):,} "
        f"of them (lines in all: {sum(sizes):,}); name files in {files}, break long lines, or {shares}"
    )


def _warn_of_small_parts(parts: dict[str, LineCounts], text: TextConfig, report: Report) -> None:
    """Says where the split left too little to measure with; whoever names files has chosen so."""
    for part, share in split_shares(text).items():
        if share > 0.0 and parts[part].tokens < SMALL_PART:
            report(
                f"warning: the {part} part has {parts[part].tokens:,} tokens, fewer than {SMALL_PART:,}: perplexity on "
                f"it will be noise; raise text.split.{part}, or name its files in text.{part}"
            )
