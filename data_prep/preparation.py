"""A prepared folder: found up to date, or made anew, and what was done for it.

A translation corpus and running text go the same way: what has changed since is named, and the new folder takes the
old one's place once it is complete. Knows nothing of what is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from data_prep.manifest import MANIFEST, AnyConfig, FileEntries, changes, describe_inputs
from data_prep.replacement import replacing, sweep
from nmt.config import Config, LanguageModelConfig
from nmt.corpus import read_manifest
from nmt.errors import DataError
from nmt.prepared_text import open_text

Report = Callable[[str], None]
Build = Callable[[Path, FileEntries], dict[str, Any]]


@dataclass(frozen=True)
class Preparation:
    """A prepared folder, and what this call did for it.

    Attributes:
        folder: where it lies.
        fresh: True where this call wrote it, False where it was up to date.
        changed: why an older one was replaced, one reason each; empty where there was none.
        manifest: the content of `manifest.json`.
    """

    folder: Path
    fresh: bool
    changed: list[str]
    manifest: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        """One checksum over settings and files."""
        return str(self.manifest["fingerprint"])

    @classmethod
    def make(cls, config: AnyConfig, folder: Path | None, files: set[str], build: Build, report: Report) -> Self:
        """Makes the prepared folder of a configuration, or finds it up to date.

        Args:
            config: of a translation or of a language model; where it takes a prepared corpus, nothing is made.
            folder: where it goes; None is the configuration's own place. An older one there is replaced once the new
                one is complete, and stays as it is on any error.
            files: what a folder that may be replaced can hold.
            build: writes everything into an empty folder, given the input files' entries; returns the manifest.
            report: called with a line of text for each step.

        Raises:
            DataError: the text cannot be used; the message says what to do.
            CorruptFileError: a file of the corpus that `text.prepared` names is missing or damaged.
        """
        text = config.corpus if isinstance(config, Config) else config.text
        place = config.prepared_folder if folder is None or text.prepared is not None else folder
        if text.prepared is not None:
            if isinstance(config, LanguageModelConfig):
                _check_text(config)
            report(f"{place}: taken as it is; there is nothing to prepare")
            return cls(place, False, [], read_manifest(place))
        try:
            return cls._made(config, place, files, build, report)
        except OSError as error:
            raise DataError(f"{place}: cannot be written ({error}); free disk space or choose another folder") from None

    @classmethod
    def _made(cls, config: AnyConfig, place: Path, files: set[str], build: Build, report: Report) -> Self:
        folder = place.resolve()  # where a link stands, the folder behind it is replaced
        sweep(folder)
        _refuse_foreign(folder, files)
        inputs = describe_inputs(config.corpus if isinstance(config, Config) else config.text)
        exists = folder.is_dir() and any(folder.iterdir())
        changed = changes(folder, config, inputs) if exists else []
        if exists and not changed:
            report(f"{place}: up to date")
            return cls(place, False, [], read_manifest(folder))
        for change in changed:
            report(f"changed: {change}")
        with replacing(folder) as building:
            manifest = build(building, inputs)
        return cls(place, True, changed, manifest)


def _check_text(config: LanguageModelConfig) -> None:
    """Opens the side of the corpus that `text.prepared` names, as the training will."""
    manifest = config.prepared_folder / MANIFEST
    if not manifest.is_file():
        raise DataError(
            f"text.prepared: expected the folder of a prepared corpus, found no {manifest}; run nmt prepare with that "
            f"corpus' own configuration first, or correct the name"
        )
    open_text(config)


def _refuse_foreign(folder: Path, files: set[str]) -> None:
    """Keeps a mistyped folder from being replaced."""
    foreign = sorted({path.name for path in folder.iterdir()} - files) if folder.exists() else []
    if foreign:
        raise DataError(
            f"{folder}: expected a prepared corpus or no folder, found '{foreign[0]}' in it; choose another folder or "
            f"move what is there"
        )
