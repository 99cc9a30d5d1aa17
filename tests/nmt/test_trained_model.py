"""`nmt.load`: run folders and SavedModels in Python programs, what they refuse, and the documentation's examples."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import pytest
from small_translators import Tokenizers, character_tokenizer, make_translator, save_run

import nmt
from nmt import trained_model
from nmt.config import parse_config
from nmt.errors import ConfigError, DataError
from nmt.run_folder import RunFolder
from nmt.seq2seq import Seq2Seq
from nmt.trained_model import TrainedModel, TrainedRun, TrainedSavedModel, load_trained_model
from nmt.translation.lines import Hypothesis, Line, LineTranslator, Translation
from nmt.translation.scoring import Score
from nmt.translation.searcher import Replayer, Searcher
from nmt.translation.translator import load_translator

PAGE = Path(__file__).parents[2] / "docs" / "translation.md"
TEXTS = ["one two", "", "six five four"]


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """No search is compiled: it would take longer than the few lines that are translated."""
    monkeypatch.setattr(Searcher, "run_eagerly", True)
    monkeypatch.setattr(Replayer, "run_eagerly", True)


@pytest.fixture(scope="module")
def run(
    tiny_model: Seq2Seq, tiny_config: Any, tokenizers: Tokenizers, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run folder with the tiny model, which makes at most three tokens."""
    config = tiny_config(model={"attention": "general"}, decoding={"max_length": 3})
    return save_run(tmp_path_factory.mktemp("runs") / "tiny", tiny_model, config, tokenizers)


@pytest.fixture(scope="module")
def model(run: Path) -> TrainedModel:
    """That run, loaded."""
    return nmt.load(str(run))


def texts(translations: Sequence[Translation]) -> list[str]:
    return [translation.text for translation in translations]


# Run folders


def test_a_run_folder_translates_as_its_translator(
    model: TrainedModel, tiny_model: Seq2Seq, tokenizers: Tokenizers
) -> None:
    """With the run's own way to search, and with the attention, which aligns words."""
    expected = list(make_translator(tiny_model, tokenizers, max_length=3).translate(text.encode() for text in TEXTS))
    found = model.translate(TEXTS)
    assert texts(found) == texts(expected) and found[1].text == ""
    assert [one.log_prob for one in found] == pytest.approx([one.log_prob for one in expected], abs=1e-4)
    assert found[0].best.source_pieces == ("▁one", "▁two") and found[0].best.alignment.pairs
    assert model.translate([]) == []


def test_keywords_change_the_search(model: TrainedModel) -> None:
    """None changes nothing."""
    several = model.translate(TEXTS[:1], beam_size=4, n_best=3, samples=None)
    assert len(several[0].hypotheses) == 3
    assert len(model.translate(TEXTS[:1], samples=2, max_length=2)[0].hypotheses) == 2


def test_a_run_describes_itself_alike_whenever_it_is_loaded(run: Path) -> None:
    """A translation that was stopped goes on only where its models are the same; random numbers are no part of them."""
    first, second = load_translator(run), load_translator(run)
    assert first.description == second.description
    second.model.weights[0].assign(second.model.weights[0] + 1e-6)
    assert first.description != second.description


