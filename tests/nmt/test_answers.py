"""What the check of an export asks of each signature for a sample, and what it takes for the right answer."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from nmt.saved_model.answers import answer_to, call_of, difference, empty_call, ids_inputs, settled
from nmt.saved_model.calls import texts
from nmt.saved_model.samples import Sample, SampleHypothesis
from nmt.saved_model.signatures import signatures_of
from nmt.search import MISSING

SAMPLE = Sample(
    line=base64.b64encode(b"a \xff"),
    source_ids=[[5, 1], [7]],
    pieces=["a", "<unk>"],
    cut=False,
    hypotheses=[
        SampleHypothesis(translation="b", target_ids=[6], log_prob=-2.0, score=-1.0, alignment="0-0"),
        SampleHypothesis(translation="c d", target_ids=[8, 9], log_prob=-3.0, score=-1.5, alignment="0-0 1-1"),
    ],
    pair_log_prob=-2.5,
    pair_cut=True,
)
SIGNATURES = signatures_of(with_text=True, source_tokenizers=2)


def asked(name: str) -> dict[str, list[object]]:
    return {key: value.tolist() for key, value in call_of(name, SIGNATURES[name], SAMPLE).inputs.items()}


def answered(name: str, n_best: int = 2) -> dict[str, list[object]]:
    return {key: value.tolist() for key, value in answer_to(name, SIGNATURES[name], SAMPLE, n_best).items()}


def test_each_signature_is_asked_for_what_it_takes() -> None:
    assert asked("serving_default") == asked("nbest") == asked("tokenize") == {"text": [b"a \xff"]}
    assert asked("score_pairs") == {"text": [b"a \xff"], "translation": [b"b"]}
    assert asked("translate_ids") == {"token_ids": [[5, 1]], "length": [2], "token_ids_2": [[7]], "length_2": [1]}


def test_each_signature_answers_all_that_it_gives() -> None:
    for name, signature in SIGNATURES.items():
        answer = answer_to(name, signature, SAMPLE, n_best=2)
        assert answer.keys() == signature.outputs.keys()
        assert all(answer[key].ndim == rank for key, (_, rank) in signature.outputs.items())
    assert answered("serving_default") == {"translation": [b"b"], "log_prob": [-2.0], "score": [-1.0], "cut": [False]}
    assert answered("score_pairs") == {"log_prob": [-2.5], "cut": [True]}
    assert answered("tokenize")["pieces"] == [[b"a", b"<unk>"]]
    assert answered("tokenize")["token_ids_2"] == [[7]]
    assert answered("translate_ids") == {"token_ids": [[6]], "length": [1], "log_prob": [-2.0], "score": [-1.0]}


def test_places_of_translations_that_are_not_there_are_marked() -> None:
    answer = answered("nbest", n_best=3)
    assert answer["translations"] == [[b"b", b"c d"]] and answer["alignments"] == [[b"0-0", b"0-0 1-1"]]
    assert answer["log_probs"] == [[-2.0, -3.0, np.float32(MISSING)]]


def test_ranks_of_equal_scores_and_alignments_of_cut_lines_are_not_settled() -> None:
    answer = answer_to("nbest", SIGNATURES["nbest"], SAMPLE, n_best=3)
    assert settled("nbest", SAMPLE, answer)["scores"].shape == (1, 3)
    first, second = SAMPLE.hypotheses
    nearly = first.model_copy(update={"score": -1.0004})
    tie = SAMPLE.model_copy(update={"hypotheses": [second, first, nearly]})
    assert settled("nbest", tie, answer)["translations"].tolist() == [[b"b"]]
    cut = SAMPLE.model_copy(update={"cut": True})
    assert settled("nbest", cut, answer).keys() == {"translations", "scores", "log_probs"}
    assert settled("serving_default", cut, {"score": answer["scores"]}).keys() == {"score"}


def test_token_ids_are_padded_row_by_row() -> None:
    inputs = ids_inputs([[[]], [[5, 1]]])
    assert {name: value.tolist() for name, value in inputs.items()} == {
        "token_ids": [[0, 0], [5, 1]],
        "length": [0, 2],
    }


def test_an_empty_batch_has_no_rows_of_any_type() -> None:
    inputs = empty_call("translate_ids", SIGNATURES["translate_ids"]).inputs
    assert {name: (value.shape, value.dtype) for name, value in inputs.items()} == {
        "token_ids": ((0, 1), np.int32),
        "length": ((0,), np.int32),
        "token_ids_2": ((0, 1), np.int32),
        "length_2": ((0,), np.int32),
    }
    assert empty_call("nbest", SIGNATURES["nbest"]).inputs["text"].dtype == object


def test_padding_on_the_right_is_no_difference() -> None:
    assert not difference(np.array([[6]], np.int32), np.array([[6, 0, 0]], np.int32))
    assert not difference(texts([b"b"])[np.newaxis], texts([b"b", b""])[np.newaxis])


@pytest.mark.parametrize(
    ("expected", "received", "message"),
    [
        (np.array([[6]]), np.array([[6, 7]]), "expected [6], received [6, 7]"),
        (np.array([[6, 7]]), np.array([[6]]), "expected [6, 7], received [6]"),
        (texts([b"b"]), texts([b"c"]), "expected b'b', received b'c'"),
        (np.array([True]), np.array([False]), "expected True, received False"),
        (np.float32([-2.0]), np.float32([-2.003]), "expected -2.0, received -2.00"),
        (np.float32([0.5]), np.float32([np.nan]), "expected 0.5, received nan"),
    ],
)
def test_what_differs_is_shown(expected: np.ndarray, received: np.ndarray, message: str) -> None:
    assert difference(expected, received).startswith(message)


def test_numbers_may_differ_by_a_thousandth() -> None:
    assert not difference(np.float32([-2000.0, 0.5]), np.float32([-2001.9, 0.5009]))
