"""Several models that vote in every step, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from keras import ops
from scripted_steps import A, B, C, constant_script, random_script, rows_of, scripted

from nmt.search import Breadth, beam_search, greedy_search
from nmt.search.steps import ensemble, fuse
from nmt.tokenizer import END_ID, START_ID

START = np.array([START_ID], np.int32)
Entries = dict[tuple[int, ...], dict[int, float]]


def test_an_ensemble_says_the_mean_of_the_probabilities() -> None:
    """Of 0.8 and 0.2 and of 0.5 and 0.5: 0.65 and 0.35, not sqrt(0.4) and sqrt(0.1)."""
    first, second = constant_script({A: 0.8, B: 0.2}), constant_script({A: 0.5, B: 0.5})
    log_probs, attention, states = ensemble([first, second])(START, [first.state(), second.state()])
    assert np.exp(ops.convert_to_numpy(log_probs)[0, [A, B]]) == pytest.approx([0.65, 0.35], abs=1e-6)
    assert attention is None and len(states) == 2


def test_three_random_models_have_a_mean_too() -> None:
    scripts = [random_script(seed, sentences=4) for seed in range(3)]
    tokens = np.full((4,), START_ID, np.int32)
    log_probs, _, _ = ensemble(scripts)(tokens, [script.state(range(4)) for script in scripts])
    expected = np.mean([np.exp(script.table[:, 0]) for script in scripts], axis=0)
    assert np.exp(ops.convert_to_numpy(log_probs)) == pytest.approx(expected, abs=1e-6)


def test_an_ensemble_of_one_model_twice_is_that_model() -> None:
    script, limits = random_script(3, sentences=5), np.full((5,), 5, np.int32)
    alone = beam_search(script, script.state(range(5)), limits, 5, Breadth(3, 3))
    states = [script.state(range(5)), script.state(range(5))]
    twice = beam_search(ensemble([script, script]), states, limits, 5, Breadth(3, 3))
    for one, other in zip(rows_of(alone), rows_of(twice), strict=True):
        assert [found.tokens for found in one] == [found.tokens for found in other]
        assert [found.score for found in one] == pytest.approx([found.score for found in other], abs=1e-5)


def test_the_attention_is_the_first_models() -> None:
    first, second = (random_script(seed, source_length=3) for seed in (1, 2))
    _, attention, _ = ensemble([first, second])(START, [first.state(), second.state()])
    assert first.attention is not None
    assert np.array_equal(ops.convert_to_numpy(attention), first.attention[:, 0])


def test_an_ensemble_chooses_what_no_member_likes_best() -> None:
    """C has 0.4 from both; A and B have (0.5 + 0.1) / 2 = 0.3. In a beam each member's state follows its hypothesis."""
    end: Entries = {(word,): {END_ID: 1.0} for word in (A, B, C)}
    first = scripted({(): {A: 0.5, B: 0.1, C: 0.4}, **end})
    second = scripted({(): {A: 0.1, B: 0.5, C: 0.4}, **end})
    step, limits = ensemble([first, second]), np.array([4], np.int32)
    for found in (
        greedy_search(step, [first.state(), second.state()], limits, 4),
        beam_search(step, [first.state(), second.state()], limits, 4, Breadth(3)),
    ):
        [[best]] = rows_of(found)
        assert best.tokens == [C, END_ID]
        assert best.log_prob == pytest.approx(math.log(0.4), abs=1e-5)


@pytest.mark.parametrize("beam", [1, 3])
def test_a_language_models_vote_is_a_weighted_sum(beam: int) -> None:
    """ln p + 0.5 ln q: A 0.6 · sqrt(0.09) = 0.18, B 0.4 · sqrt(0.81) = 0.36; then the end, 1 · sqrt(1)."""
    end: Entries = {(word,): {END_ID: 1.0} for word in (A, B)}
    model, language_model = scripted({(): {A: 0.6, B: 0.4}, **end}), scripted({(): {A: 0.09, B: 0.81}, **end})
    step, states, limits = fuse(model, language_model, 0.5), (model.state(), language_model.state()), np.array([4])
    found = greedy_search(step, states, limits, 4) if beam == 1 else beam_search(step, states, limits, 4, Breadth(beam))
    [[best]] = rows_of(found)
    assert best.tokens == [B, END_ID]
    assert best.log_prob == pytest.approx(math.log(0.36), abs=1e-5)


def test_fusion_keeps_both_states_and_the_translation_models_attention() -> None:
    model, language_model = random_script(1, source_length=3), random_script(2)
    state, language_model_state = model.state(), language_model.state()
    step = fuse(model, language_model, 0.3)
    for token, node in ((START_ID, 0), (B, 2), (A, 9)):  # the second child of the root, and its first
        log_probs, attention, (state, language_model_state) = step(
            np.array([token], np.int32), (state, language_model_state)
        )
        expected = model.table[0, node] + 0.3 * language_model.table[0, node]
        assert ops.convert_to_numpy(log_probs)[0] == pytest.approx(expected, abs=1e-5)
        assert model.attention is not None
        assert np.array_equal(ops.convert_to_numpy(attention)[0], model.attention[0, node])
