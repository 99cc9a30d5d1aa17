"""The list of sentence patterns: each is a function of a `Draw` that returns one sentence in both languages."""

from __future__ import annotations

from collections.abc import Callable

from data_prep.synthetic.phrases import Draw

Pattern = Callable[[Draw], tuple[str, str]]
PATTERNS: dict[str, Pattern] = {}
SHARES: dict[str, int] = {}


def pattern(function: Pattern, share: int = 1) -> Pattern:
    """Adds a pattern under its function's name.

    Args:
        function: makes one sentence.
        share: how often it is drawn, beside the others.

    Raises:
        ValueError: the name is taken.
    """
    if function.__name__ in PATTERNS:
        raise ValueError(f"pattern: expected a new name; received {function.__name__!r} twice")
    PATTERNS[function.__name__] = function
    SHARES[function.__name__] = share
    return function


def frequent(function: Pattern) -> Pattern:
    """Adds a pattern that is drawn three times as often as the others."""
    return pattern(function, share=3)
