"""Greedy and beam search over scripted log-probabilities.

The scripted step keeps, as its state, each hypothesis' whole history as one number, and looks the next
log-probabilities up under it: a state that is not reordered with its hypothesis gives other numbers.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from keras import ops

from nmt.search import beam_search, greedy_search, search
from nmt.search.beam import length_penalty
from nmt.tokenizer import END_ID, PAD_ID, START_ID, UNKNOWN_ID

A, B = 4, 5
VOCABULARY = 6
NEVER = -60.0  # log-probability of what a scripted table leaves out


class Script:
    """A step function over a table, which counts its calls.

    Args:
        table: log-probabilities (sentences, histories, vocabulary); a history is its tokens as digits to base 6.
    """

    def __init__(self, table: np.ndarray) -> None:
        self.table = table.astype(np.float32)
        self.calls = 0

    def state(self, rows: list[int]) -> dict[str, Any]:
        """The first state for these sentences."""
        return {"sentence": ops.convert_to_tensor(rows, "int32"), "history": ops.zeros((len(rows),), "int32")}

    def __call__(self, token_ids: Any, state: Any) -> tuple[Any, Any, Any]:
        self.calls += 1
        history = (state["history"] * VOCABULARY + token_ids) % self.table.shape[1]
        flat = state["sentence"] * self.table.shape[1] + history
        log_probs = ops.take(self.table.reshape(-1, VOCABULARY), flat, axis=0)
        return log_probs, None, {"sentence": state["sentence"], "history": history}


def code(tokens: list[int]) -> int:
    """The number under which a history stands in the table."""
    number = 0
    for token in tokens:
        number = number * VOCABULARY + token
    return number


def scripted(entries: dict[tuple[int, ...], dict[int, float]], histories: int = 6**4) -> Script:
    """Probabilities after each history; a history is what was chosen so far."""
    table = np.full((1, histories, VOCABULARY), NEVER)
    for history, probabilities in entries.items():
        for token, probability in probabilities.items():
            table[0, code([START_ID, *history]) % histories, token] = math.log(probability)
    return Script(table)


def random_script(seed: int, sentences: int = 1, length: int = 4) -> Script:
    logits = np.random.default_rng(seed).normal(size=(sentences, VOCABULARY**length, VOCABULARY)) * 2.0
    return Script(logits - np.log(np.exp(logits).sum(-1, keepdims=True)))


def run(
    script: Script, limits: list[int], max_length: int, beam: int = 1, exponent: float = 0.0
) -> list[tuple[list[int], float]]:
    """Tokens without padding, and the log-probability, of each sentence."""
    state, rows = script.state(list(range(len(limits)))), np.array(limits, np.int32)
    if beam == 1:
        found = greedy_search(script, state, rows, max_length)
    else:
        found = beam_search(script, state, rows, max_length, beam, exponent)
    ids, log_probs = ops.convert_to_numpy(found.token_ids), ops.convert_to_numpy(found.log_probs)
    assert ids.shape == (len(limits), max_length)
    results = []
    for row, log_prob in zip(ids.tolist(), log_probs, strict=True):
        length = row.index(END_ID) + 1
        assert set(row[length:]) <= {PAD_ID}
        results.append((row[:length], float(log_prob)))
    return results


def brute_force(script: Script, sentence: int, limit: int, exponent: float) -> tuple[list[int], float]:
    """The best of all sequences, one by one."""
    best: tuple[float, list[int], float] = (-math.inf, [], 0.0)
    for length in range(limit):
        for words in itertools.product((UNKNOWN_ID, A, B), repeat=length):
            tokens, total, history = [*words, END_ID], 0.0, [START_ID]
            for token in tokens:
                total += float(script.table[sentence, code(history) % script.table.shape[1], token])
                history.append(token)
            best = max(best, (total / ((5 + len(tokens)) / 6) ** exponent, tokens, total))
    return best[1], best[2]


GARDEN_PATH = {
    (): {A: 0.6, B: 0.4},
    (A,): {A: 0.35, B: 0.33, END_ID: 0.32},
    (A, A): {END_ID: 1.0},
    (B,): {END_ID: 0.9, A: 0.1},
}


def test_greedy_takes_the_likeliest_token_and_stops_at_the_end() -> None:
    script = scripted(GARDEN_PATH)
    [(tokens, log_prob)] = run(script, [6], 6)
    assert tokens == [A, A, END_ID]
    assert log_prob == pytest.approx(math.log(0.6 * 0.35), abs=1e-5)
    assert script.calls == 3


def test_beam_leaves_the_garden_path() -> None:
    """A looks better at first, but B ends with 0.4 · 0.9 = 0.36 against 0.21."""
    [(tokens, log_prob)] = run(scripted(GARDEN_PATH), [6], 6, beam=2)
    assert tokens == [B, END_ID]
    assert log_prob == pytest.approx(math.log(0.36), abs=1e-5)


def test_search_of_a_beam_of_one_is_greedy() -> None:
    for beam, expected in ((1, [A, A, END_ID]), (2, [B, END_ID])):
        script = scripted(GARDEN_PATH)
        found = search(script, script.state([0]), np.array([6], np.int32), 6, beam, 0.0)
        assert ops.convert_to_numpy(found.token_ids)[0, : len(expected)].tolist() == expected


@pytest.mark.parametrize("beam", [1, 3])
def test_limits_are_per_row(beam: int) -> None:
    """The sentence would never end by itself; at its limit it ends with the end's own log-probability."""
    table = np.full((3, 6**2, VOCABULARY), NEVER)
    table[:, :, A], table[:, :, END_ID] = math.log(0.99), math.log(0.01)
    results = run(Script(table), [1, 2, 4], 5, beam, exponent=5.0)
    for (tokens, log_prob), limit in zip(results, (1, 2, 4), strict=True):
        assert tokens == [A] * (limit - 1) + [END_ID]
        assert log_prob == pytest.approx((limit - 1) * math.log(0.99) + math.log(0.01), abs=1e-5)


