"""The check of an export: what it asks of the second process, and what it refuses. Nothing is run here."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from nmt.config import DecodingConfig
from nmt.errors import CorruptFileError, ExportError
from nmt.files import write_file
from nmt.saved_model import ExportInfo
from nmt.saved_model import calls as calls_module
from nmt.saved_model import check as check_module
from nmt.saved_model.answers import ids_inputs
from nmt.saved_model.calls import Arrays, Call, call_apart, texts
from nmt.saved_model.check import check
from nmt.saved_model.info import EXPORT_FORMAT, INFO_FILE, write_checksums
from nmt.saved_model.samples import Sample, SampleHypothesis, read_samples, write_samples
from nmt.saved_model.signatures import signatures_of
from nmt.saved_model.warm_up import read_warm_up, write_warm_up


def sample(line: bytes, source: list[int], text: str, target: list[int], log_prob: float) -> Sample:
    """A line with one translation, which is half as good by its score, and as good as a pair."""
    one = SampleHypothesis(
        translation=text, target_ids=target, log_prob=log_prob, score=log_prob / 2, alignment="0-0" if text else ""
    )
    return Sample(
        line=base64.b64encode(line),
        source_ids=[source],
        pieces=[str(i) for i in source],
        cut=False,
        hypotheses=[one],
        pair_log_prob=log_prob,
        pair_cut=False,
    )


SAMPLES = [sample(b"", [], "", [], 0.0), sample(b"a \xff", [5, 1], "b", [6], -2000.0)]
SIGNATURES = list(signatures_of(with_text=True))
WARM_UP = [
    Call("serving_default", {"text": texts([b"a \xff", b""])}),
    Call("translate_ids", ids_inputs([one.source_ids for one in SAMPLES])),
]


@pytest.fixture
def version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An export without a graph, whose second process answers as it should."""
    folder = tmp_path / "1"
    info = ExportInfo(
        format=EXPORT_FORMAT,
        name="tiny",
        checkpoint="best",
        checkpoint_step=1,
        corpus_fingerprint="0" * 64,
        decoding=DecodingConfig(),
        versions={},
    )
    write_warm_up_into(folder, WARM_UP)
    (folder / "saved_model.pb").touch()
    write_file(folder / INFO_FILE, info.model_dump_json().encode())
    write_samples(folder, SAMPLES)
    write_checksums(folder)
    monkeypatch.setattr(check_module, "check_contract", lambda *_: {"MatMul"})
    monkeypatch.setattr(check_module, "call_apart", answering())
    return folder


def write_warm_up_into(folder: Path, calls: Sequence[Call]) -> None:
    (folder / "assets.extra").mkdir(parents=True)
    write_warm_up(folder, "tiny", calls)


def answer(call: Call) -> dict[str, np.ndarray]:
    """What the export of the samples answers."""
    by_text = {one.line: one for one in SAMPLES}
    if "text" in call.inputs:
        rows = [by_text[text] for text in call.inputs["text"].tolist()]
    else:
        rows = [SAMPLES[int(length > 0)] for length in call.inputs["length"]]
    best = [row.hypotheses[0] for row in rows]
    log_prob = np.array([one.log_prob for one in best], np.float32)
    figures = {"log_prob": log_prob, "score": log_prob / 2}
    translations = texts([one.translation.encode() for one in best])
    cut = np.zeros(len(rows), bool)
    if call.signature == "nbest":
        alignments = texts([one.alignment.encode() for one in best])
        columns = {
            "translations": translations,
            "alignments": alignments,
            "log_probs": log_prob,
            "scores": log_prob / 2,
        }
        return {name: column[:, np.newaxis] for name, column in columns.items()}
    if call.signature == "score_pairs":
        return {"log_prob": log_prob, "cut": cut}
    if call.signature == "tokenize":
        pieces = np.array([[*row.pieces, "", "", ""][:3] for row in rows], object).reshape(len(rows), 3)
        encoded = np.vectorize(str.encode, otypes=[object])(pieces) if rows else pieces
        return {**padded([row.source_ids[0] for row in rows]), "pieces": encoded, "cut": cut}
    if call.signature == "translate_ids":
        return {**padded([one.target_ids for one in best]), **figures}
    return {"translation": translations, **figures, "cut": cut}


