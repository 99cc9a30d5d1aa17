"""The SavedModel against the run folder it was made from: same strings and limits, and nothing half written."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf
from random_runs import HARD_TEXTS, SENTENCES, save_run, train_subwords
from tensorflow.core.protobuf import saved_model_pb2

from nmt import export as export_module
from nmt.config import Config, parse_config
from nmt.errors import ConfigError, ExportError
from nmt.export import export, translate_apart, verify
from nmt.run_folder import RunFolder
from nmt.saved_model import INFO_FILE, SavedModelTranslator, load_saved_model, read_info
from nmt.translation.lines import Hypothesis, Translation
from nmt.translation.scoring import PairScorer
from nmt.translation.translator import Translator, load_translator


@pytest.fixture(scope="module")
def config() -> Config:
    """A tiny model, with a beam in the export that differs from the run's."""
    return parse_config(
        {
            "name": "tiny",
            "corpus": {"synthetic": {}},
            "subword": {"shared": False},
            "model": {
                "embedding_size": 8,
                "encoder_layers": 1,
                "encoder_units": 8,
                "decoder_layers": 1,
                "decoder_units": 16,
            },
            "decoding": {"max_length": 16, "batch_size": 8, "max_source_tokens": 60},
            "export": {"beam_size": 2, "length_penalty": 0.5},
        }
    )


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory, config: Config) -> Path:
    """A run folder with random weights, and with different subword models on the two sides."""
    source, target = train_subwords("unigram"), train_subwords("char")
    return save_run(tmp_path_factory.mktemp("run"), config, source, target, seed=5)


@pytest.fixture(scope="module")
def version_folder(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real export; a slow test verifies it in its second process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export_module, "verify", lambda *_: None)
        return export(run_folder, tmp_path_factory.mktemp("saved_models") / "tiny")


@pytest.fixture(scope="module")
def saved_model(version_folder: Path) -> SavedModelTranslator:
    """That export, loaded."""
    return load_saved_model(version_folder.parent)


@pytest.fixture(scope="module")
def translator(run_folder: Path, config: Config) -> Translator:
    """The run folder's own translator, searching as the export does."""
    decoding = config.decoding.model_copy(update={"beam_size": 2, "length_penalty": 0.5})
    return load_translator(run_folder, decoding=decoding)


@pytest.fixture
def fast_export(run_folder: Path, translator: Translator, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Path]:
    """Exports a file in place of the SavedModel, unverified."""

    def write(_translator: Translator, folder: Path) -> None:
        folder.mkdir()
        (folder / "saved_model.pb").write_bytes(b"graph")

    monkeypatch.setattr(export_module, "load_translator", lambda *_, **__: translator)
    monkeypatch.setattr(export_module, "write", write)
    monkeypatch.setattr(export_module, "verify", lambda *_: None)
    return lambda target: export(run_folder, target)


# Translations


def test_translates_as_the_run_folder_does(saved_model: SavedModelTranslator, translator: Translator) -> None:
    lines = HARD_TEXTS + [sentence.encode() for sentence in SENTENCES[:40]]
    received, expected = list(saved_model.translate(lines)), list(translator.translate(lines))
    assert [(row.text, row.cut) for row in received] == [(row.text, row.cut) for row in expected]
    assert [row.log_prob for row in received] == pytest.approx([row.log_prob for row in expected], abs=1e-3)
    assert [row.score for row in received] == pytest.approx([row.score for row in expected], abs=1e-3)
    assert len({row.text for row in received}) > 20  # the lines are told apart


def test_a_line_alone_translates_as_among_others(saved_model: SavedModelTranslator) -> None:
    lines = HARD_TEXTS[3:20] + [sentence.encode() for sentence in SENTENCES[:10]]
    together = saved_model.translate_batch(lines)
    alone = [saved_model.translate_batch([line])[0] for line in lines]
    assert [row.text for row in together] == [row.text for row in alone]


def test_a_line_without_tokens_is_empty_and_certain(saved_model: SavedModelTranslator) -> None:
    assert saved_model.translate_batch([b"", b"the cat", b"   "])[::2] == [Translation((Hypothesis("", 0.0, 0.0),))] * 2


