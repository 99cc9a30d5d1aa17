"""`nmt shortlist`: what `decoding.shortlist` needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from nmt.cli.settings import RunPath, quiet_start

if TYPE_CHECKING:
    from rich.table import Table

LENGTHS = (64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192)


def shortlist(run: RunPath) -> None:
    """Learn which target tokens stand for which source tokens, for a search among the likeliest ones alone."""
    with quiet_start():
        from nmt.run_folder import RunFolder
        from nmt.translation.shortlist import coverage, learn_table
        from nmt.translation_table import rows_for
    from rich.console import Console

    folder = RunFolder(run)
    batch_size, corpus = folder.config().decoding.batch_size, folder.corpus()
    pairs = corpus.tokens("train")
    typer.echo(f"learning from {len(rows_for(pairs)):,} of {len(pairs):,} pairs", err=True)
    table = learn_table(folder, corpus)
    lengths = [length for length in LENGTHS if length < len(table.frequencies)]
    shares = coverage(table, corpus.tokens("validation"), batch_size, lengths)
    Console(highlight=False).print(_coverage_table(dict(zip(lengths, shares, strict=True)), batch_size))
    typer.echo(str(table.write(run)))


def _coverage_table(shares: dict[int, float], batch_size: int) -> Table:
    """The share of the validation part's target tokens by the length of the list."""
    from rich.table import Table

    table = Table("decoding.shortlist", "has of its tokens", title=f"The validation part, {batch_size} lines together")
    for length, share in shares.items():
        table.add_row(f"{length:,}", f"{share:.2%}")
    return table
