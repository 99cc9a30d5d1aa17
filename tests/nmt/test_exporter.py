"""Writing an export: its place, its version number, how it searches, and that nothing is left of what failed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
from random_runs import TINY_EXPORT, save_run, train_subwords

from nmt.config import Config, parse_config
from nmt.errors import ConfigError, ExportError
from nmt.export import export
from nmt.export import exporter as exporter_module
from nmt.run_folder import RunFolder
from nmt.saved_model import read_info
from nmt.saved_model.info import check_files

Export = Callable[..., Path]


@pytest.fixture(scope="module")
def config() -> Config:
    """A tiny model, with a beam in the export that differs from the run's."""
    return parse_config(TINY_EXPORT)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory, config: Config) -> Path:
    """A run folder with random weights."""
    source, target = train_subwords("unigram"), train_subwords("char")
    return save_run(tmp_path_factory.mktemp("run"), config, source, target, seed=5)


@pytest.fixture
def fast_export(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Export:
    """Exports a file in place of the SavedModel, unchecked."""

    def write(_translator: object, folder: Path, _info: object) -> None:
        folder.mkdir()
        (folder / "saved_model.pb").write_bytes(b"graph")

    monkeypatch.setattr(exporter_module, "load_translator", lambda *_, **__: None)
    monkeypatch.setattr(exporter_module, "write", write)
    monkeypatch.setattr(exporter_module, "check", check_files)
    return lambda target, **changes: export(run_folder, target, **changes)


def set_config(monkeypatch: pytest.MonkeyPatch, config: Config, **sections: dict[str, Any]) -> None:
    values = config.model_dump(mode="json")
    changed = parse_config(values | {name: values[name] | section for name, section in sections.items()})
    monkeypatch.setattr(RunFolder, "config", lambda _: changed)


@pytest.mark.parametrize(
    "decoding",
    [
        {"samples": 3, "temperature": 0.5, "minimum_bayes_risk": True},
        {"beam_size": 4, "n_best": 4},
        {"copy_unknown": True},
    ],
)
def test_what_a_graph_does_not_hold_is_a_plain_search_there(
    fast_export: Export,
    monkeypatch: pytest.MonkeyPatch,
    config: Config,
    tmp_path: Path,
    decoding: dict[str, Any],
) -> None:
    set_config(monkeypatch, config, decoding=decoding)
    exported = read_info(fast_export(tmp_path)).decoding
    assert (exported.beam_size, exported.n_best, exported.samples) == (2, 2, 0)
    assert not exported.minimum_bayes_risk and not exported.copy_unknown


def test_a_beam_that_does_not_fit_the_decoding_is_refused(
    fast_export: Export, monkeypatch: pytest.MonkeyPatch, config: Config, tmp_path: Path
) -> None:
    set_config(monkeypatch, config, decoding={"beam_size": 6, "diversity_groups": 3}, export={"beam_size": 4})
    with pytest.raises(ConfigError, match=r"^tiny: export: .*diversity_groups: expected a divisor of beam_size \(4\)"):
        fast_export(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "beam_size", "n_best"),
    [
        ({}, 2, 2),
        ({"changes": {"beam_size": 6}}, 6, 6),
        ({"changes": {"beam_size": 6, "n_best": 3, "length_penalty": None}}, 6, 3),
        ({"overrides": ["decoding.beam_size=7", "decoding.n_best=4"]}, 7, 4),
    ],
)
def test_how_it_searches_is_chosen_at_export(
    fast_export: Export, tmp_path: Path, changes: dict[str, Any], beam_size: int, n_best: int
) -> None:
    decoding = read_info(fast_export(tmp_path, **changes)).decoding
    assert (decoding.beam_size, decoding.n_best, decoding.length_penalty) == (beam_size, n_best, 0.5)


def test_sampling_in_a_savedmodel_is_refused(fast_export: Export, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="samples: a SavedModel searches the best translations and no more"):
        fast_export(tmp_path, overrides=["decoding.samples=4"])
    assert not list(tmp_path.iterdir())


# Files


def test_the_next_version_follows_the_highest(fast_export: Export, tmp_path: Path) -> None:
    for name in ("2", "00000010", "x11", "12.old"):
        (tmp_path / name).mkdir()
    assert fast_export(tmp_path).name == "11"
    assert fast_export(tmp_path).name == "12"
    assert not list(tmp_path.glob(".tmp-*"))


def test_a_version_that_another_export_took_is_left_alone(
    fast_export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def taken_once(self: Path, target: Path) -> Path:
        if not Path(target).exists():
            Path(target).mkdir()
            (Path(target) / "theirs").touch()
            monkeypatch.setattr(Path, "rename", rename)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", taken_once)
    assert fast_export(tmp_path).name == "2"
    assert [path.name for path in (tmp_path / "1").iterdir()] == ["theirs"]


def test_a_failure_leaves_nothing(fast_export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ExportError("differs")

    monkeypatch.setattr(exporter_module, "check", refuse)
    with pytest.raises(ExportError, match="differs"):
        fast_export(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_an_export_error_and_leaves_nothing(
    fast_export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(_translator: object, folder: Path, _info: object) -> None:
        folder.mkdir()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(exporter_module, "write", fill)
    with pytest.raises(ExportError, match="No space left on device"):
        fast_export(tmp_path)
    assert not list(tmp_path.iterdir())


def test_sweeps_what_killed_exports_left_and_nothing_else(fast_export: Export, tmp_path: Path) -> None:
    ended = 2**22 + 1  # above the largest process number of Linux
    for name in (f".tmp-1-{ended}", f".tmp-1-{os.getppid()}", ".tmp-notes-x"):
        (tmp_path / name).mkdir()
    fast_export(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"1", f".tmp-1-{os.getppid()}", ".tmp-notes-x"}


def test_other_backends_are_refused(run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ExportError, match="KERAS_BACKEND=tensorflow"):
        export(run_folder, tmp_path)


@pytest.mark.parametrize("name", ["saved_model.pb", "run.json"])
def test_a_target_that_is_no_folder_of_versions_is_refused(fast_export: Export, tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(ExportError, match=f"expected a folder of versions, received one with {name}"):
        fast_export(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
