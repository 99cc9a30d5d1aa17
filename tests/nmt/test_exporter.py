"""Writing an export: its place, its version number, how it searches, and that nothing is left of what failed."""

from __future__ import annotations

import errno
from collections.abc import Callable
from copy import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import pytest
from random_runs import TINY_EXPORT, train_subwords

from nmt.config import Config, DecodingConfig, parse_config
from nmt.errors import ConfigError, ExportError
from nmt.export import export
from nmt.export import exporter as exporter_module
from nmt.run_folder import RunFolder
from nmt.saved_model import read_info
from nmt.saved_model.info import check_files
from nmt.seq2seq import Seq2Seq
from nmt.seq2seq_run import make_seq2seq
from nmt.translation.translator import Translator

Export = Callable[..., Path]


@pytest.fixture(scope="module")
def config() -> Config:
    """A tiny model, with a beam in the export that differs from the run's."""
    return parse_config(TINY_EXPORT)


@pytest.fixture
def asked() -> dict[str, Any]:
    """How the models were loaded."""
    return {}


@pytest.fixture
def fast_export(random_run: Path, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Export:
    """Exports a file in place of the SavedModel, unchecked."""

    def write(_translator: object, folder: Path, _info: object) -> None:
        (folder / "saved_model.pb").write_bytes(b"graph")

    def load(*_: object, **options: Any) -> SimpleNamespace:
        asked.update(options)
        return SimpleNamespace(source_tokenizers=[])

    monkeypatch.setattr(exporter_module, "load_translator", load)
    monkeypatch.setattr(exporter_module, "write", write)
    monkeypatch.setattr(exporter_module, "check", check_files)
    return lambda target, **changes: export(random_run, target, **changes)


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


@pytest.mark.parametrize(("key", "value"), [("samples", "4"), ("precision", "bfloat16"), ("shortlist", "64")])
def test_what_a_savedmodel_does_not_hold_is_refused(fast_export: Export, tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"{key}: a SavedModel searches the best translations, among all to"):
        fast_export(tmp_path, overrides=[f"decoding.{key}={value}"])
    assert not list(tmp_path.iterdir())


# Files


def test_the_next_version_follows_the_highest(fast_export: Export, tmp_path: Path) -> None:
    for name in ("2", "00000010", "x11", "13.old"):
        (tmp_path / name).mkdir()
    assert fast_export(tmp_path).name == "11"
    (tmp_path / "12").touch()
    assert fast_export(tmp_path).name == "13"
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
        (folder / "half").touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(exporter_module, "write", fill)
    with pytest.raises(ExportError, match="No space left on device"):
        fast_export(tmp_path)
    assert not list(tmp_path.iterdir())


def test_sweeps_what_killed_exports_left(fast_export: Export, tmp_path: Path) -> None:
    (tmp_path / ".tmp-1-0123abcd").mkdir()
    fast_export(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_what_the_models_were_is_read_before_and_after_they_are_loaded(
    fast_export: Export, random_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = iter(("00000007", "00000008"))
    monkeypatch.setattr(RunFolder, "checkpoint", lambda *_: Path(next(steps)))
    with pytest.raises(ExportError, match="a training wrote a new checkpoint meanwhile, of it or of a model beside it"):
        fast_export(tmp_path)


def test_the_other_models_are_named_with_what_they_are(fast_export: Export, random_run: Path, tmp_path: Path) -> None:
    info = read_info(fast_export(tmp_path, changes={"ensemble": [str(random_run)]}))
    (member,) = info.ensemble
    assert (member.folder, member.checkpoint_step, member.corpus_fingerprint) == (str(random_run), 7, "f" * 64)
    assert info.language_model is None


def test_a_language_model_that_has_a_vote_is_named(fast_export: Export, random_run: Path, tmp_path: Path) -> None:
    """Beside an ensemble; with weight 0 it has none."""
    beside = {"ensemble": [str(random_run)], "language_model": str(random_run), "language_model_weight": 0.5}
    info = read_info(fast_export(tmp_path, changes=beside))
    assert info.language_model is not None and info.language_model.checkpoint_step == 7
    assert [member.folder for member in info.ensemble] == [str(random_run)]
    assert read_info(fast_export(tmp_path, changes={**beside, "language_model_weight": 0.0})).language_model is None


def test_no_model_of_an_export_takes_cudnn(fast_export: Export, tmp_path: Path, asked: dict[str, Any]) -> None:
    fast_export(tmp_path)
    assert asked["use_cudnn"] is False


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_what_must_not_take_cudnn_holds_no_layer_that_may(config: Config, cell: str) -> None:
    tokenizer = train_subwords("char")
    sizes = config.model.model_copy(update={"cell": cell})
    model = make_seq2seq(config.model_copy(update={"model": sizes}), tokenizer, tokenizer, use_cudnn=False)
    asked = [layer.use_cudnn for layer in model._flatten_layers() if hasattr(layer, "use_cudnn")]
    assert asked and not any(asked)


@pytest.fixture(scope="module")
def letters(config: Config) -> Translator:
    """One that reads letters: pieces stay as many as they were drawn."""
    tokenizer = train_subwords("char", normalization="identity")
    model = Seq2Seq(config.model, tokenizer.size, tokenizer.size)
    return Translator(model, tokenizer, tokenizer, config.decoding)


@pytest.mark.parametrize(("longest", "lengths"), [(1, {1: 2}), (2, {1: 2, 2: 2}), (40, {1: 2, 8: 2, 32: 2, 40: 1})])
def test_warm_up_requests_have_several_lengths_within_the_limit(
    letters: Translator, longest: int, lengths: dict[int, int]
) -> None:
    reader = copy(letters)
    reader.config = DecodingConfig(max_source_tokens=longest)
    calls = exporter_module._warm_up(reader, with_text=False)
    received = [(int(call.inputs["length"].max()), len(call.inputs["length"])) for call in calls]
    assert {length for length, _ in received} <= set(range(longest + 1))
    assert sorted(rows for _, rows in received) == sorted(rows for count in lengths.values() for rows in (1, 8)[:count])
    assert received[-1][0] > longest / 2


def test_other_backends_are_refused(random_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ExportError, match="KERAS_BACKEND=tensorflow"):
        export(random_run, tmp_path)


@pytest.mark.parametrize("name", ["saved_model.pb", "run.json"])
def test_a_target_that_is_no_folder_of_versions_is_refused(fast_export: Export, tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(ExportError, match=f"expected a folder of versions, received one with {name}"):
        fast_export(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
