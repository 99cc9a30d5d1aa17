"""The split that never moves: a pair's side hangs on a hash of its source and on nothing else.

Identical sources land on the same side. Test pairs have the lowest hashes and validation pairs the highest, so that a
larger share on one side takes pairs from the training part alone. Knows nothing of the engine.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from nmt.config import CorpusConfig

DIGITS = 13  # hexadecimal digits of the hash that are compared: 52 bits, as many as a float holds


def split_side(source: ir.StringValue, corpus: CorpusConfig) -> ir.StringValue:
    """`train`, `validation` or `test`; a part whose files are named gets no row."""
    shares = split_shares(corpus)
    digest = source.hexdigest("md5")
    sides = []
    if shares["test"] > 0.0:
        sides.append((digest < _threshold(shares["test"]), "test"))
    if shares["validation"] > 0.0:
        sides.append((digest >= _threshold(1.0 - shares["validation"]), "validation"))
    return ibis.cases(*sides, else_="train") if sides else ibis.literal("train")


def split_shares(corpus: CorpusConfig) -> dict[str, float]:
    """The share of the pairs that each part without files gets; 0 for a part that has files."""
    wanted = {"validation": corpus.split.validation, "test": corpus.split.test}
    if corpus.synthetic is not None:
        return dict.fromkeys(wanted, 0.0)
    return {part: share if getattr(corpus, part) is None else 0.0 for part, share in wanted.items()}


def _threshold(share: float) -> str:
    return f"{round(share * 16**DIGITS):0{DIGITS}x}"
