"""Reading exports, with a SavedModel that turns text to capitals in place of a translator."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from nmt.config import DecodingConfig
from nmt.errors import CorruptFileError, DataError, ExportError
from nmt.export.exporter import seal
from nmt.files import write_file
from nmt.saved_model import ExportInfo, load_ops, load_saved_model
from nmt.saved_model import ops as ops_module
from nmt.saved_model import translator as translator_module
from nmt.saved_model.info import EXPORT_FORMAT, INFO_FILE, read_checksums
from nmt.translation import lines as translation_module
from nmt.translation.lines import Hypothesis, Translation

LINES = [b"bb", b"", b"aaaa", b"d", b"ccc"]
INFO = ExportInfo(
    format=EXPORT_FORMAT,
    name="capitals",
    checkpoint="best",
    checkpoint_step=1,
    corpus_fingerprint="0" * 64,
    decoding=DecodingConfig(batch_size=2),
    versions={"tensorflow": tf.__version__},
)


class Capitals(tf.Module):
    """Text to capitals; the "log-probability" counts the bytes, half is the score, and from four on a line is "cut".

    That of a pair counts the bytes of both.
    """

    def __init__(self) -> None:
        super().__init__()
        text = tf.TensorSpec([None], tf.string, name="text")
        translation = tf.TensorSpec([None], tf.string, name="translation")
        self.translate = tf.function(self._translate, input_signature=[text])
        self.score_pairs = tf.function(self._score_pairs, input_signature=[text, translation])

    def _translate(self, text: Any) -> dict[str, Any]:
        length = tf.strings.length(text)
        log_prob = -tf.cast(length, tf.float32)
        return {
            "translation": tf.strings.upper(text),
            "log_prob": log_prob,
            "score": log_prob / 2.0,
            "cut": length >= 4,
        }

    def _score_pairs(self, text: Any, translation: Any) -> dict[str, Any]:
        length = tf.strings.length(text) + tf.strings.length(translation)
        return {"log_prob": -tf.cast(length, tf.float32), "cut": length >= 4}


def seal_with(folder: Path, info: ExportInfo) -> None:
    """Writes the description and the checksums."""
    write_file(folder / INFO_FILE, info.model_dump_json().encode())
    seal(folder)


@pytest.fixture(autouse=True)
def any_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """The contract has tests of its own."""
    monkeypatch.setattr(translator_module, "check_contract", lambda *_: None)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One export. Only to be read."""
    folder = tmp_path_factory.mktemp("capitals") / "1"
    module = Capitals()
    signatures = {"serving_default": module.translate, "score_pairs": module.score_pairs}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    seal_with(folder, INFO)
    return folder


@pytest.fixture
def version(sealed: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(sealed, tmp_path / "1"))


def test_translations_come_in_the_order_of_the_lines(sealed: Path) -> None:
    done: list[int] = []
    translations = list(load_saved_model(sealed).translate(LINES, done.append))
    assert translations == [
        Translation((Hypothesis("BB", -2.0, -1.0),), False),
        Translation((Hypothesis("", 0.0, 0.0),), False),
        Translation((Hypothesis("AAAA", -4.0, -2.0),), True),
        Translation((Hypothesis("D", -1.0, -0.5),), False),
        Translation((Hypothesis("CCC", -3.0, -1.5),), False),
    ]
    assert done == [2, 2, 1]  # batches of decoding.batch_size


