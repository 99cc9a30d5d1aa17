"""Evaluation: translates text whose references are known, and scores the translations against the raw references.

Writes `report.json` and the translations into the run folder. Knows no terminal and no text files: it is handed lines.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nmt.checkpoints import RunFolder, write_file
from nmt.config import DecodingConfig
from nmt.corpus import PreparedCorpus
from nmt.errors import DataError
from nmt.metrics import Score, bleu, character_error_rate, chrf, exact_match, ter
from nmt.tokenizer import Tokenizer
from nmt.translation import load_translator

REPORT_FILE = "report.json"


@dataclass(frozen=True)
class TextPairs:
    """Sources and their references.

    Attributes:
        name: the part of the corpus, or the source file's name.
        sources: raw sentences.
        references: their raw translations.
        files: `source` and `reference` where they were read from files.
    """

    name: str
    sources: list[str]
    references: list[str]
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Scores:
    """All scores of one text."""

    bleu: Score
    chrf: Score
    ter: Score
    exact_match: Score
    character_error_rate: Score

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {name: score.as_dict() for name, score in vars(self).items()}


@dataclass(frozen=True)
class Result:
    """One text's translations and their scores."""

    name: str
    hypotheses: list[str]
    scores: Scores
    files: dict[str, str] = field(default_factory=dict)

    @property
    def sentences(self) -> int:
        """Lines that were translated."""
        return len(self.hypotheses)


@dataclass(frozen=True)
class Report:
    """An evaluation: scores, and how they were made.

    Attributes:
        results: one a text.
        together: all texts as one.
        checkpoint: `best` or `last`.
        step: the checkpoint's.
        decoding: how translations were searched.
        seconds: what translating took.
        corpus_fingerprint: of the corpus that the model was trained on.
    """

    results: list[Result]
    together: Result
    checkpoint: str
    step: int
    decoding: DecodingConfig
    seconds: float
    corpus_fingerprint: str

    @property
    def title(self) -> str:
        """How the scores were made, in a line."""
        return (
            f"{self.checkpoint} checkpoint, step {self.step:,}; beam {self.decoding.beam_size}, "
            f"length penalty {self.decoding.length_penalty:g}; {self.together.sentences / self.seconds:,.1f} lines/s"
        )

    def as_dict(self) -> dict[str, Any]:
        """The content of `report.json`: scores, then what was scored and how."""
        return {
            **self.together.scores.as_dict(),
            **self._texts(),
            "sentences": self.together.sentences,
            "checkpoint": self.checkpoint,
            "step": self.step,
            "beam_size": self.decoding.beam_size,
            "length_penalty": self.decoding.length_penalty,
            "seconds": round(self.seconds, 3),
            "lines_per_second": round(self.together.sentences / self.seconds, 2),
            "corpus_fingerprint": self.corpus_fingerprint,
        }

    def write(self, folder: Path) -> Path:
        """Writes the translations and `report.json`, each whole or not at all; returns the report's path."""
        for name, result in zip(_file_names(self.results), self.results, strict=True):
            lines = (" ".join(hypothesis.splitlines()) + "\n" for hypothesis in result.hypotheses)
            write_file(folder / f"translations-{name}.txt", "".join(lines).encode("utf-8", errors="replace"))
        text = json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n"
        write_file(folder / REPORT_FILE, text.encode("utf-8", errors="replace"))
        return folder / REPORT_FILE

    def _texts(self) -> dict[str, Any]:
        if not self.results[0].files:
            return {"split": self.results[0].name}
        files = [{**result.files, "sentences": result.sentences, **result.scores.as_dict()} for result in self.results]
        return {"files": files}


def read_split(run: RunFolder, split: str) -> TextPairs:
    """The raw text of one part of the corpus that a run was trained on.

    Raises:
        DataError: the prepared corpus is missing, or is no longer the one that the run was trained on.
    """
    corpus = PreparedCorpus(run.config().prepared_folder)
    if corpus.fingerprint != run.corpus_fingerprint():
        raise DataError(
            f"{run.folder}: was trained on the corpus {run.corpus_fingerprint()[:12]}..., but {corpus.folder} is now "
            f"{corpus.fingerprint[:12]}...; prepare the corpus with the run's settings, train again, or name files "
            f"with --source and --reference"
        )
    return TextPairs(split, *corpus.text(split))


def evaluate(
    folder: Path,
    texts: Sequence[TextPairs],
    checkpoint: str = "best",
    decoding: DecodingConfig | None = None,
    progress: Callable[[int], None] = lambda lines: None,
) -> Report:
    """Translates and scores texts with a run folder's model.

    Args:
        folder: the run folder.
        texts: what is translated; several are scored apart, and all together.
        checkpoint: `best` or `last`.
        decoding: instead of the run's own.
        progress: called with the number of lines after each batch.

    Raises:
        DataError: the folder is no run folder or has no checkpoint yet.
        CorruptFileError: the checkpoint does not match its checksums.
    """
    run = RunFolder(folder)
    translator = load_translator(folder, checkpoint, decoding)
    started = time.monotonic()
    hypotheses = [
        [translation.text for translation in translator.translate((line.encode() for line in text.sources), progress)]
        for text in texts
    ]
    seconds = max(1e-9, time.monotonic() - started)
    scored = [score(text, lines, translator.source_tokenizer) for text, lines in zip(texts, hypotheses, strict=True)]
    together = scored[0]
    if len(texts) > 1:
        together = score(_join(texts), [line for lines in hypotheses for line in lines], translator.source_tokenizer)
    return Report(
        results=scored,
        together=together,
        checkpoint=checkpoint,
        step=int(run.checkpoint(checkpoint).name),
        decoding=translator.config,
        seconds=seconds,
        corpus_fingerprint=run.corpus_fingerprint(),
    )


def score(text: TextPairs, hypotheses: list[str], tokenizer: Tokenizer) -> Result:
    """Scores translations; sources that the model cannot tell apart count as one for exact match."""
    references = text.references
    scores = Scores(
        bleu=bleu(hypotheses, references),
        chrf=chrf(hypotheses, references),
        ter=ter(hypotheses, references),
        exact_match=exact_match([tokenizer.normalize(source) for source in text.sources], hypotheses, references),
        character_error_rate=character_error_rate(hypotheses, references),
    )
    return Result(text.name, hypotheses, scores, text.files)


def _join(texts: Sequence[TextPairs]) -> TextPairs:
    sources = [line for text in texts for line in text.sources]
    references = [line for text in texts for line in text.references]
    return TextPairs("all together", sources, references)


def _file_names(results: Sequence[Result]) -> list[str]:
    """A name for each text's translations; a second file of one name gets a number."""
    names: list[str] = []
    for result in results:
        name = result.name.removesuffix(".gz")
        names.append(name if name not in names else f"{name}-{len(names) + 1}")
    return names
