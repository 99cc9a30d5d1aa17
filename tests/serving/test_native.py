"""An export in TensorFlow's C library, without Python: five versions of it, hard lines, threads, memory."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from native import (
    ENVIRONMENT,
    NativeError,
    NativeModel,
    compare_threads,
    inputs_for,
    operations_of,
    read_signatures,
    texts_in,
)
from random_runs import HARD_TEXTS, SENTENCES, TINY_EXPORT, save_run, train_subwords
from runtimes import Runtime
from tensorflow.core.protobuf import saved_model_pb2
from tensors import SIZE, STRING, write_request

from nmt.config import parse_config
from nmt.export import export
from nmt.saved_model import read_info
from nmt.saved_model.allowed_ops import CORE_OPS, TEXT_OPS
from nmt.saved_model.warm_up import read_warm_up
from nmt.translation.lines import Translation
from nmt.translation.translator import load_translator

LINES = HARD_TEXTS + [sentence.encode() for sentence in SENTENCES[:20]]
BATCH = 8
NOT_FOUND = 5  # TensorFlow's code


def batches(lines: list[bytes]) -> Iterator[list[bytes]]:
    return (lines[start : start + BATCH] for start in range(0, len(lines), BATCH))


@pytest.fixture(scope="module")
def expected(run_folder: Path, export_folder: Path) -> list[Translation]:
    """What the run folder's own translator makes of the lines."""
    return list(load_translator(run_folder, decoding=read_info(export_folder).decoding).translate(LINES))


def test_reads_signatures(tmp_path: Path) -> None:
    model = saved_model_pb2.SavedModel()
    definitions = model.meta_graphs.add().signature_def
    for name in ("__saved_model_init_op", "b", "a"):
        definitions[name].inputs["text"].name, definitions[name].inputs["text"].dtype = f"{name}_text:0", STRING
        definitions[name].outputs["z"].name = "Call:0"
        definitions[name].outputs["y"].name = "Call:1"
    (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
    signatures = read_signatures(tmp_path)
    assert list(signatures) == ["a", "b"]
    assert signatures["a"].inputs == {"text": ("a_text:0", STRING)}
    assert [tensor.name for tensor in signatures["a"].outputs.values()] == ["Call:1", "Call:0"]


@pytest.mark.slow
def test_translates_as_the_run_folder_does(runtime: Runtime, export_folder: Path, expected: list[Translation]) -> None:
    with NativeModel(export_folder, runtime) as native:
        answers = [native.call("serving_default", text=batch) for batch in batches(LINES)]
    received = [text for answer in answers for text in answer["translation"]]
    assert received == [translation.text.encode() for translation in expected]
    assert [cut for answer in answers for cut in answer["cut"]] == [translation.cut for translation in expected]
    log_probs = np.concatenate([answer["log_prob"] for answer in answers])
    assert log_probs == pytest.approx([translation.log_prob for translation in expected], abs=1e-3)
    assert len(set(received)) > 10  # the lines are told apart


@pytest.mark.slow
def test_every_runtime_knows_all_operations_that_an_export_may_hold(runtime: Runtime) -> None:
    known = operations_of(runtime)
    assert not (CORE_OPS | TEXT_OPS) - known
    assert "XlaLaunch" in known and "NoSuchOperation" not in known  # the list is the runtime's own


@pytest.mark.slow
def test_the_oldest_runtime_runs_every_rule_of_the_search(tmp_path: Path, oldest: Runtime) -> None:
    """And another cell, two models and several heads: together they hold operations that the tiny run does not."""
    source, target = train_subwords("unigram"), train_subwords("char")
    sizes = {**TINY_EXPORT["model"], "cell": "layer_norm_lstm", "attention": "multi_head", "attention_heads": 2}
    member = save_run(tmp_path / "member", parse_config({**TINY_EXPORT, "model": sizes}), source, target, seed=6)
    rules = {
        "ensemble": [str(member)],
        "beam_size": 4,
        "n_best": 2,
        "diversity_groups": 2,
        "diversity_strength": 0.5,
        "length_normalization": "gnmt",
        "repetition_penalty": 1.2,
        "no_repeated_ngram": 2,
        "min_length": 3,
        "banned_words": ["cat", "오늘"],
        "ban_unknown": True,
    }
    config = parse_config({**TINY_EXPORT, "decoding": {**TINY_EXPORT["decoding"], **rules}, "export": {}})
    run = save_run(tmp_path / "run", config, source, target, seed=5)
    version = export(run, tmp_path / "saved_models")
    ours = load_translator(run, decoding=read_info(version).decoding).translate(LINES)
    with NativeModel(version, oldest) as native:
        received, n_best = [], []
        for batch in batches(LINES):
            received += native.call("serving_default", text=batch)["translation"]
            n_best += native.call("nbest", text=batch)["alignments"]
    assert received == [one.text.encode() for one in ours]
    assert len(set(received)) > 10 and len(n_best) == len(LINES)


@pytest.mark.slow
def test_there_is_no_python_in_the_process(native: NativeModel) -> None:
    native.call("serving_default", text=[b"the cat"])
    maps = Path(f"/proc/{native.process_id}/maps").read_text()
    assert "libtensorflow_cc" in maps and "_sentencepiece_tokenizer" in maps
    assert "libpython" not in maps
    environment = Path(f"/proc/{native.process_id}/environ").read_bytes()
    assert b"PYTHON" not in environment and environment.count(b"\0") == 3


@pytest.mark.slow
def test_without_tf_text_loading_says_what_is_missing(export_folder: Path, installed: Runtime) -> None:
    message = "Op type not registered 'Sentencepiece"
    with pytest.raises(NativeError, match=message) as caught, NativeModel(export_folder, installed, libraries=[]):
        pytest.fail("it was loaded")
    assert caught.value.code == NOT_FOUND


@pytest.mark.slow
def test_token_ids_need_no_tf_text(run_folder: Path, native: NativeModel, installed: Runtime, tmp_path: Path) -> None:
    lines = [sentence.encode() for sentence in SENTENCES[:8]]
    inputs = inputs_for(native, "translate_ids", [b"", *lines])  # the first row is padding alone
    expected = native.call("translate_ids", **inputs)
    folder = export(run_folder, tmp_path / "ids", with_text=False)
    with NativeModel(folder, installed, libraries=[]) as alone:
        received = alone.call("translate_ids", **inputs)
    assert received["token_ids"].tolist() == expected["token_ids"].tolist()
    assert received["length"].tolist() == expected["length"].tolist()
    assert received["length"][0] == 0 < max(received["length"])


@pytest.mark.slow
def test_every_signature_answers_in_rows(native: NativeModel) -> None:
    for signature in native.signatures:
        for lines in ([], [b"the cat"], LINES):
            answer = native.call(signature, **inputs_for(native, signature, lines))
            assert {len(values) for values in answer.values()} == {len(lines)}, signature


@pytest.mark.slow
def test_every_string_is_utf8(native: NativeModel) -> None:
    answers = [native.call(name, **inputs_for(native, name, LINES)) for name in native.signatures]
    strings = [text for answer in answers for text in texts_in(answer)]
    assert len(strings) >= len(LINES)
    assert [text.decode() for text in strings]


@pytest.mark.slow
def test_answers_the_warm_up_requests(native: NativeModel, export_folder: Path) -> None:
    calls = read_warm_up(export_folder)
    assert calls
    for signature, inputs in calls:
        rows = len(next(iter(inputs.values())))
        assert {len(values) for values in native.call(signature, **inputs).values()} == {rows}


@pytest.mark.slow
def test_threads_do_not_mix_answers_up(native: NativeModel, export_folder: Path, installed: Runtime) -> None:
    calls = [(name, inputs_for(native, name, lines)) for name in native.signatures for lines in batches(LINES[8:32])]
    result = compare_threads(export_folder, installed, calls, threads=16, calls_each=4)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(calls)} requests, 0 errors; 16 threads x 4 calls, 0 differences" in result.stdout


