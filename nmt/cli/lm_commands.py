"""`nmt lm ...`: train a language model, let it write, and score text with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from nmt.cli.lines import Input, Output, count_lines, read_lines, reading, writing
from nmt.cli.settings import Checkpoint, ConfigPath, Overrides, Which, quiet_start, training_reporter
from nmt.errors import DataError

if TYPE_CHECKING:
    from nmt.language_model import LanguageModel
    from nmt.language_model_scoring import LineScorer, TextScore
    from nmt.terminal import LineProgress
    from nmt.tokenizer import Tokenizer

DEFAULT_LINES = 5

app = typer.Typer(no_args_is_help=True, help="Language models: train one on running text, sample from it, score text.")

ModelPath = Annotated[
    Path, typer.Argument(metavar="RUN_OR_CONFIG", help="Run folder such as runs/brackets, or its configuration.")
]


@app.command()
def train(config: ConfigPath, overrides: Overrides = None) -> None:
    """Train a language model on its prepared text; run again, it resumes."""
    from nmt.config import load_language_model_config

    settings = load_language_model_config(config, overrides or ())
    with quiet_start():
        from nmt.training import train_language_model
    with training_reporter() as reporter:
        run = train_language_model(settings, reporter)
    typer.echo(str(run.folder))


@app.command()
def sample(
    model: ModelPath,
    prefix: Annotated[str, typer.Option(help="Text that the model reads first and that each sample begins with.")] = "",
    lines: Annotated[int | None, typer.Option(min=1, help="Sample so many lines; 5 unless told.")] = None,
    tokens: Annotated[int | None, typer.Option(min=1, help="Or sample so many tokens of running text.")] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens of a sampled line, at most.")] = 200,
    temperature: Annotated[
        float,
        typer.Option(min=0.0, help="Below 1 the likely tokens gain; 0, or below 0.000001, always takes the likeliest."),
    ] = 1.0,
    top_k: Annotated[int | None, typer.Option(min=1, help="Draw from so many of the likeliest tokens alone.")] = None,
    top_p: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Draw from the likeliest tokens that reach this probability; 0 always takes the likeliest.",
        ),
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random numbers: same seed, same text.")] = 1,
    checkpoint: Checkpoint = None,
    overrides: Overrides = None,
) -> None:
    """Write text: some lines, each sampled to its end, or running text."""
    if lines is not None and tokens is not None:
        raise typer.BadParameter("expected either --lines or --tokens, received both")
    language_model, tokenizer = _load(model, checkpoint, overrides or [])
    from nmt.text_generation import Sampling, TextGenerator

    generator = TextGenerator(language_model, tokenizer, Sampling(temperature, top_k, top_p, seed))
    prefix = prefix.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if unknown := generator.unknown(prefix):
        characters = ", ".join(map(repr, unknown))
        typer.echo(f"nmt: warning: --prefix: the model does not know {characters}; it reads them as unknown", err=True)
    if tokens is not None:
        _print_line(generator.running_text(tokens, prefix))
        return
    for line in generator.lines(lines or DEFAULT_LINES, max_tokens, prefix):
        _print_line(line)


@app.command()
def score(
    model: ModelPath,
    input: Input = None,
    output: Output = None,
    independent: Annotated[
        bool, typer.Option("--independent", help="Read each line by itself; else the state goes from line to line.")
    ] = False,
    checkpoint: Checkpoint = None,
    overrides: Overrides = None,
) -> None:
    """Write each line's log-probability; perplexity and bits per character of the whole text go to stderr."""
    from nmt.terminal import LineProgress

    with reading(input) as source, writing(output) as sink:
        language_model, tokenizer = _load(model, checkpoint, overrides or [])
        from nmt.language_model_scoring import LineScorer

        scorer = LineScorer(language_model, tokenizer, independent)
        with LineProgress(count_lines(input), live=output is not None or not sys.stdout.isatty()) as progress:
            total = _score_lines(scorer, source, sink, progress)
        if not total.lines:
            raise DataError(
                f"{input or 'standard input'}: expected lines of text, received none; give at least one line to score"
            )
    typer.echo(str(total), err=True)


def _score_lines(scorer: LineScorer, source: BinaryIO, sink: BinaryIO, progress: LineProgress) -> TextScore:
    """Writes one log-probability for each line that is read; returns the score of all."""
    from nmt.language_model_scoring import TextScore

    total = TextScore()
    for line in scorer.score(read_lines(source), progress.advance):
        total = total.plus(line)
        sink.write(f"{line.log_prob:.4f}\n".encode())
    sink.flush()
    return total


def _load(model: Path, checkpoint: Which | None, overrides: list[str]) -> tuple[LanguageModel, Tokenizer]:
    """The language model of a run folder, or of the run folder that a configuration names.

    Raises:
        DataError: there is nothing of that name, or it holds no language model.
        typer.BadParameter: overrides for a run folder.
    """
    if not model.exists():
        raise DataError(
            f"{model}: expected a language model's run folder or configuration, found nothing; run nmt lm train first"
        )
    if model.is_dir() and overrides:
        raise typer.BadParameter(
            f"expected --set with a configuration alone, received it with the run folder {model}; leave it out"
        )
    from nmt.config import load_language_model_config

    folder = model if model.is_dir() else load_language_model_config(model, overrides).run_folder
    with quiet_start():
        from nmt.language_model_run import load_language_model
    language_model, tokenizer, _ = load_language_model(folder, (checkpoint or Which.best).value)
    return language_model, tokenizer


def _print_line(text: str) -> None:
    sys.stdout.buffer.write(text.encode("utf-8", errors="replace") + b"\n")
    sys.stdout.buffer.flush()