def test_scores_pairs_as_the_run_folder_does(saved_model: SavedModelTranslator, translator: Translator) -> None:
    sources = [*HARD_TEXTS, *(sentence.encode() for sentence in SENTENCES[:20])]
    targets = [*reversed(sources[:30]), b"", *sources[31:]]
    pairs = list(zip(sources, targets, strict=True))
    expected = [score.log_prob for score in PairScorer(translator).score(pairs)]
    assert saved_model.score(pairs) == pytest.approx(expected, abs=1e-3, rel=1e-5)
    assert len(set(expected)) > 40


def test_nothing_as_the_translation_of_nothing_is_certain(saved_model: SavedModelTranslator) -> None:
    nothing, something, other = saved_model.score([(b" ", b""), (b"the cat", b""), (b"", b"the cat")])
    assert nothing == 0.0 > max(something, other)


def test_the_score_of_a_translation_that_was_found(saved_model: SavedModelTranslator, translator: Translator) -> None:
    """Where the text is cut into the very tokens that search put together."""
    lines = [sentence.encode() for sentence in SENTENCES[:40]]
    pieces = translator.target_tokenizer.pieces
    found = [
        (line, one)
        for line, one in zip(lines, translator.translate(lines), strict=True)
        if tuple(pieces(one.text)) == one.best.pieces
    ]
    scores = saved_model.score([(line, one.text.encode()) for line, one in found])
    assert scores == pytest.approx([one.log_prob for _, one in found], abs=1e-3)
    assert len(found) > 3


def figures(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names, (tf.float32, [None]))


TEXT = {"text": (tf.string, [None])}
TRANSLATION = {"translation": (tf.string, [None])}
CUT = {"cut": (tf.bool, [None])}


@pytest.mark.parametrize(
    ("name", "inputs", "outputs"),
    [
        ("serving_default", TEXT, {**TRANSLATION, **figures("log_prob", "score"), **CUT}),
        ("score_pairs", {**TEXT, **TRANSLATION}, figures("log_prob")),
    ],
)
def test_a_signature_is_of_one_batch_of_strings(
    saved_model: SavedModelTranslator, name: str, inputs: dict[str, Any], outputs: dict[str, Any]
) -> None:
    assert sorted(saved_model._model.signatures) == ["score_pairs", "serving_default"]
    signature = saved_model._model.signatures[name]
    taken = signature.structured_input_signature[1]
    assert {key: (spec.dtype, spec.shape.as_list()) for key, spec in taken.items()} == inputs
    given = signature.structured_outputs
    assert {key: (spec.dtype, spec.shape.as_list()) for key, spec in given.items()} == outputs


def test_an_empty_batch_has_empty_outputs(saved_model: SavedModelTranslator) -> None:
    nothing, signatures = tf.constant([], tf.string), saved_model._model.signatures
    outputs = {**signatures["score_pairs"](text=nothing, translation=nothing), **signatures["serving_default"](nothing)}
    assert sorted(outputs) == ["cut", "log_prob", "score", "translation"]
    assert all(output.shape.as_list() == [0] for output in outputs.values())


def test_says_what_it_was_made_from(version_folder: Path) -> None:
    info = json.loads((version_folder / INFO_FILE).read_text())
    assert (info["format"], info["name"], info["checkpoint"], info["checkpoint_step"]) == (2, "tiny", "best", 7)
    assert (info["decoding"]["beam_size"], info["decoding"]["length_penalty"]) == (2, 0.5)
    assert info["corpus_fingerprint"] == "f" * 64
    assert info["versions"]["tensorflow"] == tf.__version__
    assert {"saved_model.pb", "variables/variables.index"} <= set(info["files"])


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
    fast_export: Callable[[Path], Path],
    monkeypatch: pytest.MonkeyPatch,
    config: Config,
    tmp_path: Path,
    decoding: dict[str, Any],
) -> None:
    set_config(monkeypatch, config, decoding=decoding)
    exported = read_info(fast_export(tmp_path)).decoding
    assert (exported.beam_size, exported.n_best, exported.samples) == (2, 1, 0)
    assert not exported.minimum_bayes_risk and not exported.copy_unknown


def test_a_beam_that_does_not_fit_the_decoding_is_refused(
    fast_export: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch, config: Config, tmp_path: Path
) -> None:
    set_config(monkeypatch, config, decoding={"beam_size": 6, "diversity_groups": 3}, export={"beam_size": 4})
    with pytest.raises(ConfigError, match=r"^tiny: export: .*diversity_groups: expected a divisor of beam_size \(4\)"):
        fast_export(tmp_path)
    assert not list(tmp_path.iterdir())


