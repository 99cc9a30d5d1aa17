"""Evaluation: translates text whose references are known, and scores the translations against the raw references.

Writes `report.json` and the translations into the run folder. Knows no terminal and no text files: it is handed lines.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nmt.config import DecodingConfig
from nmt.files import write_file
from nmt.metrics import Score, bleu, character_error_rate, chrf, exact_match, ter
from nmt.run_folder import RunFolder
from nmt.tokenizer import Tokenizer
from nmt.translation.translator import load_translator

REPORT_FILE = "report.json"


@dataclass(frozen=True)
class TextPairs:
    """Sources and their references.

    Attributes:
        name: the part of the corpus, or the source file's name.
        sources: raw sentences.
        references: one or more lists of their raw translations, each as long as `sources`.
        files: `source` and `references` where they were read from files.
    """

    name: str
    sources: list[str]
    references: list[list[str]]
    files: dict[str, Any] = field(default_factory=dict)


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
class Report:
    """An evaluation: scores, and how they were made.

    Attributes:
        text: what was translated.
        hypotheses: its translations, one line each.
        scores: of the translations.
        checkpoint: `best` or `last`.
        step: the checkpoint's.
        decoding: how translations were searched.
        seconds: what translating took.
        corpus_fingerprint: of the corpus that the model was trained on.
    """

    text: TextPairs
    hypotheses: list[str]
    scores: Scores
    checkpoint: str
    step: int
    decoding: DecodingConfig
    seconds: float
    corpus_fingerprint: str

    @property
    def title(self) -> str:
        """How the scores were made, in a line."""
        return (
            f"{self.checkpoint} checkpoint, step {self.step:,}; {self._search}{self._voting}{self._shortcuts}; "
            f"{len(self.hypotheses) / self.seconds:,.1f} lines/s"
        )

    @property
    def _search(self) -> str:
        decoding = self.decoding
        search = f"beam {decoding.beam_size}, length penalty {decoding.length_penalty:g}"
        if decoding.samples:
            search = f"{decoding.samples} samples, temperature {decoding.temperature:g}, seed {decoding.seed}"
        if not decoding.minimum_bayes_risk:
            return search
        return f"{search}, minimum Bayes risk" + ("" if decoding.samples else f" of the {decoding.n_best} best")

    @property
    def _voting(self) -> str:
        decoding = self.decoding
        members = f", ensemble of {1 + len(decoding.ensemble)}" if decoding.ensemble else ""
        if not decoding.asks_language_model:
            return members
        return f"{members}, language model {decoding.language_model} of weight {decoding.language_model_weight:g}"

    @property
    def _shortcuts(self) -> str:
        """What makes the search faster and may change what it finds."""
        decoding = self.decoding
        shortlist = f", shortlist of {decoding.shortlist:,}" if decoding.shortlist else ""
        has_beam = decoding.beam_size > 1 and not decoding.samples
        lookahead = f", lookahead {decoding.lookahead}" if decoding.lookahead and has_beam else ""
        precision = f", {decoding.precision}" if decoding.precision != "float32" else ""
        return shortlist + lookahead + precision

    def as_dict(self) -> dict[str, Any]:
        """The content of `report.json`: scores, then what was scored and how."""
        return {
            **self.scores.as_dict(),
            **({"files": self.text.files} if self.text.files else {"split": self.text.name}),
            "sentences": len(self.hypotheses),
            "checkpoint": self.checkpoint,
            "step": self.step,
            "beam_size": self.decoding.beam_size,
            "length_penalty": self.decoding.length_penalty,
            "decoding": self.decoding.model_dump(exclude_defaults=True),
            "seconds": round(self.seconds, 3),
            "lines_per_second": round(len(self.hypotheses) / self.seconds, 2),
            "corpus_fingerprint": self.corpus_fingerprint,
        }

    def write(self, folder: Path) -> Path:
        """Writes the translations and `report.json`, each whole or not at all; returns the report's path."""
        lines = "".join(hypothesis + "\n" for hypothesis in self.hypotheses)
        name = self.text.name.removesuffix(".gz")
        write_file(folder / f"translations-{name}.txt", lines.encode("utf-8", errors="replace"))
        text = json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n"
        write_file(folder / REPORT_FILE, text.encode("utf-8", errors="replace"))
        return folder / REPORT_FILE


def read_split(run: RunFolder, split: str) -> TextPairs:
    """The raw text of one part of the corpus that a run was trained on.

    Raises:
        DataError: the prepared corpus is missing, or is no longer the one that the run was trained on.
    """
    sources, references = run.corpus("name files with --source and --reference").text(split)
    return TextPairs(split, sources, [references])


def evaluate(
    folder: Path,
    text: TextPairs,
    checkpoint: str = "best",
    decoding: DecodingConfig | None = None,
    progress: Callable[[int], None] = lambda lines: None,
) -> Report:
    """Translates and scores a text with a run folder's model.

    Args:
        folder: the run folder.
        text: what is translated.
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
    lines = (source.encode() for source in text.sources)
    hypotheses = [translation.line for translation in translator.translate(lines, progress)]
    seconds = max(1e-9, time.monotonic() - started)
    return Report(
        text=text,
        hypotheses=hypotheses,
        scores=score(text, hypotheses, translator.source_tokenizer),
        checkpoint=checkpoint,
        step=int(run.checkpoint(checkpoint).name),
        decoding=translator.config,
        seconds=seconds,
        corpus_fingerprint=run.corpus_fingerprint(),
    )


def score(text: TextPairs, hypotheses: list[str], tokenizer: Tokenizer) -> Scores:
    """Scores translations; sources that the model cannot tell apart count as one for exact match."""
    sources = [tokenizer.normalize(source) for source in text.sources]
    return Scores(
        bleu=bleu(hypotheses, *text.references),
        chrf=chrf(hypotheses, *text.references),
        ter=ter(hypotheses, *text.references),
        exact_match=exact_match(sources, hypotheses, *text.references),
        character_error_rate=character_error_rate(hypotheses, *text.references),
    )
