"""Training pairs that stand elsewhere too: earlier in the training part, or in the validation or test part.

Earlier means in an earlier corpus of a mixture, or on an earlier line of the same one. Knows nothing of the engine.
Both conditions share one window over the exact pair.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from nmt.config import Filters

LINES_AT_MOST = 2**40  # of one corpus


def duplicate_conditions(rows: ir.Table, filters: Filters) -> dict[str, ir.BooleanValue]:
    """The stages by name, in their order, each with the condition under which it drops a row of the training part."""
    same_pair = ibis.window(group_by=[rows.source, rows.target])
    in_training = rows.origin == "train"
    place = rows.corpus.cast("int64") * LINES_AT_MOST + rows.line
    conditions = {}
    if filters.duplicates:
        conditions["duplicates"] = place > place.min(where=in_training).over(same_pair)
    if filters.held_out:
        conditions["held_out"] = (~in_training).any().over(same_pair)
    return conditions
