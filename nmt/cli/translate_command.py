"""`nmt translate`: lines in, as many lines out, whatever the lines hold."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from nmt.cli.lines import Input, Output, count_lines, read_lines, reading, writing
from nmt.cli.settings import (
    BatchSize,
    BeamSize,
    Checkpoint,
    LanguageModelRun,
    LanguageModelWeight,
    LengthPenalty,
    Which,
    decoding_of,
    quiet_start,
)
from nmt.errors import DataError

if TYPE_CHECKING:
    from nmt.translation import LineTranslator, Translation


def translate(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_SAVED_MODEL", help="Run folder or SavedModel folder.")],
    input: Input = None,
    output: Output = None,
    checkpoint: Checkpoint = None,
    beam_size: BeamSize = None,
    length_penalty: LengthPenalty = None,
    batch_size: BatchSize = None,
    language_model: LanguageModelRun = None,
    language_model_weight: LanguageModelWeight = None,
) -> None:
    """Translate text, line by line: as many lines come out as go in."""
    from nmt.terminal import LineProgress

    options = {
        "beam_size": beam_size,
        "length_penalty": length_penalty,
        "batch_size": batch_size,
        "language_model": language_model,
        "language_model_weight": language_model_weight,
    }
    with reading(input) as source, writing(output) as sink:
        translator = load(model, checkpoint, options)
        with LineProgress(count_lines(input), live=output is not None or not sys.stdout.isatty()) as progress:
            typed = input is None and sys.stdin.isatty()
            translate_lines(translator, source, sink, progress.advance, progress.warn, at_once=typed)


def load(model: Path, checkpoint: Which | None, options: dict[str, float | str | None]) -> LineTranslator:
    """The translator in a folder, with what the command line changes of its search.

    Raises:
        DataError: the folder is missing or holds no model.
        typer.BadParameter: an option does not apply to a SavedModel.
    """
    if not model.is_dir():
        found = "a file" if model.exists() else "nothing"
        raise DataError(
            f"{model}: expected a run folder such as runs/quickstart or a SavedModel such as saved_models/quickstart, "
            f"found {found}"
        )
    if not is_saved_model(model):
        return _load_run(model, checkpoint or Which.best, options)
    given = [key for key, value in {"checkpoint": checkpoint, **options}.items() if value is not None]
    if given:
        option = f"--{given[0].replace('_', '-')}"
        raise typer.BadParameter(
            f"a SavedModel has its search inside; leave out {option}, or translate with the run folder"
        )
    with quiet_start():
        from nmt.saved_model import load_saved_model
    return load_saved_model(model)


def is_saved_model(folder: Path) -> bool:
    """Whether a folder holds a SavedModel, itself or in a numbered subfolder; looks without TensorFlow."""
    versions = (path for path in folder.iterdir() if path.name.isascii() and path.name.isdecimal())
    return any((place / "saved_model.pb").exists() for place in (folder, *versions))


def translate_lines(
    translator: LineTranslator,
    source: BinaryIO,
    sink: BinaryIO,
    progress: Callable[[int], None],
    warn: Callable[[str], None],
    at_once: bool = False,
) -> None:
    """Writes one line for each line that is read.

    Args:
        translator: makes the translations.
        source: the text; any bytes.
        sink: where the translations go.
        progress: called with numbers of translated lines.
        warn: called with a line of text for each line that was cut.
        at_once: answer each line at once, for somebody who types.
    """
    lines = read_lines(source)
    translations: Iterator[Translation]
    if at_once:
        translations = (translation for line in lines for translation in translator.translate([line], progress))
    else:
        translations = translator.translate(lines, progress)
    for number, translation in enumerate(translations, start=1):
        if translation.cut:
            warn(f"line {number}: only its beginning was translated (decoding.max_source_tokens, max_source_bytes)")
        sink.write(translation.line.encode("utf-8", errors="replace") + b"\n")
        if at_once:
            sink.flush()
    sink.flush()


def _load_run(folder: Path, checkpoint: Which, options: dict[str, float | str | None]) -> LineTranslator:
    with quiet_start():
        from nmt.run_folder import RunFolder
        from nmt.translation import load_translator
    return load_translator(folder, checkpoint.value, decoding_of(RunFolder(folder).config(), **options))
