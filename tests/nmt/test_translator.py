"""Translation with a model in memory: odd lines, batches, figures, n-best lists, samples. The weights are random."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from small_translators import Tokenizers, log_probs_of, make_translator

from nmt.config import DecodingConfig
from nmt.errors import DataError
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import END_ID
from nmt.translation import lines as translation
from nmt.translation.lines import Hypothesis, Line, Translation
from nmt.translation.minimum_bayes_risk import expected_utilities
from nmt.translation.searcher import Searcher
from nmt.translation.translator import Found, Sentence, Translator

LINES = [b"one", b"one two three", b"", b"nine eight", b"   ", b"six five four", b"two", b"seven zero", b"one"]
TEXTS = [b"one two", b"nine", b"six five four"]
CONFIG = DecodingConfig(
    beam_size=2, max_length=8, max_length_ratio=0.1, batch_size=3, max_source_tokens=12, max_source_bytes=40
)
NOTHING = Translation((Hypothesis("", 0.0, 0.0),))


@pytest.fixture(scope="module")
def traced() -> Iterator[list[tuple[int | None, ...]]]:
    """A list that gets the shape of the source whenever a search is traced."""
    traces: list[tuple[int | None, ...]] = []
    original = Searcher.call

    @functools.wraps(original)
    def counted(self: Searcher, inputs: Any) -> Any:
        traces.append(tuple(inputs["source_ids"][0].shape))
        return original(self, inputs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Searcher, "call", counted)
        yield traces


@pytest.fixture(scope="module")
def translator(traced: list[tuple[int | None, ...]], tiny_model: Seq2Seq, tokenizers: Tokenizers) -> Translator:
    """One compiled search for all tests of this module."""
    return Translator(tiny_model, *tokenizers, CONFIG)


@pytest.fixture
def alone(translator: Translator, monkeypatch: pytest.MonkeyPatch) -> dict[bytes, Translation]:
    """Each line translated in a batch of its own."""
    with monkeypatch.context() as patch:
        patch.setattr(translator, "config", CONFIG.model_copy(update={"batch_size": 1}))
        return {line: next(translator.translate([line])) for line in set(LINES)}


def close(first: Translation, second: Translation) -> bool:
    return (first.text, first.cut) == (second.text, second.cut) and abs(first.log_prob - second.log_prob) < 1e-4


def sentences(translator: Translator, *texts: str) -> list[Sentence]:
    return translator.read([Line(text.encode()) for text in texts])


# Lines and batches


@pytest.mark.thorough
def test_order_and_neighbours_do_not_matter(translator: Translator, alone: dict[bytes, Translation]) -> None:
    """Batches of three, sorted by length, give each line what it gets alone, in the lines' order."""
    assert len({alone[line].log_prob for line in LINES}) >= 6  # the lines can be told apart
    together = list(translator.translate(LINES))
    assert all(close(found, alone[line]) for line, found in zip(LINES, together, strict=True))


