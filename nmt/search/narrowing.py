"""The loop of a search from which rows are left out once they are done.

A batch is done when its last row is, and rows differ: of 64 sentences of similar lengths, half are done after some two
thirds of the steps. Their places would be computed until the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from nmt.search.hypotheses import Hypotheses

MULTIPLE = 8  # the number of rows that go on is one of it: few shapes for the backend to make products for
SHARE = 0.75  # the loop is left when no more of its rows need to go on

Loop = tuple[Callable[..., Any], Callable[..., Any]]


def while_open(loop_over: Callable[[Any], Loop], take: Callable[[Any, Any], Any], start: Any, batch: Any) -> Hypotheses:
    """Extends the rows that are open until none is.

    Only backends whose arrays have shapes that depend on values can do this.

    Args:
        loop_over: makes of the numbers of some rows (rows,) two functions of what the loop carries for them: which are
            open (rows,), and what it carries after one more step.
        take: the part of what the loop carries that belongs to given ones of its rows.
        start: what it carries first: a named tuple, the last of which, `finished`, has the hypotheses found so far.
        batch: how many rows there are.

    Returns:
        What was found for each row when it was done.
    """
    kind = type(start)
    rows = ops.cast(ops.nonzero(ops.ones((batch,), "int32"))[0], "int32")  # a number of rows that no graph knows

    def any_left(rows: Any, *_: Any) -> Any:
        return ops.shape(rows)[0] > 0

    def extend_and_narrow(rows: Any, found: Any, values: Any) -> Any:
        is_open, extend = loop_over(rows)
        count = ops.shape(rows)[0]

        def goes_on(*values: Any) -> Any:
            left = _rounded(is_open(*values), count)
            enough = ops.cast(left, "float32") > SHARE * ops.cast(count, "float32")
            return ops.logical_and(left > 0, enough)

        values = kind(*ops.while_loop(goes_on, extend, tuple(values)))
        found = Hypotheses(
            *(
                ops.scatter_update(before, rows[:, None], now)
                for before, now in zip(found, values.finished, strict=True)
            )
        )
        opened = is_open(*values)
        kept = ops.argsort(ops.logical_not(opened))[: _rounded(opened, count)]
        return ops.take(rows, kept, axis=0), found, tuple(take(values, kept))

    carried = (rows, start.finished, tuple(take(start, rows)))
    _, found, _ = ops.while_loop(any_left, extend_and_narrow, carried)
    return Hypotheses(*found)


def _rounded(is_open: Any, count: Any) -> Any:
    """How many rows to go on with; some of them may be done."""
    left = ops.sum(ops.cast(is_open, "int32"))
    return ops.minimum((left + MULTIPLE - 1) // MULTIPLE * MULTIPLE, count)