@pytest.mark.parametrize("beam", [1, 2, 5])
def test_padding_and_start_are_never_chosen(beam: int) -> None:
    """Both are by far the likeliest here."""
    table = np.full((1, 6**2, VOCABULARY), math.log(0.01))
    table[:, :, PAD_ID] = table[:, :, START_ID] = math.log(0.48)
    table[:, :, A] = math.log(0.02)
    [(tokens, _)] = run(Script(table), [4], 4, beam, exponent=2.0)
    assert not {PAD_ID, START_ID} & set(tokens)


@pytest.mark.parametrize("exponent", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_wide_beam_finds_the_best_of_all_sequences(seed: int, exponent: float) -> None:
    """There are 27 histories of three words: a beam of 27 drops none. The sentences' limits differ."""
    script = random_script(seed, sentences=3)
    limits = [4, 3, 2]
    for sentence, (tokens, log_prob) in enumerate(run(script, limits, 4, beam=27, exponent=exponent)):
        best, best_log_prob = brute_force(script, sentence, limits[sentence], exponent)
        assert tokens == best
        assert log_prob == pytest.approx(best_log_prob, abs=1e-4)


def test_random_tables_tell_greedy_from_beam() -> None:
    """The test above would prove little if the likeliest token were always right."""
    scripts = [random_script(seed, sentences=3) for seed in range(4)]
    assert sum(run(script, [4] * 3, 4) != run(script, [4] * 3, 4, beam=27) for script in scripts) >= 2


@pytest.mark.parametrize("beam", [2, 3, 4])
def test_log_probability_is_that_of_the_tokens(beam: int) -> None:
    """Also a narrow beam: its state must follow each hypothesis, since the table goes by the whole history."""
    for seed in range(5):
        script = random_script(seed)
        [(tokens, log_prob)] = run(script, [4], 4, beam, exponent=1.0)
        history, total = [START_ID], 0.0
        for token in tokens:
            total += float(script.table[0, code(history) % script.table.shape[1], token])
            history.append(token)
        assert log_prob == pytest.approx(total, abs=1e-4)


@pytest.mark.parametrize(
    ("exponent", "steps"),
    [
        # Ending at once scores ln 0.3 = -1.204. Going on costs ln 0.7 = -0.357 a token: after four, -1.427 is worse.
        (0.0, 4),
        # Divided by (5 + 20) / 6, the most that can be reached after n tokens is -0.0856 n; worse than -1.204 after 15.
        (1.0, 15),
    ],
)
def test_stops_as_soon_as_nothing_better_can_come(exponent: float, steps: int) -> None:
    table = np.full((1, 6**2, VOCABULARY), NEVER)
    table[:, :, A], table[:, :, END_ID] = math.log(0.7), math.log(0.3)
    script = Script(table)
    [(tokens, log_prob)] = run(script, [20], 20, beam=2, exponent=exponent)
    assert tokens == [END_ID] and log_prob == pytest.approx(math.log(0.3), abs=1e-5)
    assert script.calls == steps


def test_goes_on_while_a_longer_one_can_win() -> None:
    """Ending at once has the higher log-probability, but with a length penalty of 1 the longer one scores better.

    ln 0.4 / 1 = -0.916 against ln 0.36 / (8 / 6) = -0.766.
    """
    entries = {(): {END_ID: 0.4, A: 0.36, B: 0.24}, (A,): {A: 1.0}, (A, A): {END_ID: 1.0}}
    assert run(scripted(entries), [4], 4, beam=2, exponent=0.0)[0][0] == [END_ID]
    tokens, log_prob = run(scripted(entries), [4], 4, beam=2, exponent=1.0)[0]
    assert tokens == [A, A, END_ID]
    assert log_prob == pytest.approx(math.log(0.36), abs=1e-5)


def test_greedy_stops_when_all_rows_have_ended() -> None:
    script = random_script(1, sentences=4)
    results = run(script, [4, 3, 2, 4], 4)
    assert script.calls == max(len(tokens) for tokens, _ in results)


@pytest.mark.parametrize("beam", [1, 2, 4])
def test_a_row_does_not_depend_on_its_neighbours(beam: int) -> None:
    script = random_script(5, sentences=4)
    limits = [4, 2, 3, 4]
    together = run(script, limits, 4, beam, exponent=0.6)
    for sentence, limit in enumerate(limits):
        alone = Script(script.table[sentence : sentence + 1])
        assert run(alone, [limit], 4, beam, exponent=0.6) == [together[sentence]]


def test_length_penalty_by_hand() -> None:
    assert float(length_penalty(1, 1.0)) == pytest.approx(1.0)
    assert float(length_penalty(7, 1.0)) == pytest.approx(2.0)
    assert float(length_penalty(19, 0.5)) == pytest.approx(2.0)
    assert float(length_penalty(100, 0.0)) == pytest.approx(1.0)
