"""Who may import whom: read from the source, so that an import inside a function counts too."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEVELS: tuple[tuple[str, ...], ...] = (
    ("errors", "allocator"),
    ("config", "files", "run_lock", "interruption"),
    ("tokenizer",),
    ("corpus",),
    (
        "batches",
        "compiled",
        "translation_table",
        "buckets",
        "segments",
        "prepared_text",
        "losses",
        "metrics",
        "schedules",
        "progress",
        "bptt",
        "dense",
        "orthogonal",
        "zeros",
        "dropout",
    ),
    ("blockwise_loss", "search", "cells", "attention", "bridge", "readout", "lexical_model", "precision", "fused_adam"),
    ("memory", "encoder", "optimizers", "subword_sampling", "noise", "tensorboard_log", "plots"),
    ("decoder",),
    ("seq2seq", "language_model"),
    ("checkpoints", "announcement", "text_generation", "language_model_scoring"),
    ("run_folder",),
    ("language_model_run", "seq2seq_run", "warm_start"),
    ("translation",),
    ("evaluation",),
    ("training", "saved_model", "averaging"),
    ("export",),
    ("trained_model",),
    ("reference", "terminal", "versions"),
    ("cli",),
    ("__main__",),
)
LEVEL = {name: number for number, names in enumerate(LEVELS) for name in names}
TENSORFLOW_ROOMS = ("nmt/export/", "nmt/saved_model/", "nmt/bptt.py")
# Inside a function: the command that prints versions, and what Keras has no name for.
LAZY_TENSORFLOW = (
    "nmt/cli",
    "nmt/versions.py",
    "nmt/fused_adam.py",
    "nmt/losses.py",
    "nmt/blockwise_loss.py",
    "nmt/cells/lstm.py",
    "nmt/dense.py",
    "nmt/dropout.py",
    "nmt/compiled.py",
    "nmt/search/picking.py",
    "nmt/training/graphs.py",
)
DATA_PREP_MAY_IMPORT = {"errors", "config", "tokenizer", "corpus", "prepared_text"}
WORDS_WITHOUT_MEANING = {"utils", "util", "helpers", "helper", "misc", "common"}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def unit(path: Path) -> str:
    """The module or folder right below the package: `nmt/search/beam.py` is `search`."""
    return path.relative_to(ROOT / path.relative_to(ROOT).parts[0]).parts[0].removesuffix(".py")


@functools.cache
def imports(path: Path, top_level_only: bool = False) -> tuple[str, ...]:
    """Full names of what a file imports; `from nmt import config` counts as `nmt.config`."""
    return tuple(_imports(path, top_level_only))


def _imports(path: Path, top_level_only: bool) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{relative(path)}: expected absolute imports"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_units(path: Path, package: str) -> set[str]:
    """What a file imports of a package, as units; itself left out."""
    names = (name.split(".") for name in imports(path))
    return {parts[1] for parts in names if parts[0] == package and len(parts) > 1} - {unit(path)}


def modules() -> list[Path]:
    return [path for path in sources("nmt") if unit(path) != "__init__"]


def test_every_module_has_its_place() -> None:
    strangers = sorted({unit(path) for path in modules()} - set(LEVEL))
    assert not strangers, f"place {', '.join(strangers)} in LEVELS of {relative(Path(__file__))}: who may import whom?"


@pytest.mark.parametrize("path", modules(), ids=relative)
def test_nobody_imports_upward(path: Path) -> None:
    level = LEVEL.get(unit(path), len(LEVELS))
    upward = sorted(name for name in imported_units(path, "nmt") if LEVEL.get(name, -1) > level)
    assert not upward, f"{relative(path)} imports {', '.join(upward)} from above"


def test_there_is_no_cycle() -> None:
    """Modules of one level may import each other, but not in a circle."""
    graph: dict[str, set[str]] = {}
    for path in [*modules(), *sources("data_prep")]:
        package = relative(path).split("/")[0]
        name = f"{package}.{unit(path)}"
        others = {f"{other}.{found}" for other in ("nmt", "data_prep") for found in imported_units(path, other)}
        graph.setdefault(name, set()).update(others - {name})
    while leaves := [name for name, others in graph.items() if not others & set(graph)]:
        for name in leaves:
            del graph[name]
    assert not graph, f"these import each other in a circle: {', '.join(sorted(graph))}"


def test_nmt_knows_data_prep_only_on_the_command_line() -> None:
    found = [
        relative(path) for path in sources("nmt") if unit(path) != "cli" and imported_packages(path) & {"data_prep"}
    ]
    assert found == []


@pytest.mark.parametrize("path", sources("data_prep"), ids=relative)
def test_data_prep_knows_little_of_nmt(path: Path) -> None:
    foreign = sorted(imported_units(path, "nmt") - DATA_PREP_MAY_IMPORT)
    assert not foreign, f"{relative(path)} imports nmt's {', '.join(foreign)}"


@pytest.mark.parametrize("path", sources("data_prep"), ids=relative)
def test_data_prep_knows_no_model(path: Path) -> None:
    assert not imported_packages(path) & {"keras", "tensorflow", "tensorflow_text"}


def imported_packages(path: Path, top_level_only: bool = False) -> set[str]:
    return {name.split(".")[0] for name in imports(path, top_level_only)}


@pytest.mark.parametrize("path", sources("nmt"), ids=relative)
def test_tensorflow_stands_in_export_alone(path: Path) -> None:
    if relative(path).startswith(TENSORFLOW_ROOMS):
        return
    lazily = relative(path).startswith(LAZY_TENSORFLOW)
    found = imported_packages(path, top_level_only=lazily) & {"tensorflow", "tensorflow_text"}
    assert not found, f"{relative(path)} imports {', '.join(sorted(found))}"


@pytest.mark.parametrize(
    "name",
    ["errors", "config", "tokenizer", "corpus", "batches", "metrics", "noise", "progress", "plots", "tensorboard_log"],
)
def test_what_needs_no_keras_does_not_import_it(name: str) -> None:
    paths = [path for path in sources("nmt") if unit(path) == name]
    assert paths and not any(imported_packages(path) & {"keras", "tensorflow", "tensorflow_text"} for path in paths)


def test_no_module_is_named_after_nothing() -> None:
    names = {part.removesuffix(".py") for path in [*sources("nmt"), *sources("data_prep")] for part in path.parts[-3:]}
    assert not names & WORDS_WITHOUT_MEANING
