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
from nmt.config import Brackets, Config, CorpusConfig, LanguageModelConfig, Synthetic, TextConfig, differences
from nmt.corpus import CORPUS_FORMAT, PARTS, read_manifest, sha256_of
from nmt.errors import DataError

MANIFEST = "manifest.json"
LIBRARIES = ("duckdb", "ibis-framework", "pyarrow", "sentencepiece")
# Where the text lies; its checksum says it better.
FILE_KEYS = {"root", "prepared", "train", "mixture", "validation", "test"}

FileEntries = dict[str, dict[str, Any]]
AnyConfig = Config | LanguageModelConfig


def describe_inputs(text: CorpusConfig | TextConfig) -> FileEntries:
    """Checksum and size of each input file; for generated text, of the generator's code.

    Raises:
        DataError: a file is missing or cannot be read.
    """
    if text.synthetic is not None:
        name = _generator(text.synthetic)
        return {f"data_prep/{name}": _describe_code(Path(__file__).with_name(name))}
    if isinstance(text, CorpusConfig):
        return {name: _describe_input(path, "corpus") for name, path in input_files(text).items()}
    names = [name for part in PARTS for name in getattr(text, part) or ()]
    return {name: _describe_input(Path(text.root) / name, "text") for name in names}


def describe_outputs(folder: Path) -> FileEntries:
    """Checksum and size of every file of a corpus except the manifest."""
    return {path.name: _describe(path) for path in sorted(folder.iterdir()) if path.is_file() and path.name != MANIFEST}


def write_manifest(folder: Path, config: AnyConfig, contents: dict[str, Any]) -> dict[str, Any]:
    """Completes the manifest with format, settings, files and fingerprint, and writes it."""
    files = describe_outputs(folder)
    manifest = {
        "format": CORPUS_FORMAT,
        "fingerprint": fingerprint(config, files, contents.get("mixture")),
        "settings": config.model_dump(mode="json", include={_section(config), "subword"}),
        **contents,
        "files": files,
        "versions": {library: version(library) for library in LIBRARIES},
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    return manifest


def fingerprint(config: AnyConfig, files: FileEntries, mixture: list[dict[str, Any]] | None = None) -> str:
    """One checksum over the files and the settings that made them; neither time nor place counts.

    Of a mixture, the names of the corpora count, their order and their pairs: weights are given to names.
    """
    section = _section(config)
    content = {
        "format": CORPUS_FORMAT,
        **config.model_dump(mode="json", include={section, "subword"}, exclude={section: FILE_KEYS}),
        "files": {name: entry["sha256"] for name, entry in sorted(files.items())},
    } | ({"mixture": mixture} if mixture else {})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def changes(folder: Path, config: AnyConfig, inputs: FileEntries) -> list[str]:
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


def _changed_settings(settings: dict[str, Any], config: AnyConfig) -> list[str]:
    section = _section(config)
    text, subword = getattr(config, section), config.subword
    old_text = type(text).model_validate_json(json.dumps(settings[section] | {"root": text.root}))
    old_subword = type(subword).model_validate_json(json.dumps(settings["subword"]))
    return [
        *(f"{section}.{change}" for change in differences(old_text, text)),
        *(_changed_order(old_text, text) if isinstance(text, CorpusConfig) else ()),
        *(f"subword.{change}" for change in differences(old_subword, subword)),
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


def _section(config: AnyConfig) -> str:
    """The section that says where the text lies."""
    return "corpus" if isinstance(config, Config) else "text"


def _generator(synthetic: Synthetic | Brackets) -> str:
    """The module or folder of modules that generates text."""
    if isinstance(synthetic, Brackets):
        return "brackets.py"
    return "synthetic" if synthetic.kind == "english_korean" else "exercises.py"


def _describe_input(path: Path, section: str) -> dict[str, Any]:
    try:
        return _describe(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; correct its name or {section}.root") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; correct its name or {section}.root") from None


def _describe_code(place: Path) -> dict[str, Any]:
    """One checksum over a module, or over all modules in a folder."""
    if place.is_file():
        return _describe(place)
    modules = [_describe(path) | {"name": path.name} for path in sorted(place.rglob("*.py"))]
    checksum = hashlib.sha256(json.dumps(modules, sort_keys=True).encode()).hexdigest()
    return {"sha256": checksum, "bytes": sum(module["bytes"] for module in modules)}


def _describe(path: Path) -> dict[str, Any]:
    return {"sha256": sha256_of(path), "bytes": path.stat().st_size}
