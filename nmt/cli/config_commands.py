"""`nmt config ...`: the configuration's schema, and a check of a file."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from nmt.cli.settings import ConfigPath, Overrides

app = typer.Typer(no_args_is_help=True, help="Check a configuration, or show what one may hold.")


@app.command()
def schema(
    markdown: Annotated[bool, typer.Option("--markdown", help="Write docs/configuration.md instead.")] = False,
    language_model: Annotated[
        bool, typer.Option("--language-model", help="Of a language model's configuration, not a translation's.")
    ] = False,
) -> None:
    """Write the configuration's JSON Schema to standard output, for editors."""
    from nmt.config import Config, LanguageModelConfig
    from nmt.reference import configuration_reference

    kind = LanguageModelConfig if language_model else Config
    text = configuration_reference() if markdown else json.dumps(kind.model_json_schema(), indent=2) + "\n"
    typer.echo(text, nl=False)


@app.command()
def check(config: ConfigPath, overrides: Overrides = None) -> None:
    """Name all faults of a configuration, of either kind, at once."""
    from nmt.config import load_any_config

    load_any_config(config, overrides or ())
    typer.echo(f"{config}: ok")
