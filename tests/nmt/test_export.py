"""The SavedModel against the run folder it was made from: same tokens, strings and limits, and nothing half written."""

from __future__ import annotations

import errno
import io
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import sentencepiece
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from nmt import export as export_module
from nmt.checkpoints import Best, TrainingState
from nmt.config import Config, DecodingConfig, parse_config
from nmt.errors import ExportError
from nmt.export import HARD_LINES, StringTranslator, export, translate_apart, verify
from nmt.run_folder import RunFolder
from nmt.saved_model import INFO_FILE, SavedModelTranslator, load_saved_model
from nmt.tokenizer import END_ID, PAD_ID, START_ID, UNKNOWN_ID, Tokenizer, clean_line
from nmt.translation import Translation, Translator, load_translator, make_model

TEXT = "the cat dog sat runs on a mat fast good we go to school . 나는 학교에 갑니다 오늘 날씨가 좋습니다 감사합니다"
WORDS = TEXT.split()
SENTENCES = [" ".join(random.Random(seed).sample(WORDS, 3 + seed % 5)) for seed in range(300)]
INVALID_UTF8 = [
    b"\x80",  # a continuation alone
    b"\xff\xfe",  # bytes that UTF-8 never has
    b"\xc0\x80",  # NUL in two bytes
    b"\xc1\xbf",
    b"\xc2",  # one of two bytes
    b"\xe2\x82",  # two of three
    b"\xf0\x9f\x98",  # three of four
    b"\xe0\x80\xaf",  # a slash in three bytes
    b"\xf0\x80\x80\xaf",  # in four
    b"\xed\xa0\x80",  # half of a surrogate pair
    b"\xed\xa0\xbd\xed\xb8\x80",  # both halves
    b"\xf4\x90\x80\x80",  # above U+10FFFF
    b"\xf8\x88\x80\x80\x80",  # five bytes
]
HARD_TEXTS = [
    *HARD_LINES,
    *INVALID_UTF8,
    *(b"the cat " + line + b" sat" for line in INVALID_UTF8),
    b"\xef\xbb\xbfthe cat",  # byte order mark
    b"\xef\xbf\xbe\xef\xbf\xbf\xef\xbf\xbd",
    b"\x00",
    b"the\ncat\r\n\x1b",
    "\u1112\u1161\u11ab국 \u3000 \u2028 \u2581 \u2581cat".encode(),
    "학교에 👩🏽‍🚀 𝕬 ﷺ ½ ﬁ".encode(),
    b"x" * 5_000,
    "é".encode() * 2_047 + b"a" + "éé".encode(),  # the limit of 4,096 bytes cuts a character
]


def train_subwords(kind: str, normalization: str = "nmt_nfkc") -> Tokenizer:
    """A subword model of the words above."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES),
        model_writer=model,
        model_type=kind,
        vocab_size=90,
        hard_vocab_limit=False,
        normalization_rule_name=normalization,
        pad_id=PAD_ID,
        unk_id=UNKNOWN_ID,
        bos_id=START_ID,
        eos_id=END_ID,
        minloglevel=2,
    )
    return Tokenizer(model.getvalue())


@pytest.fixture(scope="module", params=["unigram", "bpe", "char", "identity"])
def subwords(request: pytest.FixtureRequest) -> Tokenizer:
    """One subword model of each kind."""
    if request.param == "identity":
        return train_subwords("unigram", normalization="identity")
    return train_subwords(request.param)


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
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    source, target = train_subwords("unigram"), train_subwords("char")
    folder.create(config, "f" * 64, (source, target))
    model = make_model(config, source, target)
    model.compile(optimizer="adam")
    model.optimizer.build(model.trainable_variables)
    generator = np.random.default_rng(5)
    for variable in model.trainable_variables:  # large enough that the translations differ from line to line
        variable.assign(generator.normal(size=variable.shape).astype(np.float32))
    folder.save(model, TrainingState(step=7, best=(Best(7, [0.0]),)))
    return folder.folder


@pytest.fixture(scope="module")
def version_folder(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real export, verified in its second process."""
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


# Tokens


class SearchResult:
    """A searcher whose answer is known."""

    def __init__(self, token_ids: np.ndarray) -> None:
        self.variables: list[Any] = []
        self.token_ids = token_ids

    def __call__(self, _source_ids: Any) -> tuple[Any, Any]:
        return tf.constant(self.token_ids), tf.zeros(len(self.token_ids))


def encode(subwords: Tokenizer, lines: list[bytes], decoding: DecodingConfig) -> tuple[list[list[int]], list[bool]]:
    """What the graph makes of lines: ids with the end of sentence, without padding, and whether each was cut."""
    search: Any = SearchResult(np.zeros((0, 1)))
    module = StringTranslator(search, subwords.model, subwords.model, decoding)
    source_ids, _, cut = module._encode(tf.constant(lines))
    return [[int(i) for i in row if i != PAD_ID] for row in source_ids.numpy()], cut.numpy().tolist()


def random_lines() -> list[bytes]:
    """Short lines of bytes that are likely to break UTF-8, and of characters that are likely to be normalized."""
    generator = random.Random(11)
    lead_bytes = [0x20, 0x41, 0x7F, 0x80, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF4, 0xF5, 0xFF]
    broken = [bytes(generator.choices(lead_bytes, k=generator.randrange(1, 9))) for _ in range(2_000)]
    characters = " \u2581\u3000ab가\u1100\u1161é\u0301\ufffd\u200d😀\n\t\x00ﬁ"
    normalized = ["".join(generator.choices(characters, k=generator.randrange(12))).encode() for _ in range(2_000)]
    return broken + normalized


