"""Who takes part: a system with a precision and a batch, and the form in which it builds the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from arithmetic import Form

OURS = "keras_nmt"
PRECISIONS = {OURS: ("float32", "mixed_bfloat16")}  # the peers have half precision on graphics processors alone


@dataclass(frozen=True)
class Contender:
    """One row of the tables.

    Attributes:
        system: a file of `systems`.
        precision: of its training steps; with `mixed_bfloat16` it translates in bfloat16.
        sentences: of a batch.
        candidates: that it searches among; 0: all tokens.
        lookahead: of its beam search; 0: the exact stop.
    """

    system: str
    precision: str
    sentences: int
    candidates: int = 0
    lookahead: int = 0

    def __str__(self) -> str:
        candidates = f", {self.candidates:,} candidates" if self.candidates else ""
        lookahead = f", lookahead {self.lookahead}" if self.lookahead else ""
        return f"{self.system}, {self.precision}, {self.sentences} sentences{candidates}{lookahead}"

    @property
    def is_ours(self) -> bool:
        """Whether it is this toolkit."""
        return self.system == OURS

    @property
    def folder_name(self) -> str:
        """Of its model, which does not know how it is searched."""
        return f"{self.system}-{self.precision}-{self.sentences}"

    @property
    def form(self) -> Form:
        """See each system's worker."""
        return {
            OURS: Form(),
            "opennmt_tf": Form(input_feeding=True, projects_keys=True),
            "joey_nmt": Form(projects_keys=True),
        }[self.system]


def contenders_of(systems: Sequence[str], batches: Sequence[int], precisions: Sequence[str]) -> list[Contender]:
    """All of them, ours first, in those of the precisions that a system has."""
    return [
        Contender(system, precision, sentences)
        for sentences in batches
        for system in systems
        for precision in PRECISIONS.get(system, ("float32",))
        if system != OURS or precision in precisions
    ]


def with_shortcuts(contenders: Sequence[Contender], candidates: int, lookahead: int) -> list[Contender]:
    """Each of them, and this toolkit once more with a faster search, where one is given."""
    faster = [replace(one, candidates=candidates, lookahead=lookahead) for one in contenders if one.is_ours]
    return [*contenders, *faster] if candidates or lookahead else list(contenders)