# Verification


def answers(translator: Translator, **changes: Any) -> Callable[..., list[Translation]]:
    """A second process that answers as the run folder does, but for the last line."""

    def translate_apart(_folder: Path, lines: list[bytes], batch_size: int) -> list[Translation]:
        rows = [next(translator.translate([line])) for line in lines]
        last = rows[-1]
        hypothesis = replace(last.best, **{key: value for key, value in changes.items() if key != "cut"})
        return [*rows[:-1], Translation((hypothesis,), changes.get("cut", last.cut))]

    return translate_apart


@pytest.mark.slow
def test_a_second_process_translates_as_the_run_folder_does(version_folder: Path, translator: Translator) -> None:
    verify(version_folder, translator)


@pytest.mark.parametrize("changes", [{"text": "other"}, {"log_prob": -1e3}, {"score": -1e3}, {"cut": True}])
def test_refuses_a_model_that_translates_differently(
    version_folder: Path, translator: Translator, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    monkeypatch.setattr(export_module, "translate_apart", answers(translator))
    verify(version_folder, translator)
    monkeypatch.setattr(export_module, "translate_apart", answers(translator, **changes))
    with pytest.raises(ExportError, match="does not translate as the run folder does"):
        verify(version_folder, translator)


@pytest.mark.parametrize("op", ["CudnnRNNV3", "PyFunc", "EagerPyFunc", "XlaLaunch"])
def test_refuses_operations_that_a_server_lacks(tmp_path: Path, op: str) -> None:
    graph = saved_model_pb2.SavedModel()
    function = graph.meta_graphs.add().graph_def.library.function.add()
    function.node_def.add(op=op)
    (tmp_path / "saved_model.pb").write_bytes(graph.SerializeToString())
    with pytest.raises(ExportError, match=op):
        export_module._check_graph(tmp_path)


def test_refuses_functions_that_need_xla_and_nodes_on_a_gpu(tmp_path: Path) -> None:
    graph = saved_model_pb2.SavedModel()
    graph_def = graph.meta_graphs.add().graph_def
    graph_def.node.add(op="MatMul", device="/device:GPU:0")
    graph_def.library.function.add().attr["_XlaMustCompile"].b = True
    (tmp_path / "saved_model.pb").write_bytes(graph.SerializeToString())
    with pytest.raises(ExportError, match=r"compiled by XLA, MatMul on /device:GPU:0"):
        export_module._check_graph(tmp_path)


@pytest.mark.slow
def test_a_second_process_that_fails_is_an_export_error(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="did not run in a second process"):
        translate_apart(tmp_path, [b"a"], batch_size=1)


# Files


def test_the_next_version_follows_the_highest(fast_export: Callable[[Path], Path], tmp_path: Path) -> None:
    for name in ("2", "00000010", "x11", "12.old"):
        (tmp_path / name).mkdir()
    assert fast_export(tmp_path).name == "11"
    assert fast_export(tmp_path).name == "12"
    assert not list(tmp_path.glob(".tmp-*"))


def test_a_version_that_another_export_took_is_left_alone(
    fast_export: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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


def test_a_failure_leaves_nothing(
    fast_export: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ExportError("differs")

    monkeypatch.setattr(export_module, "verify", refuse)
    with pytest.raises(ExportError, match="differs"):
        fast_export(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_an_export_error_and_leaves_nothing(
    fast_export: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(_translator: Translator, folder: Path) -> None:
        folder.mkdir()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(export_module, "write", fill)
    with pytest.raises(ExportError, match="No space left on device"):
        fast_export(tmp_path)
    assert not list(tmp_path.iterdir())


def test_sweeps_what_killed_exports_left_and_nothing_else(fast_export: Callable[[Path], Path], tmp_path: Path) -> None:
    ended = 2**22 + 1  # above the largest process number of Linux
    for name in (f".tmp-1-{ended}", f".tmp-1-{os.getppid()}", ".tmp-notes-x"):
        (tmp_path / name).mkdir()
    fast_export(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"1", f".tmp-1-{os.getppid()}", ".tmp-notes-x"}


def test_other_backends_are_refused(run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ExportError, match="KERAS_BACKEND=tensorflow"):
        export(run_folder, tmp_path)