def test_lines_of_like_length_go_together(sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    translator = load_saved_model(sealed)
    batches: list[list[bytes]] = []
    translate_batch = translator.translate_batch

    def record(lines: list[bytes]) -> list[Translation]:
        batches.append(lines)
        return translate_batch(lines)

    monkeypatch.setattr(translator, "translate_batch", record)
    list(translator.translate(LINES))
    assert batches == [[b"aaaa", b"ccc"], [b"bb", b"d"], [b""]]


def test_a_stream_is_translated_window_by_window(sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translation_module, "LINES_AT_ONCE", 2)
    read: list[bytes] = []

    def stream() -> Any:
        for line in LINES:
            read.append(line)
            yield line

    translations = load_saved_model(sealed).translate(stream())
    assert next(translations).text == "BB"
    assert read == LINES[:2]
    assert [translation.text for translation in translations] == ["", "AAAA", "D", "CCC"]


def test_no_lines_have_no_translations(sealed: Path) -> None:
    translator = load_saved_model(sealed)
    assert list(translator.translate([])) == []
    assert translator.translate_batch([]) == []
    assert translator.translate_texts(["x"]) == ["X"]


def test_scores_come_in_the_order_of_the_pairs(sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    translator = load_saved_model(sealed)
    batches: list[int] = []
    score_batch = translator.score_batch

    def record(pairs: Any) -> list[float]:
        batches.append(len(pairs))
        return score_batch(pairs)

    monkeypatch.setattr(translator, "score_batch", record)
    scores = translator.score([(b"a", b"b"), (b"", b"ccc"), (b"dddd", b"")])
    assert scores == [(-2.0, False), (-3.0, False), (-4.0, True)]
    assert batches == [2, 1]  # of decoding.batch_size
    assert translator.score([]) == []


def test_it_takes_no_prefixes(sealed: Path) -> None:
    translator = load_saved_model(sealed)
    translator.check_prefix(0, "")
    assert [one.text for one in translator.translate([b"a"], prefixes=[""])] == ["A"]
    with pytest.raises(DataError, match="takes no prefixes; translate with the run folder"):
        translator.check_prefix(0, "b")
    with pytest.raises(DataError, match="takes no prefixes"):
        list(translator.translate([b"a"], prefixes=["b"]))


def test_takes_the_highest_version(version: Path) -> None:
    for name in ("9", "010", "x99", ".tmp-11-1"):
        shutil.copytree(version, version.parent / name)
    (version.parent / "12").touch()
    assert load_saved_model(version.parent).folder.name == "010"
    assert load_saved_model(version.parent / "9").folder.name == "9"


def test_says_what_the_export_was_made_from(sealed: Path) -> None:
    info = load_saved_model(sealed).info
    assert (info.name, info.decoding.batch_size) == ("capitals", 2)
    assert set(read_checksums(sealed)) >= {"saved_model.pb", "variables/variables.index", INFO_FILE}


def test_a_folder_without_exports_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ExportError, match="run nmt export first"):
            load_saved_model(path)


def test_a_foreign_saved_model_is_refused(version: Path) -> None:
    (version / INFO_FILE).unlink()
    with pytest.raises(ExportError, match="as nmt export writes it"):
        load_saved_model(version)


def test_a_foreign_format_is_refused_with_advice(version: Path) -> None:
    values = json.loads((version / INFO_FILE).read_text())
    (version / INFO_FILE).write_text(json.dumps({**values, "format": 1}))
    with pytest.raises(ExportError, match=r"expected export format 4, received 1; export the run again"):
        load_saved_model(version)


def test_a_model_without_the_second_signature_is_an_export_error(tmp_path: Path) -> None:
    module = Capitals()
    tf.saved_model.save(module, str(tmp_path / "1"), signatures={"serving_default": module.translate})
    seal_with(tmp_path / "1", INFO)
    with pytest.raises(ExportError, match=r"cannot load this SavedModel.*score_pairs.*; export the run again"):
        load_saved_model(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format": 4}', '{"format": 4, "unknown": 2}'])
def test_a_damaged_description_is_refused(version: Path, text: str) -> None:
    (version / INFO_FILE).write_text(text)
    with pytest.raises(CorruptFileError, match=r"keras_nmt\.json: expected the description of an export"):
        load_saved_model(version)


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index", "fingerprint.pb"])
def test_one_changed_bit_is_found(version: Path, name: str) -> None:
    data = bytearray((version / name).read_bytes())
    data[len(data) // 2] ^= 1
    (version / name).write_bytes(data)
    with pytest.raises(CorruptFileError, match=rf"{name}: expected SHA-256"):
        load_saved_model(version)


def test_a_file_that_nobody_listed_is_found(version: Path) -> None:
    (version / "assets.extra" / "stranger").touch()
    with pytest.raises(CorruptFileError, match=r"assets\.extra/stranger: expected the files that .* lists"):
        load_saved_model(version)


@pytest.mark.parametrize("text", [None, "not two columns"])
def test_a_damaged_list_of_checksums_is_refused(version: Path, text: str | None) -> None:
    path = version / "assets.extra" / "SHA256SUMS"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(CorruptFileError, match="SHA256SUMS: expected a list of checksums"):
        load_saved_model(version)


def test_an_export_of_token_ids_translates_no_lines(version: Path) -> None:
    seal_with(version, INFO.model_copy(update={"with_text": False}))
    with pytest.raises(ExportError, match="expected a SavedModel that takes strings"):
        load_saved_model(version)


def test_a_missing_file_is_found(version: Path) -> None:
    (version / "variables" / "variables.index").unlink()
    with pytest.raises(CorruptFileError, match=r"variables\.index: No such file"):
        load_saved_model(version)


def test_a_graph_that_tensorflow_cannot_load_is_an_export_error(version: Path) -> None:
    (version / INFO_FILE).unlink()
    (version / "saved_model.pb").write_bytes(b"not a graph")
    seal_with(version, INFO)  # the checksums are right
    with pytest.raises(ExportError, match="cannot load this SavedModel"):
        load_saved_model(version)


def test_versions_that_do_not_fit_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops_module, "version", lambda name: "2.1.0")
    with pytest.raises(ExportError, match="do not fit together: expected the same minor version"):
        load_ops()