def padded(rows: Sequence[list[int]]) -> dict[str, np.ndarray]:
    token_ids = np.array([[*ids, 0, 0, 0][:3] for ids in rows], np.int32).reshape(len(rows), 3)
    return {"token_ids": token_ids, "length": np.array([len(ids) for ids in rows], np.int32)}


def answering(
    change: Callable[[Call, dict[str, np.ndarray]], dict[str, np.ndarray]] = lambda call, outputs: outputs,
) -> Callable[..., list[Arrays]]:
    return lambda folder, calls, with_text: [change(call, answer(call)) for call in calls]


def test_a_whole_export_passes(version: Path) -> None:
    checked = check(version.parent)
    assert (checked.folder, checked.files, checked.operations) == (version, 4, 1)
    assert (checked.samples, checked.requests, set(checked.signatures)) == (2, 2, set(SIGNATURES))
    assert "2 lines translated as the run does; 2 warm-up requests answered" in str(checked)


@pytest.mark.parametrize("signature", SIGNATURES)
def test_another_translation_is_found_in_every_signature(
    version: Path, monkeypatch: pytest.MonkeyPatch, signature: str
) -> None:
    def change(call: Call, outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if call.signature == signature:
            for name in {"translation", "translations", "token_ids"} & set(outputs) or {"log_prob"}:
                outputs[name] = np.where(outputs[name] == 0, 0, outputs[name] * 2)
        return outputs

    monkeypatch.setattr(check_module, "call_apart", answering(change))
    with pytest.raises(ExportError, match=f"does not translate as the run does: signature {signature}, for"):
        check(version)


@pytest.mark.parametrize(
    ("signature", "name"),
    [
        ("serving_default", "log_prob"),
        ("serving_default", "score"),
        ("serving_default", "cut"),
        ("nbest", "log_probs"),
        ("nbest", "scores"),
        ("nbest", "alignments"),
        ("score_pairs", "cut"),
        ("tokenize", "length"),
        ("tokenize", "pieces"),
        ("tokenize", "cut"),
        ("translate_ids", "length"),
        ("translate_ids", "log_prob"),
    ],
)
def test_every_other_answer_is_found(version: Path, monkeypatch: pytest.MonkeyPatch, signature: str, name: str) -> None:
    def change(call: Call, outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if call.signature == signature:
            values = outputs[name]
            is_number = values.dtype in (np.int32, np.float32)
            outputs[name] = values + 5 if is_number else ~values if values.dtype == bool else values + values
        return outputs

    monkeypatch.setattr(check_module, "call_apart", answering(change))
    with pytest.raises(ExportError, match=rf"signature {signature}, for .*, {name}: expected"):
        check(version)


def test_figures_may_differ_by_a_thousandth(version: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(call: Call, outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: value * 1.0005 if value.dtype == np.float32 else value for name, value in outputs.items()}

    monkeypatch.setattr(check_module, "call_apart", answering(change))
    assert check(version).samples == 2


@pytest.mark.parametrize("size", [0, 2])
def test_outputs_without_a_row_for_each_of_the_batch_are_found(
    version: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    def change(call: Call, outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        rows = len(next(iter(call.inputs.values())))
        return {**outputs, "log_prob": np.zeros(rows + 1)} if rows == size and "log_prob" in outputs else outputs

    monkeypatch.setattr(check_module, "call_apart", answering(change))
    with pytest.raises(ExportError, match=rf"expected outputs of {size} rows, received log_prob \({size + 1},\)"):
        check(version)


@pytest.mark.parametrize("name", ["read_samples", "read_warm_up"])
def test_an_export_with_less_than_was_written_is_refused(
    version: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(check_module, name, lambda *_: [])
    with pytest.raises(ExportError, match="expected warm-up requests, and samples for 1 source tokenizers"):
        check(version)


def test_samples_are_read_as_they_were_written(version: Path) -> None:
    assert read_samples(version) == SAMPLES
    (version / "assets.extra" / "samples.json").write_text("{}")
    with pytest.raises(CorruptFileError, match=r"samples\.json: expected lines with their translations"):
        read_samples(version)


@pytest.mark.parametrize("change", [{"hypotheses": []}, {"line": "not base64!"}])
def test_a_sample_that_is_none_is_refused(version: Path, change: dict[str, Any]) -> None:
    path = version / "assets.extra" / "samples.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({"samples": [{**values["samples"][1], **change}]}))
    with pytest.raises(CorruptFileError, match=r"samples\.json: expected lines with their translations"):
        read_samples(version)


def test_samples_for_other_tokenizers_are_refused(version: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two = [one.model_copy(update={"source_ids": [[5], [6]]}) for one in SAMPLES]
    monkeypatch.setattr(check_module, "read_samples", lambda *_: two)
    with pytest.raises(ExportError, match="expected warm-up requests, and samples for 1 source tokenizers"):
        check(version)


def test_a_warm_up_tensor_of_no_type_is_refused(version: Path) -> None:
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.inputs["text"].dtype = 9_999
    with tf.io.TFRecordWriter(str(version / "assets.extra" / "tf_serving_warmup_requests")) as writer:
        writer.write(log.SerializeToString())
    with pytest.raises(CorruptFileError, match="expected warm-up requests"):
        read_warm_up(version)


def test_warm_up_requests_are_read_as_they_were_written(version: Path) -> None:
    for received, expected in zip(read_warm_up(version), WARM_UP, strict=True):
        assert received.signature == expected.signature
        assert {name: value.tolist() for name, value in received.inputs.items()} == {
            name: value.tolist() for name, value in expected.inputs.items()
        }


def test_a_damaged_or_missing_warm_up_file_is_refused(version: Path) -> None:
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptFileError, match="expected warm-up requests"):
        read_warm_up(version)
    path.unlink()
    with pytest.raises(CorruptFileError, match="expected warm-up requests"):
        read_warm_up(version)


@pytest.mark.slow
def test_a_second_process_that_fails_is_an_export_error(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="did not run in a second process"):
        call_apart(tmp_path, [])


@pytest.mark.slow
def test_a_call_that_fails_is_named(tmp_path: Path) -> None:
    class Picky(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, name="numbers")])
        def run(self, numbers: Any) -> dict[str, Any]:
            return {"numbers": tf.gather(numbers, [1])}

    module = Picky()
    tf.saved_model.save(module, str(tmp_path), signatures={"picky": module.run})
    calls = [Call("picky", {"numbers": np.arange(size, dtype=np.int32)}) for size in (2, 1)]
    with pytest.raises(ExportError, match=r"call 2 of 2, signature picky, \{'numbers': \[0\]\}: .*not in \[0, 1\)"):
        call_apart(tmp_path, calls)


def test_a_second_process_without_an_end_is_an_export_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = tmp_path / "endless.py"
    endless.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(calls_module, "SCRIPT", endless)
    monkeypatch.setattr(calls_module, "TIMEOUT", 0.1)
    with pytest.raises(ExportError, match=r"expected answers to 0 calls within 0\.1 seconds, received none"):
        call_apart(tmp_path, [])


@pytest.mark.slow
def test_a_second_process_takes_and_gives_all_types(tmp_path: Path) -> None:
    class Echo(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([None, None], tf.int32)])
        def run(self, text: Any, token_ids: Any) -> dict[str, Any]:
            return {
                "text": text,
                "token_ids": token_ids,
                "half": tf.cast(token_ids, tf.float32) / 2,
                "odd": token_ids % 2 > 0,
            }

    module = Echo()
    tf.saved_model.save(module, str(tmp_path), signatures={"echo": module.run})
    inputs = {"text": texts([b"a\x00\xff\x00", b""]), "token_ids": np.array([[1, 2], [3, 4]], np.int32)}
    (outputs,) = call_apart(tmp_path, [Call("echo", inputs)])
    assert outputs["text"].tolist() == [b"a\x00\xff\x00", b""]
    assert outputs["half"].tolist() == [[0.5, 1.0], [1.5, 2.0]]
    assert outputs["odd"].tolist() == [[True, False], [True, False]]