@pytest.mark.slow
def test_threads_are_no_excuse_for_errors(native: NativeModel, export_folder: Path, installed: Runtime) -> None:
    """A request that TensorFlow refuses is one, though every thread gets the same."""
    calls = [("score_pairs", {"text": [b"a", b"b", b"c"], "translation": [b"a", b"b"]})]
    result = compare_threads(export_folder, installed, calls, threads=2, calls_each=2)
    assert result.returncode == 1
    assert "1 requests, 1 errors; 2 threads x 2 calls" in result.stdout


@pytest.mark.slow
def test_memory_does_not_grow(native: NativeModel) -> None:
    requests = [inputs_for(native, "serving_default", lines) for lines in batches(LINES)]
    for i in range(100):
        native.call("serving_default", **requests[i % len(requests)])
    before = native.memory()
    for i in range(500):
        native.call("serving_default", **requests[i % len(requests)])
    assert 0 < native.memory() < 1.02 * before


@pytest.mark.slow
def test_an_error_does_not_end_the_program(native: NativeModel) -> None:
    with pytest.raises(NativeError) as caught:
        native.call("score_pairs", text=[b"a", b"b", b"c"], translation=[b"a", b"b"])
    assert caught.value.code
    assert native.call("serving_default", text=[b""])["translation"] == [b""]


@pytest.mark.slow
def test_no_request_makes_the_program_fail(
    export_folder: Path, installed: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the compiler's checks of addresses and undefined behaviour; each is answered with an error."""
    sound = write_request(0, [([b"the cat", b"sat"], STRING)])[SIZE.size :]
    huge = struct.pack("=Iiiqq", 0, STRING, 2, 1 << 62, 1 << 62)
    bodies = [sound[:size] for size in range(len(sound))]  # cut at every byte
    bodies += [sound + b"\0", struct.pack("=I", 99), huge, struct.pack("=Iii", 0, STRING, -1)]
    bodies += [struct.pack("=IiiqQ", 0, STRING, 1, 1, 1 << 63) + b"x"]  # a string longer than all memory
    flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    monkeypatch.setitem(ENVIRONMENT, "ASAN_OPTIONS", "detect_leaks=0")  # those of TensorFlow are not looked for
    with NativeModel(export_folder, installed, flags=flags) as model:
        for body in bodies:
            with pytest.raises(NativeError, match="this is no request"):
                model.ask(SIZE.pack(len(body)) + body)
        assert len(model.call("serving_default", text=[b"the cat"])["translation"]) == 1