def test_graph_and_library_make_the_same_tokens_of_hard_lines(subwords: Tokenizer) -> None:
    decoding = DecodingConfig(max_source_tokens=10_000)
    lines = HARD_TEXTS + random_lines()
    token_ids, cut = encode(subwords, lines, decoding)
    expected = [[*subwords.encode(clean_line(line, decoding.max_source_bytes)), END_ID] for line in lines]
    assert token_ids == expected
    assert cut == [len(line) > decoding.max_source_bytes for line in lines]


def test_graph_cuts_after_bytes_and_after_tokens(subwords: Tokenizer) -> None:
    line = " ".join(SENTENCES[:5]).encode()
    ids = subwords.encode(line.decode())
    assert encode(subwords, [line], DecodingConfig(max_source_tokens=len(ids))) == ([[*ids, END_ID]], [False])
    assert encode(subwords, [line], DecodingConfig(max_source_tokens=3)) == ([[*ids[:3], END_ID]], [True])
    assert encode(subwords, [line], DecodingConfig(max_source_bytes=len(line)))[1] == [False]
    assert encode(subwords, [line], DecodingConfig(max_source_bytes=len(line) - 1))[1] == [True]


def test_graph_and_library_make_the_same_text_of_any_tokens(subwords: Tokenizer) -> None:
    generator = np.random.default_rng(2)
    token_ids = generator.integers(END_ID + 1, subwords.size, size=(500, 9)).astype(np.int32)
    token_ids[generator.random(token_ids.shape) < 0.2] = UNKNOWN_ID
    token_ids[np.arange(500), generator.integers(0, 9, size=500)] = END_ID
    after_end = np.cumsum(token_ids == END_ID, axis=1) - (token_ids == END_ID) > 0
    token_ids[after_end] = PAD_ID
    search: Any = SearchResult(token_ids)
    module = StringTranslator(search, subwords.model, subwords.model, DecodingConfig())
    texts = module.translate(tf.constant([b"the cat"] * 500))["translation"].numpy()
    assert [text.decode() for text in texts] == [subwords.decode(row.tolist()) for row in token_ids]


# Translations


def test_translates_as_the_run_folder_does(saved_model: SavedModelTranslator, translator: Translator) -> None:
    lines = HARD_TEXTS + [sentence.encode() for sentence in SENTENCES[:40]]
    received, expected = list(saved_model.translate(lines)), list(translator.translate(lines))
    assert [(row.text, row.cut) for row in received] == [(row.text, row.cut) for row in expected]
    assert [row.log_prob for row in received] == pytest.approx([row.log_prob for row in expected], abs=1e-3)
    assert len({row.text for row in received}) > 20  # the lines are told apart


def test_a_line_alone_translates_as_among_others(saved_model: SavedModelTranslator) -> None:
    lines = HARD_TEXTS[3:20] + [sentence.encode() for sentence in SENTENCES[:10]]
    together = saved_model.translate_batch(lines)
    alone = [saved_model.translate_batch([line])[0] for line in lines]
    assert [row.text for row in together] == [row.text for row in alone]


def test_a_line_without_tokens_is_empty_and_certain(saved_model: SavedModelTranslator) -> None:
    assert saved_model.translate_batch([b"", b"the cat", b"   "])[::2] == [Translation("", 0.0, False)] * 2


def test_signature_is_one_batch_of_strings_to_three_outputs(saved_model: SavedModelTranslator) -> None:
    signatures = saved_model._model.signatures
    assert list(signatures) == ["serving_default"]
    (text,) = signatures["serving_default"].structured_input_signature[1].values()
    assert (text.name, text.dtype, text.shape.as_list()) == ("text", tf.string, [None])
    outputs = signatures["serving_default"].structured_outputs
    assert {name: (spec.dtype, spec.shape.as_list()) for name, spec in outputs.items()} == {
        "translation": (tf.string, [None]),
        "log_prob": (tf.float32, [None]),
        "cut": (tf.bool, [None]),
    }


def test_an_empty_batch_has_empty_outputs(saved_model: SavedModelTranslator) -> None:
    outputs = saved_model._model.signatures["serving_default"](text=tf.constant([], tf.string))
    assert {name: output.shape.as_list() for name, output in outputs.items()} == {
        "translation": [0],
        "log_prob": [0],
        "cut": [0],
    }


def test_says_what_it_was_made_from(version_folder: Path) -> None:
    info = json.loads((version_folder / INFO_FILE).read_text())
    assert (info["format"], info["name"], info["checkpoint"], info["checkpoint_step"]) == (1, "tiny", "best", 7)
    assert (info["decoding"]["beam_size"], info["decoding"]["length_penalty"]) == (2, 0.5)
    assert info["corpus_fingerprint"] == "f" * 64
    assert info["versions"]["tensorflow"] == tf.__version__
    assert {"saved_model.pb", "variables/variables.index"} <= set(info["files"])


# Verification


def answers(translator: Translator, **changes: Any) -> Callable[..., list[Translation]]:
    """A second process that answers as the run folder does, but for the last line."""

    def translate_apart(_folder: Path, lines: list[bytes], batch_size: int) -> list[Translation]:
        rows = [next(translator.translate([line])) for line in lines]
        return [*rows[:-1], Translation(**{**vars(rows[-1]), **changes})]

    return translate_apart


@pytest.mark.parametrize("changes", [{"text": "other"}, {"log_prob": -1e3}, {"cut": True}])
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
