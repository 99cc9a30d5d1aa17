"""`nmt translate`: lines in, as many lines out, whatever the lines hold."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from nmt.cli.growing_file import GrowingFile, check_output, each_row_a_line, growing, is_whole
from nmt.cli.lines import Input, Output, count_lines, read_lines, reading
from nmt.cli.settings import (
    BatchSize,
    BeamSize,
    Checkpoint,
    DecodingOverrides,
    Ensemble,
    LanguageModelRun,
    LanguageModelWeight,
    LengthPenalty,
    MinimumBayesRisk,
    NBest,
    Samples,
    SamplingSeed,
)
from nmt.cli.translation_rows import Format, Rows, line_of_tsv, rows_of
from nmt.cli.translators import load
from nmt.errors import DataError

if TYPE_CHECKING:
    from nmt.translation.lines import LineTranslator

ROOM_BESIDE_TEXT = 5  # bytes of a byte order mark and a line end

Prefixes = Annotated[
    Path | None, typer.Option(help="Text file: what the translation of each line begins with; empty lines: anything.")
]


def translate(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_SAVED_MODEL", help="Run folder or SavedModel folder.")],
    input: Input = None,
    output: Output = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with --output behind the last whole block of lines.")
    ] = False,
    format: Annotated[
        Format, typer.Option(help="What is written: translations, or with scores, n best, alignments and pieces.")
    ] = Format.text,
    interactive: Annotated[bool, typer.Option("--interactive", "-i", help="Translate what you type.")] = False,
    prefixes: Prefixes = None,
    checkpoint: Checkpoint = None,
    beam_size: BeamSize = None,
    n_best: NBest = None,
    length_penalty: LengthPenalty = None,
    batch_size: BatchSize = None,
    samples: Samples = None,
    seed: SamplingSeed = None,
    minimum_bayes_risk: MinimumBayesRisk = None,
    ensemble: Ensemble = None,
    language_model: LanguageModelRun = None,
    language_model_weight: LanguageModelWeight = None,
    overrides: DecodingOverrides = None,
) -> None:
    """Translate text, line by line: as many lines come out as go in."""
    changes = {
        "beam_size": beam_size,
        "n_best": n_best,
        "length_penalty": length_penalty,
        "batch_size": batch_size,
        "samples": samples,
        "seed": seed,
        "minimum_bayes_risk": minimum_bayes_risk,
        "ensemble": ensemble,
        "language_model": language_model,
        "language_model_weight": language_model_weight,
    }
    if interactive:
        if input or output or prefixes or resume or format is not Format.text:
            raise typer.BadParameter(
                "expected -i alone; leave out --input, --output, --resume, --prefixes and --format"
            )
        from nmt.cli.interactive import converse

        converse(load(model, checkpoint, changes, overrides, with_attention=True))
        return
    if resume and output is None:
        raise typer.BadParameter("--resume goes on with a file; expected --output, received none")
    if resume and output is not None and is_whole(output):
        typer.echo(f"{output} is whole, there is nothing to go on with; leave out --resume to make it anew", err=True)
        return
    if format is Format.text and (n_best or samples or 1) > 1 and not minimum_bayes_risk:
        typer.echo("nmt: warning: text has room for one translation a line; all are in --format jsonl or tsv", err=True)
    from nmt.terminal import LineProgress

    if output is not None:
        check_output(output, resume)
    lines = count_lines(input)
    forced = None if prefixes is None else read_prefixes(prefixes, input, lines)
    with reading(input) as source:
        translator = load(model, checkpoint, changes, overrides, with_attention=format is not Format.text)
        if forced is not None:
            check_prefixes(translator, forced)
        typed = input is None and sys.stdin.isatty()
        block = 1 if typed else lines_at_once()
        line_of = line_of_tsv if format is Format.tsv else each_row_a_line
        sink: AbstractContextManager[GrowingFile] = nullcontext(GrowingFile(sys.stdout.buffer))
        if output is not None:
            made_by = {"format": format.value, **translator.description}
            sink = growing(output, block, resume, line_of, made_by)
        live = output is not None or not sys.stdout.isatty()
        with sink as file, LineProgress(lines, live, done=file.lines_done) as progress:
            translate_lines(translator, source, file, rows_of(format), block, progress.advance, progress.warn, forced)


def translate_lines(
    translator: LineTranslator,
    source: BinaryIO,
    sink: GrowingFile,
    rows: Rows,
    block: int,
    progress: Callable[[int], None],
    warn: Callable[[str], None],
    prefixes: Iterable[str] | None = None,
) -> None:
    """Writes the rows of each line that is read.

    Args:
        translator: makes the translations.
        source: the text; any bytes.
        sink: where the rows go; the lines that it has already are passed over.
        rows: gives the rows of a line, of its number from 0 and its translation.
        block: lines that are written at once.
        progress: called with numbers of translated lines.
        warn: called with a line of text for each line that was cut.
        prefixes: what each translation begins with.

    Raises:
        DataError: the sink has more lines than the text, or there are fewer prefixes than lines.
    """
    lines = read_lines(source, translator.max_source_bytes + ROOM_BESIDE_TEXT)
    if (passed := sum(1 for _ in islice(lines, sink.lines_done))) < sink.lines_done:
        raise DataError(
            f"--resume: expected an input that begins with the {sink.lines_done:,} lines that are translated already, "
            f"received {passed:,} lines; give the same input, or remove the part to start anew"
        )
    prefixes = None if prefixes is None else islice(prefixes, sink.lines_done, None)
    number = sink.lines_done
    while chunk := list(islice(lines, block)):
        beginnings = None if prefixes is None else list(islice(prefixes, len(chunk)))
        if beginnings is not None and len(beginnings) < len(chunk):
            raise DataError(
                f"--prefixes: expected a prefix for each line, received {number + len(beginnings):,} for more lines; "
                f"add the missing ones, an empty line is no prefix"
            )
        written = []
        for translation in translator.translate(chunk, progress, beginnings, number):
            if translation.cut:
                warn(
                    f"line {number + 1}: only its beginning was translated (decoding.max_source_tokens, "
                    f"max_source_bytes)"
                )
            written.append(rows(number, translation).encode("utf-8", errors="replace"))
            number += 1
        sink.write_block(b"".join(written))
    if prefixes is not None and next(prefixes, None) is not None:
        raise DataError(
            f"--prefixes: expected a prefix for each of {number:,} lines, received more; remove those at the end"
        )


def read_prefixes(path: Path, input: Path | None, lines: int | None) -> list[str]:
    """The prefix of each line; they are held in memory.

    Raises:
        DataError: they are not as many as the lines of the input.
    """
    with reading(path, "--prefixes") as file:
        prefixes = [line.decode("utf-8", errors="replace") for line in read_lines(file)]
    if lines is not None and lines != len(prefixes):
        raise DataError(
            f"{path}: expected a prefix for each of the {lines:,} lines of {input}, received {len(prefixes):,}; an "
            f"empty line is no prefix"
        )
    return prefixes


def check_prefixes(translator: LineTranslator, prefixes: Iterable[str]) -> None:
    """Refuses a prefix that leaves no room for a translation, before the first line is translated.

    Raises:
        DataError: there is one, or the model takes none.
    """
    for number, prefix in enumerate(prefixes):
        translator.check_prefix(number, prefix)


def lines_at_once() -> int:
    """Lines that are sorted and translated together."""
    from nmt.translation.lines import LINES_AT_ONCE

    return LINES_AT_ONCE
