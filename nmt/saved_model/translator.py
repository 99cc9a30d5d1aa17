"""Translation with a SavedModel, as `nmt.translation.Translator` does it with a run folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from nmt.errors import DataError, ExportError
from nmt.saved_model.contract import check_contract
from nmt.saved_model.info import ExportInfo, check_files, read_checksums, read_info, version_folder
from nmt.saved_model.ops import load_ops
from nmt.saved_model.signatures import SCORE_SIGNATURE, SIGNATURE
from nmt.translation.lines import Hypothesis, Line, LineTranslator, Translation


class PairScore(NamedTuple):
    """A translation's log-probability, and whether source or translation was too long and only its beginning counts."""

    log_prob: float
    cut: bool


class SavedModelTranslator(LineTranslator):
    """Translates lines with an exported SavedModel.

    Args:
        folder: the version's folder.
        info: what its `keras_nmt.json` says.

    Raises:
        ExportError: TensorFlow cannot load it, or it takes no strings.
    """

    def __init__(self, folder: Path, info: ExportInfo) -> None:
        if not info.with_text:
            raise ExportError(
                f"{folder}: expected a SavedModel that takes strings, received one of token ids alone; export the run "
                f"without --ids, or translate with the run folder"
            )
        load_ops()
        self.folder = folder
        self.info = info
        self.max_source_bytes = info.decoding.max_source_bytes
        try:
            self._model = tf.saved_model.load(str(folder))  # keeps the variables alive
            self._run = self._model.signatures[SIGNATURE]
            self._score = self._model.signatures[SCORE_SIGNATURE]
        except (OSError, ValueError, KeyError, AttributeError, tf.errors.OpError) as error:
            written_by = info.versions.get("tensorflow")
            raise ExportError(
                f"{folder}: TensorFlow {tf.__version__} cannot load this SavedModel, which TensorFlow {written_by} "
                f"wrote: {str(error).splitlines()[0]}; export the run again with the version installed here"
            ) from None

    @property
    def description(self) -> dict[str, Any]:
        """The folder and its checksums."""
        return {"model": str(self.folder.resolve()), "files": read_checksums(self.folder)}

    def translate_batch(self, lines: Sequence[bytes]) -> list[Translation]:
        """Translates lines in one call of the SavedModel."""
        outputs = self._run(text=tf.constant(lines, tf.string, shape=(len(lines),)))
        columns = (outputs[name].numpy() for name in ("translation", "log_prob", "score", "cut"))
        return [
            Translation((Hypothesis(text.decode(), float(log_prob), float(score)),), bool(was_cut))
            for text, log_prob, score, was_cut in zip(*columns, strict=True)
        ]

    def score_batch(self, pairs: Sequence[tuple[bytes, bytes]]) -> list[PairScore]:
        """Scores translations in one call of the SavedModel; a pair is a source and its translation."""
        sources, targets = zip(*pairs, strict=True)
        outputs = self._score(text=tf.constant(sources, tf.string), translation=tf.constant(targets, tf.string))
        columns = (outputs[name].numpy() for name in ("log_prob", "cut"))
        return [PairScore(float(log_prob), bool(cut)) for log_prob, cut in zip(*columns, strict=True)]

    def score(self, pairs: Sequence[tuple[bytes, bytes]]) -> list[PairScore]:
        """Scores translations; a pair is a source and its translation."""
        order = sorted(range(len(pairs)), key=lambda i: -len(pairs[i][1]))
        size, scores = self.info.decoding.batch_size, dict.fromkeys(range(len(pairs)), PairScore(0.0, cut=False))
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            scores |= zip(rows, self.score_batch([pairs[i] for i in rows]), strict=True)
        return list(scores.values())

    def check_prefix(self, number: int, prefix: str) -> None:
        """Refuses every prefix."""
        if prefix:
            raise DataError(f"{self.folder}: a SavedModel takes no prefixes; translate with the run folder")

    def _translate_together(self, lines: list[Line], progress: Callable[[int], None]) -> list[Translation]:
        for line in lines:
            self.check_prefix(line.number, line.prefix)
        translations: dict[int, Translation] = {}
        order = sorted(range(len(lines)), key=lambda i: -len(lines[i].text))
        for start in range(0, len(order), self.info.decoding.batch_size):
            rows = order[start : start + self.info.decoding.batch_size]
            translations |= zip(rows, self.translate_batch([lines[i].text for i in rows]), strict=True)
            progress(len(rows))
        return [translations[i] for i in range(len(lines))]


def load_saved_model(path: Path) -> SavedModelTranslator:
    """A translator from an export, checked as far as that is possible without running it.

    Args:
        path: one version's folder, or the folder of versions, of which the highest is taken.

    Raises:
        ExportError: there is no export that this version of keras-nmt can load.
        CorruptFileError: a file is missing or does not match its checksum.
    """
    folder = version_folder(path)
    info = read_info(folder)
    check_files(folder)
    check_contract(folder, info.with_text, info.source_tokenizers)
    return SavedModelTranslator(folder, info)
