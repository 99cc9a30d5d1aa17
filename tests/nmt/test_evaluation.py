"""Evaluation with a scripted translator: what is scored against what, and what is written."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sentencepiece

from nmt import evaluation, run_folder
from nmt.config import Config, DecodingConfig, parse_config
from nmt.errors import DataError
from nmt.evaluation import Report, TextPairs, evaluate, read_split
from nmt.run_folder import RunFolder
from nmt.tokenizer import Tokenizer
from nmt.translation.lines import Hypothesis, Translation

ANSWERS = {"One dog.": "Ein Hund.", "Two cats.": "Zwei Katzen.", "No": "Nein\u2028nein"}


class Scripted:
    """Translates by a table; a line that is not in it gives nothing."""

    def __init__(self, tokenizer: Tokenizer, config: Config) -> None:
        self.source_tokenizer = tokenizer
        self.config = config.decoding

    def translate(self, lines: Iterable[bytes], progress: Callable[[int], None]) -> Iterator[Translation]:
        for line in lines:
            progress(1)
            yield Translation((Hypothesis(ANSWERS.get(line.decode(), ""), 0.0, 0.0),))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """Lower-cases and normalizes; its vocabulary is of no matter."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["one dog two cats no"] * 20),
        model_writer=model,
        model_type="char",
        vocab_size=30,
        hard_vocab_limit=False,
        normalization_rule_name="nmt_nfkc_cf",
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        minloglevel=2,
    )
    return Tokenizer(model.getvalue())


