"""The manifest: what a corpus was made from, what it holds, and what has changed since.

Knows nothing of how the corpus is made.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from data_prep.readers import input_files
from nmt.config import Config, CorpusConfig, SubwordConfig, differences
from nmt.corpus import CORPUS_FORMAT, read_manifest, sha256_of
from nmt.errors import DataError

MANIFEST = "manifest.json"
LIBRARIES = ("duckdb", "ibis-framework", "pyarrow", "sentencepiece")
FILE_KEYS = {"root", "train", "mixture", "validation", "test"}  # where the text lies; its checksum says it better

FileEntries = dict[str, dict[str, Any]]


def describe_inputs(corpus: CorpusConfig) -> FileEntries:
    """Checksum and size of each input file; for a generated corpus, of the generator's code.

    Raises:
        DataError: a file is missing or cannot be read.
    """
    if corpus.synthetic is not None:
        return {"data_prep/synthetic": _describe_code(Path(__file__).parent / "synthetic")}
    return {name: _describe_input(path) for name, path in input_files(corpus).items()}


def describe_outputs(folder: Path) -> FileEntries:
    """Checksum and size of every file of a corpus except the manifest."""
    return {path.name: _describe(path) for path in sorted(folder.iterdir()) if path.is_file() and path.name != MANIFEST}


def write_manifest(folder: Path, config: Config, contents: dict[str, Any]) -> dict[str, Any]:
    """Completes the manifest with format, settings, files and fingerprint, and writes it."""
    files = describe_outputs(folder)
    manifest = {
        "format": CORPUS_FORMAT,
        "fingerprint": fingerprint(config, files, contents.get("mixture")),
        "settings": config.model_dump(mode="json", include={"corpus", "subword"}),
        **contents,
        "files": files,
        "versions": {library: version(library) for library in LIBRARIES},
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    return manifest


def fingerprint(config: Config, files: FileEntries, mixture: list[dict[str, Any]] | None = None) -> str:
    """One checksum over the files and the settings that made them; neither time nor place counts.

    Of a mixture, the names of the corpora count, their order and their pairs: weights are given to names.
    """
    content = {
        "format": CORPUS_FORMAT,
        "corpus": config.corpus.model_dump(mode="json", exclude=FILE_KEYS),
        "subword": config.subword.model_dump(mode="json"),
        "files": {name: entry["sha256"] for name, entry in sorted(files.items())},
    } | ({"mixture": mixture} if mixture else {})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def changes(folder: Path, config: Config, inputs: FileEntries) -> list[str]:
    """What no longer fits the corpus in `folder`: settings, inputs, damaged files. Nothing: it is up to date."""
    try:
        manifest = read_manifest(folder)
        return [
            *_changed_settings(manifest["settings"], config),
            *_changed_inputs(manifest["inputs"], inputs),
            *_damaged(folder, manifest["files"]),
        ]
    except (DataError, ValidationError, KeyError, TypeError, AttributeError) as error:
        return [str(error) if isinstance(error, DataError) else f"{folder / MANIFEST}: written by another version"]


def _changed_settings(settings: dict[str, Any], config: Config) -> list[str]:
    corpus = CorpusConfig.model_validate_json(json.dumps(settings["corpus"] | {"root": config.corpus.root}))
    subword = SubwordConfig.model_validate_json(json.dumps(settings["subword"]))
    return [
        *(f"corpus.{change}" for change in differences(corpus, config.corpus)),
        *_changed_order(corpus, config.corpus),
        *(f"subword.{change}" for change in differences(subword, config.subword)),
    ]


def _changed_order(old: CorpusConfig, new: CorpusConfig) -> list[str]:
    """The same corpora in another order, which `differences` does not see."""
    before, after = list(old.mixture or ()), list(new.mixture or ())
    if before == after or set(before) != set(after):
        return []
    return [f"corpus.mixture: {', '.join(before)} -> {', '.join(after)}"]


def _changed_inputs(old: FileEntries, new: FileEntries) -> list[str]:
    changed = [name for name in new if name in old and old[name]["sha256"] != new[name]["sha256"]]
    return [f"{name}: its content has changed" for name in changed]


def _damaged(folder: Path, files: FileEntries) -> list[str]:
    missing = [name for name in files if not (folder / name).is_file()]
    damaged = [name for name in files if name not in missing and sha256_of(folder / name) != files[name]["sha256"]]
    return [*(f"{folder / name}: missing" for name in missing), *(f"{folder / name}: damaged" for name in damaged)]


def _describe_input(path: Path) -> dict[str, Any]:
    try:
        return _describe(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; correct its name or corpus.root") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; correct its name or corpus.root") from None


def _describe_code(folder: Path) -> dict[str, Any]:
    modules = [_describe(path) | {"name": path.name} for path in sorted(folder.rglob("*.py"))]
    checksum = hashlib.sha256(json.dumps(modules, sort_keys=True).encode()).hexdigest()
    return {"sha256": checksum, "bytes": sum(module["bytes"] for module in modules)}


def _describe(path: Path) -> dict[str, Any]:
    return {"sha256": sha256_of(path), "bytes": path.stat().st_size}