def test_a_search_is_made_once(model: TrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[LineTranslator] = []

    def make(*_: object, **__: object) -> LineTranslator:
        made.append(Scripted())
        return made[-1]

    monkeypatch.setattr(trained_model, "Translator", make)
    for seed in (1, 1, 2):
        model.translate(["one"], beam_size=3, max_length=3, seed=seed)
    assert len(made) == 1
    model.translate(["one"], beam_size=1, max_length=3)
    assert len(made) == 2


def test_searches_in_one_precision_share_a_model(run: Path) -> None:
    loaded = TrainedRun(run)
    translators = [
        loaded._translator({"beam_size": size, "precision": precision})
        for precision in ("float32", "bfloat16")
        for size in (1, 2)
    ]
    models = [translator.model for translator in translators]
    assert models[0] is models[1] is loaded.model and models[2] is models[3] is not loaded.model


def test_prefixes_and_forced_words(model: TrainedModel) -> None:
    found = model.translate(TEXTS, prefixes=["drei", "drei", ""])
    assert found[0].text.startswith("drei") and found[1].text == ""
    forced = model.translate(TEXTS[:1] * 2, forced_words=[["acht"], ["neun", "vier"]])
    assert "acht" in forced[0].text.split() and {"neun", "vier"} <= set(forced[1].text.split())


def test_scores_are_what_translations_have(model: TrainedModel) -> None:
    found = model.translate(TEXTS)
    pieces = [" ".join(one.best.pieces) for one in found]
    scores = model.score(TEXTS, pieces, as_pieces=True)
    assert [one.log_prob for one in scores] == pytest.approx([one.log_prob for one in found], abs=1e-4)
    assert scores[1].log_prob == 0.0
    assert [one.pieces for one in model.score(["one"], ["eins zwei"])] == [("▁eins", "▁zwei")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam": 5}, r"^decoding: decoding\.beam: unknown key.*"),
        ({"beam_sise": 5}, "beam_size"),
        ({"beam_size": 0}, r"decoding\.beam_size: .*greater than or equal to 1"),
        ({"samples": 3, "beam_size": 5}, "samples: expected either sampling or a search with a beam, received beam_si"),
        ({"n_best": 9}, r"n_best: expected at most beam_size \(2\), received 9"),
    ],
)
def test_keywords_that_are_not_possible(model: TrainedModel, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        model.translate(["one"], **options)
    with pytest.raises(ConfigError, match=message):
        model.score(["one"], ["eins"], **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prefixes": "drei"}, "prefixes: expected one for each of the 3 texts, received one string"),
        ({"prefixes": ["drei"]}, "prefixes: expected one for each of the 3 texts, received 1$"),
        ({"prefixes": ["", "", "zwei " * 3]}, r"line 3: expected a prefix of fewer tokens than decoding\.max_length"),
        ({"forced_words": ["acht"]}, "forced_words: expected one for each of the 3 texts, received 1$"),
        ({"forced_words": "abc"}, "forced_words: expected one for each of the 3 texts, received one string"),
        ({"forced_words": ["acht", "", "vier"]}, "forced_words: expected a list of words for each text, received a st"),
        ({"forced_words": [[], [], ["☃"]]}, "forced words: expected words of characters .* received '☃'"),
        (
            {"forced_words": [["zwei"] * 3, [], []]},
            "forced words: expected at most 2 tokens, .* received 3; force fewer",
        ),
        ({"forced_words": [[], [], []], "samples": 2}, "forced words: expected a search for the best translation"),
        ({"beam_size": 43}, "beam_size: expected at most the 42 pieces"),
        ({"language_model": "nowhere"}, r"decoding\.language_model: expected a language model's run folder"),
        ({"ensemble": ["nowhere"]}, r"decoding\.ensemble: expected a run folder, found none at nowhere"),
    ],
)
def test_what_does_not_fit_is_refused(model: TrainedModel, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        model.translate(TEXTS, **options)


def test_strings_instead_of_lists(model: TrainedModel) -> None:
    with pytest.raises(DataError, match=r"expected a list of strings, received one string; write \[text\]"):
        model.translate("one two")
    with pytest.raises(DataError, match=r"expected a list of strings, received one string; write \[text\]"):
        model.score("one", ["eins"])
    with pytest.raises(DataError, match="translations: expected one for each of the 4 texts, received one string"):
        model.score(["a", "b", "c", "d"], "eins")
    with pytest.raises(DataError, match="translations: expected one for each of the 2 texts, received 1"):
        model.score(["one", "two"], ["eins"])


def test_nothing_is_translated_before_all_is_checked(model: TrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def search(*_: object) -> None:
        raise AssertionError("a line was translated")

    monkeypatch.setattr(Searcher, "call", search)
    monkeypatch.setattr(Searcher, "search_with_words", search)
    with pytest.raises(DataError, match="line 3: expected a prefix"):
        model.translate(TEXTS, prefixes=["", "", "zwei " * 3])
    with pytest.raises(DataError, match="received '☃'"):
        model.translate(TEXTS, forced_words=[["acht"], [], ["☃"]])


# What is loaded


def test_checkpoints(run: Path) -> None:
    assert isinstance(nmt.load(run, checkpoint="last"), TrainedRun)
    with pytest.raises(ConfigError, match=r"^checkpoint: expected 'best' or 'last', received 'newest'$"):
        nmt.load(run, checkpoint="newest")


def test_no_model(run: Path, tmp_path: Path) -> None:
    missing = tmp_path / "nothing"
    with pytest.raises(
        DataError, match=f"^{missing}: expected a run folder such as .* or a SavedModel .*, found nothing"
    ):
        nmt.load(missing)
    with pytest.raises(DataError, match="found a file"):
        nmt.load(run / "run.json")


def test_a_run_without_a_checkpoint(tiny_config: Any, tokenizers: Tokenizers, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "new")
    run.create(tiny_config(), "f" * 64, tokenizers)
    with pytest.raises(DataError, match="expected a checkpoint, found none yet; train it first"):
        nmt.load(run.folder)


class Scripted(LineTranslator):
    """Answers in capitals; what it refuses is a SavedModel's."""

    folder = Path("saved_models/small/1")

    def with_seed(self, seed: int) -> LineTranslator:
        return self

    def check_prefix(self, number: int, prefix: str) -> None:
        if prefix:
            raise DataError("a SavedModel takes no prefixes")

    def score(self, pairs: Sequence[tuple[bytes, bytes]]) -> list[tuple[float, bool]]:
        return [(-float(len(source) + len(target)), True) for source, target in pairs]

    def _translate_together(self, lines: list[Line], progress: Any) -> list[Translation]:
        return [Translation((Hypothesis(line.text.decode().upper(), -1.0, -1.0),)) for line in lines]


@pytest.fixture
def saved_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TrainedModel:
    """A folder that is no run, read by a fake."""
    monkeypatch.setattr("nmt.saved_model.load_saved_model", lambda folder: Scripted())
    return load_trained_model(tmp_path)


def test_a_saved_model(saved_model: TrainedModel) -> None:
    assert isinstance(saved_model, TrainedSavedModel)
    assert texts(saved_model.translate(["one", "two"])) == ["ONE", "TWO"]
    assert texts(saved_model.translate(["one"], prefixes=[""], beam_size=None)) == ["ONE"]
    (score,) = saved_model.score(["one"], ["eins"])
    assert score == Score(-7.0, (), (), cut=True)


@pytest.mark.parametrize(
    ("options", "name"), [({"beam_size": 5}, "beam_size"), ({"forced_words": [["a"]]}, "forced_words")]
)
def test_a_saved_model_searches_in_its_own_way(saved_model: TrainedModel, options: dict[str, Any], name: str) -> None:
    message = f"^saved_models/small/1: a SavedModel has its search inside; leave out {name}, or load the run folder$"
    with pytest.raises(DataError, match=message):
        saved_model.translate(["one"], **options)


def test_a_saved_model_scores_text_alone(saved_model: TrainedModel) -> None:
    with pytest.raises(DataError, match="leave out as_pieces, or load the run folder"):
        saved_model.score(["one"], ["▁eins"], as_pieces=True)
    with pytest.raises(DataError, match="expected a list of strings, received one string"):
        saved_model.translate("one")
    with pytest.raises(DataError, match="takes no prefixes"):
        saved_model.translate(["one"], prefixes=["eins"])


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {"keras", "tensorflow", "jax", "numpy", "sentencepiece", "pydantic"}
    code = f"import sys, nmt; print(sorted({heavy} & set(sys.modules)), callable(nmt.load))"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout == "[] True\n"


# The examples


@pytest.fixture
def quickstart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`runs/quickstart` as the examples load it, with random weights, over the characters of their texts."""
    source = character_tokenizer(["The small dog sleeps. I read a book."])
    target = character_tokenizer(["고양이 작은 개가 잔다."])
    sizes = {"cell": "gru", "embedding_size": 8, "encoder_units": 8, "decoder_units": 8, "encoder_layers": 1}
    config = parse_config(
        {
            "name": "quickstart",
            "corpus": {"synthetic": {}},
            "model": {**sizes, "decoder_layers": 1},
            "decoding": {"max_length": 5, "beam_size": 2},
        }
    )
    keras.utils.set_random_seed(2)
    monkeypatch.chdir(tmp_path)
    return save_run(Path("runs/quickstart"), Seq2Seq(config.model, source.size, target.size), config, (source, target))


@pytest.mark.usefixtures("quickstart")
def test_the_example_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    example = re.search(r"\n\n((?:    .*\n|\n)+)", nmt.__doc__ or "")
    assert example is not None
    exec(textwrap.dedent(example[1]), {})
    text, score = capsys.readouterr().out.rstrip("\n").rsplit(" ", 1)
    assert text and float(score) < 0


@pytest.mark.slow
@pytest.mark.usefixtures("quickstart")
def test_the_example_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    """It holds its own assertions; the weights are of no matter to them."""
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(example, {})
    assert len(capsys.readouterr().out.splitlines()) == 3
