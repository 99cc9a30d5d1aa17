"""Who takes part: a system with a precision and a batch, and the form in which it builds the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from arithmetic import Form
from protocol import Search

OURS = "keras_nmt"
PRECISIONS = {OURS: ("float32", "mixed_bfloat16")}  # the peers have half precision on graphics processors alone


@dataclass(frozen=True)
class Contender:
    """One row of the tables.

    Attributes:
        system: a file of `systems`.
        precision: of its training steps.
        sentences: of a batch.
        search: how it translates; None: as it does by default, and where it does not translate at all.
    """

    system: str
    precision: str
    sentences: int
    search: Search | None = None

    def __str__(self) -> str:
        parts = self.system, self.precision, f"{self.sentences} sentences", *([self.search] if self.search else [])
        return ", ".join(map(str, parts))

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


def searching(contenders: Sequence[Contender], searches: Sequence[Search]) -> list[Contender]:
    """This toolkit once with each search, the peers as they are."""
    return [
        replace(contender, search=search)
        for contender in contenders
        for search in (searches if contender.is_ours else (contender.search,))
    ]
