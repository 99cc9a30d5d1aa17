"""Lines, and what the run that was exported makes of them: by them anybody can see that an export still does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Base64Bytes, Field, ValidationError

from nmt.config import Section
from nmt.errors import CorruptFileError
from nmt.files import write_file
from nmt.saved_model.info import EXTRA

SAMPLES_FILE = f"{EXTRA}/samples.json"


class SampleHypothesis(Section):
    """One translation of a sample.

    Attributes:
        translation: the text.
        target_ids: its token ids, without end.
        log_prob: natural logarithm of its probability.
        score: what search ranked by.
        alignment: of its words to the source's, in Pharaoh format; empty where the model has no attention.
    """

    translation: str
    target_ids: list[int]
    log_prob: float
    score: float
    alignment: str


class Sample(Section):
    """A line and what the run makes of it.

    Attributes:
        line: the line, which need not be UTF-8; written, and given to the constructor, in base64.
        source_ids: for each of the export's source tokenizers, the line's token ids without end, cut where it was too
            long.
        pieces: those of the first tokenizer, for reading.
        cut: whether the line was too long.
        hypotheses: the best translations, best first.
        pair_log_prob: of the best translation's text, as `nmt score` gives it; it may be cut into other tokens than
            those that search put together.
        pair_cut: whether the line, or that text, was too long for it.
    """

    line: Base64Bytes
    source_ids: list[list[int]]
    pieces: list[str]
    cut: bool
    hypotheses: Annotated[list[SampleHypothesis], Field(min_length=1)]
    pair_log_prob: float
    pair_cut: bool


class Samples(Section):
    """All of them."""

    samples: list[Sample]


def write_samples(folder: Path, samples: Sequence[Sample]) -> None:
    """Writes `samples.json`."""
    text = Samples(samples=list(samples)).model_dump_json(indent=1)
    write_file(folder / SAMPLES_FILE, (text + "\n").encode())


def read_samples(folder: Path) -> list[Sample]:
    """Reads `samples.json`.

    Raises:
        CorruptFileError: it is missing or damaged.
    """
    path = folder / SAMPLES_FILE
    try:
        return Samples.model_validate_json(path.read_bytes()).samples
    except (OSError, ValidationError) as error:
        reason = " ".join(str(error).split())
        raise CorruptFileError(
            f"{path}: expected lines with their translations ({reason}); export the run again"
        ) from None