def test_windows_are_sorted_apart(
    translator: Translator, alone: dict[bytes, Translation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translation, "LINES_AT_ONCE", 4)
    found = list(translator.translate(iter(LINES)))
    assert all(close(one, alone[line]) for line, one in zip(LINES, found, strict=True))


def test_random_batchings_with_a_long_line_among_them(translator: Translator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long line makes its batch wide, and no other line notices."""
    generator = np.random.default_rng(1)
    junk = generator.bytes(4096).replace(b"\n", b"")
    pool = [*dict.fromkeys(LINES), b"three", b"four four", b"one one one one", junk]
    single = {"batch_size": 1, "max_source_tokens": 200, "max_source_bytes": 4096}
    monkeypatch.setattr(translator, "config", CONFIG.model_copy(update=single))
    expected = {line: next(translator.translate([line])) for line in pool}
    for count in (64, 17, 1):
        monkeypatch.setattr(translator, "config", CONFIG.model_copy(update={**single, "batch_size": 64}))
        lines = [junk, *(pool[i] for i in generator.integers(len(pool), size=count - 1))]
        generator.shuffle(lines)
        found = list(translator.translate(lines))
        assert all(close(one, expected[line]) for line, one in zip(lines, found, strict=True))


def test_lines_without_tokens(translator: Translator) -> None:
    assert list(translator.translate([b"", b"  \t "])) == [NOTHING] * 2
    assert list(translator.translate([])) == []


def test_progress_counts_every_line(translator: Translator) -> None:
    counts: list[int] = []
    list(translator.translate(LINES, counts.append))
    assert sum(counts) == len(LINES)
    assert counts == [2, 3, 3, 1]  # two without tokens, seven in batches of three


def test_long_lines_are_cut(translator: Translator) -> None:
    """By tokens, 12 at most, or by bytes, 40 at most; the rest of the line does not count."""
    by_tokens, by_bytes = b"x" * 30, b"one two" + b" " * 60 + b"three"
    found = list(translator.translate([by_tokens, by_bytes, b"one two", b"one two" + b" " * 33, b" " * 41]))
    assert [one.cut for one in found[1:]] == [True, False, False, True]
    assert close(found[3], found[2])
    assert found[1].text == found[2].text and found[1].log_prob == pytest.approx(found[2].log_prob, abs=1e-4)
    many = b"0" + b"7z" * 19
    assert len(translator.source_tokenizer.encode(many.decode())) > 12
    assert next(translator.translate([many])).cut


def test_bytes_that_are_no_utf8(translator: Translator) -> None:
    found = list(translator.translate([b"one \xff", "one \ufffd".encode()]))
    assert close(found[0], found[1])


def test_texts(translator: Translator, alone: dict[bytes, Translation]) -> None:
    assert translator.translate_texts(["one", "", "two"]) == [alone[b"one"].text, "", alone[b"two"].text]


def test_a_line_alone_has_a_graph_and_batches_of_all_sizes_have_another(
    tiny_model: Seq2Seq, tokenizers: Tokenizers, traced: list[tuple[int | None, ...]]
) -> None:
    """No length and no number of lines costs a graph of its own."""
    translator, before = Translator(tiny_model, *tokenizers, CONFIG), len(traced)
    for length in range(1, 40, 3):
        translator.search([Sentence("", ([5] * length,))] * (1 + length % 4))
    assert set(traced[before:]) == {(1, None), (None, None)}
    assert len(traced[before:]) == 2


# Figures


def test_log_probability_is_the_models_own(translator: Translator, tiny_model: Seq2Seq) -> None:
    """The search's log-probability equals that of its own answer, read at once."""
    read = sentences(translator, "one two", "nine", "six five")
    for sentence, (found,) in zip(read, translator.search(read), strict=True):
        expected = log_probs_of(tiny_model, sentence.sources[0], found.token_ids)
        assert found.log_prob == pytest.approx(expected.sum(), abs=1e-4)
        assert found.score == pytest.approx(expected.sum() / ((5 + len(expected)) / 6) ** 0.6, abs=1e-4)


def test_limits_follow_the_source_and_the_maximum(translator: Translator) -> None:
    """The untrained model hardly ends by itself: max_length 8 cuts all, the end of sentence included."""
    ((found,),) = translator.search(sentences(translator, "one two three"))
    assert len(found.token_ids) <= 7


def test_a_hypothesis_has_its_pieces(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    for one in make_translator(tiny_model, tokenizers).translate(TEXTS):
        assert one.best.pieces and tokenizers[1].decode_pieces(one.best.pieces) == one.text
        assert one.best.attention is None and one.best.source_pieces == ()


# N-best lists


def test_n_best(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    """Different hypotheses, best first, each with its own figures; the first is what is found alone."""
    several = list(make_translator(tiny_model, tokenizers, beam_size=4, n_best=3).translate(TEXTS))
    for one, best in zip(several, make_translator(tiny_model, tokenizers, beam_size=4).translate(TEXTS), strict=True):
        assert one.best == best.best
        assert len({hypothesis.pieces for hypothesis in one.hypotheses}) == 3
        scores = [hypothesis.score for hypothesis in one.hypotheses]
        assert scores == sorted(scores, reverse=True)
        for hypothesis in one.hypotheses:
            length = len(hypothesis.pieces) + 1
            assert hypothesis.score == pytest.approx(hypothesis.log_prob / ((5 + length) / 6) ** 0.6, abs=1e-4)


def test_fewer_than_n_best_where_there_are_no_more(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    """One token at most: that is the end of sentence, and nothing else can be said."""
    (found,) = make_translator(tiny_model, tokenizers, beam_size=3, n_best=3, max_length=1).translate([b"one"])
    assert [one.text for one in found.hypotheses] == [""]


def test_a_beam_as_wide_as_the_vocabulary(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    """44 pieces, two of which are never chosen."""
    (found,) = make_translator(tiny_model, tokenizers, beam_size=42, n_best=42, max_length=3).translate([b"one"])
    assert len({one.pieces for one in found.hypotheses}) == 42
    with pytest.raises(DataError, match=r"beam_size: expected at most the 42 pieces .* received 43; take a smaller"):
        make_translator(tiny_model, tokenizers, beam_size=43)


# Sampling


def sampled(translator: Translator, lines: Sequence[bytes], first_line: int = 0) -> list[list[str]]:
    found = translator.translate(lines, first_line=first_line)
    return [[hypothesis.text for hypothesis in one.hypotheses] for one in found]


@pytest.fixture(scope="module")
def sampling(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> Translator:
    """Four samples of each line."""
    return make_translator(tiny_model, tokenizers, samples=4, seed=7, batch_size=3)


@pytest.mark.slow
def test_the_same_seed_draws_the_same(sampling: Translator, tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    expected = sampled(sampling, TEXTS)
    assert [len(set(of)) for of in expected] == [4, 4, 4]  # they differ
    assert sampled(make_translator(tiny_model, tokenizers, samples=4, seed=7, batch_size=1), TEXTS) == expected
    other = sampled(make_translator(tiny_model, tokenizers, samples=4, seed=8), TEXTS)
    assert all(set(ours).isdisjoint(theirs) for ours, theirs in zip(expected, other, strict=True))


@pytest.mark.thorough
def test_samples_depend_on_the_lines_number_and_on_no_neighbour(sampling: Translator) -> None:
    expected = sampled(sampling, TEXTS)
    assert sampled(sampling, TEXTS[2:], first_line=2) == expected[2:]
    changed = sampled(sampling, [b"seven seven seven seven", TEXTS[1], b""])
    assert changed[1] == expected[1]
    assert changed[2] == [""]
    assert set(sampled(sampling, TEXTS[2:], first_line=3)[0]).isdisjoint(expected[2])


@pytest.mark.slow
def test_samples_have_the_models_own_log_probability(sampling: Translator, tiny_model: Seq2Seq) -> None:
    read = sampling.read([Line(b"one two", 5)])
    (samples,) = sampling.search(read)
    for found in samples:
        expected = log_probs_of(tiny_model, read[0].sources[0], found.token_ids).sum()
        assert found.log_prob == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
def test_temperature_zero_is_greedy_search(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    cold = sampled(make_translator(tiny_model, tokenizers, samples=2, temperature=0.0), TEXTS)
    greedy = make_translator(tiny_model, tokenizers, beam_size=1).translate(TEXTS)
    assert cold == [[one.text] * 2 for one in greedy]


# Minimum Bayes risk


def test_minimum_bayes_risk_puts_the_most_typical_first(
    tiny_model: Seq2Seq, tokenizers: Tokenizers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What two of three say comes first, and what has half of it in common comes before what has nothing."""
    translator = make_translator(tiny_model, tokenizers, samples=4, minimum_bayes_risk=True)
    texts = ["acht", "eins drei", "eins zwei", "eins zwei"]
    found = [Found(tokenizers[1].encode(text), -1.0 - i, -1.0 - i) for i, text in enumerate(texts)]
    monkeypatch.setattr(translator, "search", lambda batch: [found for _ in batch])
    (chosen,) = translator.translate([b"one"])
    assert [one.text for one in chosen.hypotheses] == ["eins zwei", "eins zwei", "eins drei", "acht"]
    assert [one.log_prob for one in chosen.hypotheses] == [-3.0, -4.0, -2.0, -1.0]  # each with its own figures


@pytest.mark.slow
def test_minimum_bayes_risk_over_samples_and_over_n_best(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    """The same hypotheses in another order: their expected utility falls."""
    searches: list[dict[str, Any]] = [{"samples": 5}, {"beam_size": 5, "n_best": 5}]
    for settings in searches:
        plain = make_translator(tiny_model, tokenizers, **settings).translate(TEXTS)
        chosen = make_translator(tiny_model, tokenizers, minimum_bayes_risk=True, **settings).translate(TEXTS)
        for before, after in zip(plain, chosen, strict=True):
            assert sorted(one.text for one in before.hypotheses) == sorted(one.text for one in after.hypotheses)
            utilities = expected_utilities([one.text for one in after.hypotheses])
            assert utilities == sorted(utilities, reverse=True) and utilities[0] > utilities[-1]


def test_end_of_sentence_is_no_piece(translator: Translator) -> None:
    ((found,),) = translator.search(sentences(translator, "one"))
    assert END_ID not in found.token_ids
