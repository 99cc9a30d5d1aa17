"""What an export says of itself, and the checksums of its files. Knows no TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from nmt.config import DecodingConfig, Section
from nmt.corpus import sha256_of
from nmt.errors import CorruptFileError, ExportError
from nmt.files import write_file

EXPORT_FORMAT = 4
EXTRA = "assets.extra"
INFO_FILE = f"{EXTRA}/keras_nmt.json"
CHECKSUMS_FILE = f"{EXTRA}/SHA256SUMS"
AGAIN = "the file was changed or damaged, export the run again"


class Origin(Section):
    """A run folder that an export was made from, beside the first one.

    Attributes:
        folder: as `decoding` names it.
        checkpoint_step: the step of its best checkpoint.
        corpus_fingerprint: of the prepared corpus, or text, that it was trained on.
    """

    folder: str
    checkpoint_step: int
    corpus_fingerprint: str


class ExportInfo(Section):
    """What `keras_nmt.json` says.

    Attributes:
        format: version of this format.
        name: the run's name.
        checkpoint: `best` or `last`.
        checkpoint_step: the checkpoint's step.
        corpus_fingerprint: of the prepared corpus that the run was trained on.
        decoding: how the SavedModel searches; `n_best` is what the signature `nbest` gives.
        ensemble: what became of `decoding.ensemble`.
        language_model: and of `decoding.language_model`, where it has a vote.
        source_tokenizers: how many different ones the models read with.
        with_text: whether it reads and writes strings; else token ids alone.
        versions: of the packages that wrote it.
    """

    format: int
    name: str
    checkpoint: str
    checkpoint_step: int
    corpus_fingerprint: str
    decoding: DecodingConfig
    ensemble: tuple[Origin, ...] = ()
    language_model: Origin | None = None
    source_tokenizers: int = 1
    with_text: bool = True
    versions: dict[str, str]

    @property
    def n_best(self) -> int:
        """Translations that the signature `nbest` gives of each line."""
        return 1 if self.decoding.beam_size == 1 else self.decoding.n_best


def version_folder(path: Path) -> Path:
    """The folder itself if it holds a SavedModel, else its subfolder with the highest number.

    Raises:
        ExportError: there is none.
    """
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


def write_checksums(folder: Path) -> None:
    """Writes `SHA256SUMS` over all other files, as `sha256sum` does."""
    lines = [f"{sha256_of(folder / name)}  {name}\n" for name in _files(folder)]
    write_file(folder / CHECKSUMS_FILE, "".join(lines).encode())


def read_checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of every file by its path inside the folder.

    Raises:
        CorruptFileError: the list is missing, or no list.
    """
    path = folder / CHECKSUMS_FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return {name: checksum for checksum, name in (line.split("  ", maxsplit=1) for line in lines)}
    except (OSError, ValueError) as error:
        raise CorruptFileError(f"{path}: expected a list of checksums ({error}); export the run again") from None


def check_files(folder: Path) -> int:
    """Compares every file with its checksum; returns their number.

    Raises:
        CorruptFileError: one is missing, was changed, or is not in the list.
    """
    checksums = read_checksums(folder)
    for name, expected in checksums.items():
        try:
            received = sha256_of(folder / name)
        except OSError as error:
            raise CorruptFileError(f"{folder / name}: {error.strerror}; export the run again") from None
        if received != expected:
            raise CorruptFileError(
                f"{folder / name}: expected SHA-256 {expected[:12]}..., received {received[:12]}...; {AGAIN}"
            )
    if strangers := set(_files(folder)) - set(checksums):
        raise CorruptFileError(
            f"{folder / min(strangers)}: expected the files that {CHECKSUMS_FILE} lists, received another one; remove "
            f"it, or export the run again"
        )
    return len(checksums)


def _files(folder: Path) -> list[str]:
    """Every file but the list of checksums itself, by its path inside the folder."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if name != CHECKSUMS_FILE)
