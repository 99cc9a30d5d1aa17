"""The filters of the training part: which rows each of them drops, as Ibis expressions.

Knows nothing of other rows (see `deduplicate`), of the engine or of tokens (see `encode`).
"""

from __future__ import annotations

from collections.abc import Callable

import ibis
import ibis.expr.types as ir

from nmt.config import Filters

CONTROL = r"\p{Cc}"
VISIBLE = r"[^\p{Z}\p{Cc}\p{Cf}]"
RATIO_ALLOWANCE = 10


def filter_conditions(rows: ir.Table, filters: Filters) -> dict[str, ir.BooleanValue]:
    """The stages by name, in their order, each with the condition under which it drops a row."""
    conditions = {"empty": _on_either_side(rows, lambda text: ~text.re_search(VISIBLE))}
    if filters.control_characters:
        control = _on_either_side(rows, lambda text: text.re_search(CONTROL))
        conditions = {"control_characters": control, **conditions}
    conditions["max_characters"] = _on_either_side(rows, lambda text: text.length() > filters.max_characters)
    conditions["max_length_ratio"] = _is_lopsided(rows, filters.max_length_ratio)
    if filters.identical:
        conditions["identical"] = rows.source == rows.target
    return conditions


def _on_either_side(rows: ir.Table, holds: Callable[[ir.StringValue], ir.BooleanValue]) -> ir.BooleanValue:
    return holds(rows.source) | holds(rows.target)


def _is_lopsided(rows: ir.Table, ratio: float) -> ir.BooleanValue:
    """True where the longer side has more than `ratio` times the other's characters, plus 10."""
    source, target = rows.source.length(), rows.target.length()
    return ibis.greatest(source, target) > ibis.least(source, target) * ratio + RATIO_ALLOWANCE