@pytest.fixture
def run(tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run folder with an empty checkpoint, and the scripted translator for it."""
    monkeypatch.chdir(tmp_path)
    config = parse_config({"name": "small", "corpus": {"synthetic": {}}})
    folder = RunFolder(Path("runs/small"))
    folder.create(config, "a" * 64, (tokenizer, tokenizer))
    folder.checkpoint_at(30).mkdir(parents=True)
    monkeypatch.setattr(evaluation, "load_translator", lambda *arguments: Scripted(tokenizer, config))
    return folder


def evaluate_last(run: RunFolder, text: TextPairs) -> Report:
    return evaluate(run.folder, text, checkpoint="last")


def test_scores_by_hand(run: RunFolder) -> None:
    text = TextPairs("test", ["One dog.", "Two cats."], [["Ein Hund.", "Zwei Kater."]])
    scores = evaluate_last(run, text).scores
    assert scores.exact_match.score == 50.0
    assert scores.character_error_rate.score == pytest.approx(100 * 2 / 20)  # Katzen, Kater: no z, and r for n
    assert scores.ter.score == pytest.approx(100 * 1 / 4)
    assert scores.bleu.signature is not None


def test_sources_that_the_model_sees_as_one_share_their_references(run: RunFolder) -> None:
    text = TextPairs("test", ["One dog.", "ＯＮＥ  DOG."], [["Ein Hündchen.", "Ein Hund."]])
    ANSWERS["ＯＮＥ  DOG."] = ANSWERS["One dog."]
    assert evaluate_last(run, text).scores.exact_match.score == 100.0


def test_report_says_what_was_scored_and_how(run: RunFolder) -> None:
    report = evaluate_last(run, TextPairs("validation", ["One dog."], [["Ein Hund."]]))
    path = report.write(run.folder)
    values = json.loads(path.read_text(encoding="utf-8"))
    assert path == run.folder / "report.json"
    assert {
        key: values[key] for key in ("split", "sentences", "checkpoint", "step", "beam_size", "length_penalty")
    } == {
        "split": "validation",
        "sentences": 1,
        "checkpoint": "last",
        "step": 30,
        "beam_size": 5,
        "length_penalty": 0.6,
    }
    assert values["corpus_fingerprint"] == "a" * 64
    assert values["seconds"] >= 0
    assert values["lines_per_second"] > 0
    for key in ("bleu", "chrf", "ter"):
        assert values[key].keys() == {"score", "signature"}
    for key in ("exact_match", "character_error_rate"):
        assert values[key].keys() == {"score"}


def test_report_names_the_language_model_that_had_a_vote(run: RunFolder) -> None:
    report = evaluate_last(run, TextPairs("test", ["One dog."], [["Ein Hund."]]))
    assert "language model" not in report.title and report.as_dict()["decoding"] == {}
    decoding = report.decoding.model_copy(update={"language_model": "runs/german", "language_model_weight": 0.25})
    fused = replace(report, decoding=decoding)
    assert "length penalty 0.6, language model runs/german of weight 0.25; " in fused.title
    assert fused.as_dict()["decoding"] == {"language_model": "runs/german", "language_model_weight": 0.25}


@pytest.mark.parametrize(
    ("decoding", "title"),
    [
        ({"samples": 20, "seed": 3}, "20 samples, temperature 1, seed 3; "),
        (
            {"samples": 9, "temperature": 0.5, "minimum_bayes_risk": True},
            "temperature 0.5, seed 1, minimum Bayes risk; ",
        ),
        ({"n_best": 4, "minimum_bayes_risk": True}, "length penalty 0.6, minimum Bayes risk of the 4 best; "),
        ({"ensemble": ["runs/b", "runs/c"]}, "beam 5, length penalty 0.6, ensemble of 3; "),
        ({"precision": "bfloat16"}, "beam 5, length penalty 0.6, bfloat16; "),
        ({"shortlist": 1024, "lookahead": 5}, "length penalty 0.6, shortlist of 1,024, lookahead 5; "),
    ],
)
def test_report_says_how_translations_were_searched(run: RunFolder, decoding: dict[str, Any], title: str) -> None:
    report = evaluate_last(run, TextPairs("test", ["One dog."], [["Ein Hund."]]))
    changed = replace(report, decoding=DecodingConfig(**decoding))
    assert title in changed.title
    assert changed.as_dict()["decoding"] == decoding


def test_translations_are_one_line_each(run: RunFolder) -> None:
    text = TextPairs("test", ["No", "unknown", "One dog."], [["Nein nein", "?", "Ein Hund."]])
    report = evaluate_last(run, text)
    report.write(run.folder)
    lines = (run.folder / "translations-test.txt").read_text(encoding="utf-8").split("\n")
    assert lines == ["Nein nein", "", "Ein Hund.", ""]
    assert report.scores.exact_match.score == pytest.approx(200 / 3)  # scored as written
    assert not list(run.folder.glob(".tmp-*"))


def test_any_of_several_references_is_right(run: RunFolder) -> None:
    files = {"source": "a/test.en.gz", "references": ["a/1.de", "a/2.de"]}
    references = [["Ein Hund.", "Zwei Kater."], ["Ein Hündchen.", "Zwei Katzen."]]
    report = evaluate_last(run, TextPairs("test.en.gz", ["One dog.", "Two cats."], references, files))
    values: dict[str, Any] = report.as_dict()
    assert "split" not in values
    assert (values["files"], values["sentences"]) == (files, 2)
    assert {key: values[key]["score"] for key in ("exact_match", "character_error_rate", "ter")} == {
        "exact_match": 100.0,
        "character_error_rate": 0.0,
        "ter": 0.0,
    }
    assert values["bleu"]["signature"].startswith("nrefs:2|")
    report.write(run.folder)
    assert (run.folder / "translations-test.en.txt").read_text(encoding="utf-8") == "Ein Hund.\nZwei Katzen.\n"


def test_progress_counts_every_line(run: RunFolder) -> None:
    counts: list[int] = []
    text = TextPairs("test", ["One dog.", "Two cats."], [["Ein Hund.", "Zwei Katzen."]])
    evaluate(run.folder, text, "last", progress=counts.append)
    assert sum(counts) == 2


class Corpus:
    """A prepared corpus with one fingerprint and one pair."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder
        self.fingerprint = fingerprint

    def text(self, part: str) -> tuple[list[str], list[str]]:
        return [f"{part} source"], [f"{part} target"]


def test_split_comes_from_the_run_s_corpus(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("prepared/small").mkdir(parents=True)
    monkeypatch.setattr(run_folder, "PreparedCorpus", lambda folder: Corpus(folder, "a" * 64))
    assert read_split(run, "test") == TextPairs("test", ["test source"], [["test target"]])


def test_split_of_another_corpus_is_refused(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("prepared/small").mkdir(parents=True)
    monkeypatch.setattr(run_folder, "PreparedCorpus", lambda folder: Corpus(folder, "b" * 64))
    with pytest.raises(DataError) as error:
        read_split(run, "test")
    assert "corpus aaaaaaaaaaaa..., but prepared/small is now bbbbbbbbbbbb..." in str(error.value)
    assert "--source and --reference" in str(error.value)


def test_split_without_a_corpus_says_where_it_looked(run: RunFolder) -> None:
    with pytest.raises(DataError) as error:
        read_split(run, "test")
    assert f"in {Path('prepared/small').resolve()}, found nothing" in str(error.value)
    assert "(runs/small/config.json), or name files with --source and --reference" in str(error.value)


def test_split_of_an_unfinished_corpus(run: RunFolder) -> None:
    Path("prepared/small").mkdir(parents=True)
    with pytest.raises(DataError, match="run nmt prepare first"):
        read_split(run, "test")
