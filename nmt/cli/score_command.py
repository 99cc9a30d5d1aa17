"""`nmt score`: the log-probability of given translations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from nmt.cli.lines import Output, count_lines, read_lines, reading, writing
from nmt.cli.settings import (
    BatchSize,
    Checkpoint,
    DecodingOverrides,
    Ensemble,
    LanguageModelRun,
    LanguageModelWeight,
    RunPath,
)
from nmt.cli.translation_rows import DIGITS, Format, row_of
from nmt.cli.translators import load_run
from nmt.errors import DataError

if TYPE_CHECKING:
    from nmt.translation.scoring import Score


def score(
    run: RunPath,
    source: Annotated[Path, typer.Option(help="Text file, one sentence a line, plain or gzip.")],
    target: Annotated[Path, typer.Option(help="Its translations, line by line.")],
    output: Output = None,
    format: Annotated[
        Format, typer.Option(help="Log-probabilities alone, or with those of each piece (jsonl, tsv).")
    ] = Format.text,
    pieces: Annotated[
        bool,
        typer.Option(
            "--pieces",
            help="The translations are pieces with a space between, as in the last column of tsv.",
        ),
    ] = False,
    checkpoint: Checkpoint = None,
    batch_size: BatchSize = None,
    ensemble: Ensemble = None,
    language_model: LanguageModelRun = None,
    language_model_weight: LanguageModelWeight = None,
    overrides: DecodingOverrides = None,
) -> None:
    """Write the log-probability of given translations, line by line, for filtering and reranking."""
    from nmt.terminal import LineProgress

    changes = {
        "batch_size": batch_size,
        "ensemble": ensemble,
        "language_model": language_model,
        "language_model_weight": language_model_weight,
        "shortlist": 0,
    }
    with reading(source, "--source") as sources, reading(target, "--target") as targets, writing(output) as sink:
        lines = _count(source, target)
        translator = load_run(run, checkpoint, changes, overrides)
        from nmt.translation.scoring import PairScorer

        with LineProgress(lines, live=output is not None) as progress:
            scores = PairScorer(translator).score(_pairs(sources, targets, source, target), progress.advance, pieces)
            for number, one in enumerate(scores, start=1):
                if one.cut:
                    progress.warn(
                        f"line {number}: only its beginning was scored (decoding.max_source_tokens, max_source_bytes, "
                        f"max_length)"
                    )
                sink.write(_row(number, one, format).encode())
            sink.flush()


def _row(number: int, score: Score, format: Format) -> str:
    """One row a line; of each piece and of the end of sentence the log-probability too where the format has room."""
    log_prob, log_probs = f"{score.log_prob:.{DIGITS}f}", [round(value, DIGITS) for value in score.log_probs]
    if format is Format.text:
        return f"{log_prob}\n"
    if format is Format.tsv:
        return row_of(str(number), log_prob, " ".join(score.pieces), " ".join(map(str, log_probs)))
    record: dict[str, Any] = {
        "line": number,
        "log_prob": round(score.log_prob, DIGITS),
        "pieces": list(score.pieces),
        "log_probs": log_probs,
        "cut": score.cut,
    }
    return json.dumps(record, ensure_ascii=False) + "\n"


def _count(source: Path, target: Path) -> int | None:
    """Lines of both files; None where they cannot be read twice.

    Raises:
        DataError: they differ.
    """
    counts = count_lines(source), count_lines(target)
    if None not in counts and counts[0] != counts[1]:
        raise DataError(
            f"expected as many translations as sources, received {counts[0]:,} lines in {source} and {counts[1]:,} in "
            f"{target}; give files that belong together"
        )
    return counts[0]


def _pairs(sources: BinaryIO, targets: BinaryIO, source: Path, target: Path) -> Iterator[tuple[bytes, bytes]]:
    """Both texts, line by line."""
    try:
        yield from zip(read_lines(sources), read_lines(targets), strict=True)
    except ValueError:
        raise DataError(
            f"expected as many translations as sources; {source} or {target} ended before the other; give files that "
            f"belong together"
        ) from None
