"""The command line: `nmt COMMAND ...`.

Each command is a few lines that read options and call one function of the library. What is heavy is imported inside
the commands, so that `nmt --help` and `nmt config check` answer at once. Only here does `nmt` import `data_prep`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import Abort, Exit, TyperException

from nmt.cli import config_commands, lm_commands
from nmt.cli.average_command import average
from nmt.cli.commands import evaluate, prepare, train
from nmt.cli.export_command import export
from nmt.cli.plot_command import plot
from nmt.cli.score_command import score
from nmt.cli.settings import DEBUG
from nmt.cli.shortlist_command import shortlist
from nmt.cli.translate_command import translate
from nmt.errors import NmtError


class ErrorLine(TyperGroup):
    """The top command: an error of the work becomes one line on stderr, wrong usage stays Typer's."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command that was asked for."""
        DEBUG.set(bool(ctx.params.get("debug")))
        with error_line():
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result


@contextmanager
def error_line() -> Iterator[None]:
    """Says any error in a line (a faulty configuration: a line a fault), with exit status 1; `--debug` lets it pass."""
    try:
        yield
    except (TyperException, Abort, Exit):
        raise
    except BrokenPipeError:  # the reader, such as head, has what it wanted
        sys.stdout = open("/dev/null", "w", encoding="utf-8")  # noqa: SIM115  else Python complains when it flushes
        raise Exit(0) from None
    except (Exception, KeyboardInterrupt) as error:
        if DEBUG.get():
            raise
        typer.echo(f"nmt: error: {describe(error)}", err=True)
        raise Exit(1) from None


def describe(error: BaseException) -> str:
    """What the user is told of an error."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, NmtError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
    message = " ".join(str(error).split())
    return f"unexpected {type(error).__name__}: {message}; run again as nmt --debug ... for the traceback"


app = typer.Typer(
    name="nmt",
    cls=ErrorLine,
    invoke_without_command=True,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def nmt(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the versions of the whole stack.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and TensorFlow's own messages.")] = False,
) -> None:
    """Recurrent neural machine translation: from two text files to a translator."""
    if version:
        from nmt.cli.stack import describe_stack

        typer.echo(describe_stack())
    elif context.invoked_subcommand is None:
        context.fail("Missing command.")


app.command()(prepare)
app.command()(train)
app.command()(translate)
app.command()(score)
app.command()(evaluate)
app.command()(average)
app.command()(shortlist)
app.command()(plot)
app.command()(export)
app.add_typer(lm_commands.app, name="lm")
app.add_typer(config_commands.app, name="config")


def main() -> None:
    """Runs the command line."""
    app(prog_name="nmt")
