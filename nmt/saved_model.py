"""A SavedModel that `nmt export` wrote: its format, and translation with it.

    saved_models/NAME/VERSION/
      saved_model.pb variables/     strings in, strings out; tokenization and search inside
      assets.extra/keras_nmt.json   what it was made from, how it searches, a checksum per file

Knows no run folder, and nothing of how a SavedModel is made. Imports TensorFlow.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import tensorflow as tf
from pydantic import ValidationError

from nmt.config import DecodingConfig, Section
from nmt.corpus import sha256_of
from nmt.errors import CorruptFileError, DataError, ExportError
from nmt.translation.lines import Hypothesis, Line, LineTranslator, Translation

EXPORT_FORMAT = 2
SIGNATURE, SCORE_SIGNATURE = "serving_default", "score_pairs"
INFO_FILE = "assets.extra/keras_nmt.json"  # SavedModel loaders leave this folder alone


class ExportInfo(Section):
    """What `keras_nmt.json` says.

    Attributes:
        format: version of this format.
        name: the run's name.
        checkpoint: `best` or `last`.
        checkpoint_step: the checkpoint's step.
        corpus_fingerprint: of the prepared corpus that the run was trained on.
        decoding: how the SavedModel searches.
        versions: of the packages that wrote it.
        files: SHA-256 of every other file, by its path inside the folder.
    """

    format: int
    name: str
    checkpoint: str
    checkpoint_step: int
    corpus_fingerprint: str
    decoding: DecodingConfig
    versions: dict[str, str]
    files: dict[str, str]


class SavedModelTranslator(LineTranslator):
    """Translates lines with an exported SavedModel, as `nmt.translation.Translator` does with a run folder.

    Args:
        folder: the version's folder.
        info: what its `keras_nmt.json` says.

    Raises:
        ExportError: TensorFlow cannot load it.
    """

    def __init__(self, folder: Path, info: ExportInfo) -> None:
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
        return {"model": str(self.folder.resolve()), "files": self.info.files}

    def translate_batch(self, lines: Sequence[bytes]) -> list[Translation]:
        """Translates lines in one call of the SavedModel."""
        outputs = self._run(text=tf.constant(lines, tf.string, shape=(len(lines),)))
        columns = (outputs[name].numpy() for name in ("translation", "log_prob", "score", "cut"))
        return [
            Translation((Hypothesis(text.decode(), float(log_prob), float(score)),), bool(was_cut))
            for text, log_prob, score, was_cut in zip(*columns, strict=True)
        ]

    def score_batch(self, pairs: Sequence[tuple[bytes, bytes]]) -> list[float]:
        """Log-probabilities of translations, in one call of the SavedModel; a pair is a source and its translation."""
        sources, targets = zip(*pairs, strict=True)
        outputs = self._score(text=tf.constant(sources, tf.string), translation=tf.constant(targets, tf.string))
        return [float(log_prob) for log_prob in outputs["log_prob"].numpy()]

    def score(self, pairs: Sequence[tuple[bytes, bytes]]) -> list[float]:
        """Log-probabilities of translations; a pair is a source and its translation."""
        order = sorted(range(len(pairs)), key=lambda i: -len(pairs[i][1]))
        size, scores = self.info.decoding.batch_size, dict.fromkeys(range(len(pairs)), 0.0)
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
    """A translator from an export.

    Args:
        path: one version's folder, or the folder of versions, of which the highest is taken.

    Raises:
        ExportError: there is no export that this version of keras-nmt can load.
        CorruptFileError: a file is missing or does not match its checksum.
    """
    folder = version_folder(path)
    info = read_info(folder)
    _check_files(folder, info)
    return SavedModelTranslator(folder, info)


def version_folder(path: Path) -> Path:
    """The folder itself if it holds a SavedModel, else its subfolder with the highest number."""
    if (path / "saved_model.pb").exists():
        return path
    if numbers := versions_in(path):
        return path / numbers[max(numbers)]
    raise ExportError(f"{path}: expected a SavedModel or a folder with numbered versions of one; run nmt export first")


def versions_in(folder: Path) -> dict[int, str]:
    """The subfolders whose name is a number, by that number; TF Serving takes no others for versions."""
    if not folder.is_dir():
        return {}
    names = [path.name for path in folder.iterdir() if path.is_dir()]
    return {int(name): name for name in names if name.isascii() and name.isdecimal()}


def read_info(folder: Path) -> ExportInfo:
    """Reads `keras_nmt.json`.

    Raises:
        ExportError: it is missing, or of another format.
        CorruptFileError: it does not hold what it should.
    """
    path = folder / INFO_FILE
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text)["format"]
        if found != EXPORT_FORMAT:
            raise ExportError(
                f"{path}: expected export format {EXPORT_FORMAT}, received {found}; export the run again, or use the "
                f"version of keras-nmt that wrote it"
            )
        return ExportInfo.model_validate_json(text)
    except FileNotFoundError:
        raise ExportError(f"{folder}: expected a SavedModel with {INFO_FILE}, as nmt export writes it") from None
    except (OSError, ValidationError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise CorruptFileError(
            f"{path}: expected the description of an export ({reason}); export the run again"
        ) from None


def load_ops() -> None:
    """Imports TF Text, whose operations a SavedModel needs.

    Raises:
        ExportError: it is missing, or was made for another minor version of TensorFlow.
    """
    wanted = _minor(tf.__version__)
    advice = f"pip install 'tensorflow-text=={wanted}.*'"
    try:
        received = version("tensorflow-text")
    except PackageNotFoundError:
        raise ExportError(f"expected tensorflow-text {wanted}, which is not installed; {advice}") from None
    if _minor(received) != wanted:
        raise ExportError(
            f"tensorflow {tf.__version__} and tensorflow-text {received} do not fit together: expected the same minor "
            f"version of both; {advice}"
        )
    import_module("tensorflow_text")


def _check_files(folder: Path, info: ExportInfo) -> None:
    for name, expected in info.files.items():
        try:
            received = sha256_of(folder / name)
        except OSError as error:
            raise CorruptFileError(f"{folder / name}: {error.strerror}; export the run again") from None
        if received != expected:
            raise CorruptFileError(
                f"{folder / name}: expected SHA-256 {expected[:12]}..., received {received[:12]}...; the file was "
                f"changed or damaged, export the run again"
            )


def _minor(release: str) -> str:
    """The first two parts of a version number."""
    return ".".join(release.split(".")[:2])
