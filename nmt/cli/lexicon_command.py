"""`nmt lexicon`: what `decoding.candidates` needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from nmt.cli.settings import RunPath, quiet_start

if TYPE_CHECKING:
    from rich.table import Table

COUNTS = (256, 512, 1_024, 2_048, 4_096, 8_192)


def lexicon(run: RunPath) -> None:
    """Learn which target tokens stand for which source tokens, for a search among the likeliest ones alone."""
    with quiet_start():
        from nmt.lexicon import learn_lexicon
        from nmt.run_folder import RunFolder
        from nmt.translation.candidates import coverage
    from rich.console import Console

    folder = RunFolder(run)
    batch_size, corpus = folder.config().decoding.batch_size, folder.corpus()
    source, target = folder.tokenizers()
    learned = learn_lexicon(corpus.tokens("train"), source.size, target.size, corpus.fingerprint)
    counts = [count for count in COUNTS if count < target.size]
    shares = coverage(learned, corpus.tokens("validation"), batch_size, counts)
    Console(highlight=False).print(_table(dict(zip(counts, shares, strict=True)), batch_size))
    typer.echo(str(learned.write(run)))


def _table(shares: dict[int, float], batch_size: int) -> Table:
    """The share of the validation part's target tokens by the number of candidates."""
    from rich.table import Table

    table = Table(title=f"Target tokens of the validation part, {batch_size} lines together")
    table.add_column("decoding.candidates", justify="right")
    table.add_column("are among them", justify="right")
    for count, share in shares.items():
        table.add_row(f"{count:,}", f"{share:.2%}")
    return table
