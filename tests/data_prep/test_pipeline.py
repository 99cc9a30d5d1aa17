from __future__ import annotations

import fcntl
import gzip
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from data_prep import pipeline
from data_prep.pipeline import Preparation, prepare
from data_prep.report import preparation_table
from data_prep.stages import Stage
from nmt.config import Config, parse_config
from nmt.corpus import PreparedCorpus
from nmt.errors import DataError

Pairs = list[tuple[str, str]]
WriteTsv = Callable[[str, Pairs], Path]
Configure = Callable[..., Config]

HARD = [
    ("", ""),
    (" two  spaces ", "tab-free"),
    ("ﬁne\u2028line", "nul\0"),
    ("한글 👩‍👩‍👧", "\u200b"),
    ("the dog", "\r"),
]


@pytest.fixture(autouse=True)
def corpus_files(write_tsv: WriteTsv, animals: Pairs) -> None:
    """Training part: 60 animals, of which two held out, and eight more lines, one dropped by each stage."""
    dirty = [
        ("the \x07 dog", "Hund"),
        ("", "leer"),
        ("a" * 1_001, "b" * 1_001),
        ("lopsided" * 20, "x"),
        ("same", "same"),
        animals[7],
        ("dog cat " * 8, "Hund Katze"),
        ("the grey cat", "graue Katze"),
    ]
    write_tsv("train.tsv", animals + dirty)
    write_tsv("validation.tsv", [animals[3], ("the blue dog", "Hund blau"), ("the blue dog", "Hund blau")])
    write_tsv("test.tsv", [animals[5]])


def run(config: Config, folder: Path) -> tuple[Preparation, list[str]]:
    lines: list[str] = []
    return prepare(config, folder, lines.append), lines


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def table_rows(preparation: Preparation) -> list[list[str]]:
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(preparation_table(preparation))
    return [line.split() for line in re.sub("[│┃]", " ", console.export_text()).splitlines()]


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.parent.iterdir() if path.name.startswith(".")]


def test_the_whole_way(tmp_path: Path, tsv_config: Configure, animals: Pairs) -> None:
    preparation, lines = run(tsv_config(filters={"max_tokens": 60}), tmp_path / "corpus")
    assert (preparation.fresh, preparation.changed) == (True, [])
    assert lines[0] == "read 68 train, 3 validation, 1 test pairs"
    assert not any("warning" in line for line in lines)  # small, but the user's own files
    assert preparation.stages == [
        Stage("read", 68, 0),
        Stage("control_characters", 67, 1),
        Stage("empty", 66, 1),
        Stage("max_characters", 65, 1),
        Stage("max_length_ratio", 64, 1),
        Stage("identical", 63, 1),
        Stage("duplicates", 62, 1),
        Stage("held_out", 60, 2),
        Stage("max_tokens", 59, 1),
    ]
    corpus = PreparedCorpus(tmp_path / "corpus")
    source, target = corpus.tokenizers()
    kept = [pair for number, pair in enumerate(animals) if number not in (3, 5)] + [("the grey cat", "graue Katze")]
    assert list(zip(*corpus.text("train"), strict=True)) == kept
    tokens = corpus.tokens("train")
    for row, pair in enumerate(kept):
        assert tokens.source[row].tolist() == source.encode(pair[0])
        assert tokens.target[row].tolist() == target.encode(pair[1])
    parts = corpus.manifest["parts"]
    assert [parts[part]["pairs"] for part in ("train", "validation", "test")] == [59, 3, 1]
    assert parts["train"]["source_tokens"] == int(tokens.source.lengths.sum())
    assert corpus.manifest["vocabulary"] == {"source": source.size, "target": target.size}
    assert corpus.manifest["inputs"]["train.tsv"]["lines"] == 68
    assert preparation.coverage["target"] == {"train": 1.0, "validation": 1.0, "test": 1.0}
    assert hidden(tmp_path / "corpus") == []


def test_the_table_says_what_was_kept_and_covered(tmp_path: Path, tsv_config: Configure) -> None:
    preparation, _ = run(tsv_config(), tmp_path / "corpus")
    rows = table_rows(preparation)
    assert ["corpus", "pairs", "share"] not in rows
    assert ["held", "out", "60", "2"] in rows
    assert [row[:3] for row in rows if row[-1:] == ["100.00%"]].count(["validation", "source", "3"]) == 1


def test_a_mixture_is_one_training_part_in_the_order_of_its_corpora(
    tmp_path: Path, tsv_config: Configure, animals: Pairs, write_tsv: WriteTsv
) -> None:
    """Web: 20 animals, of which two held out; news: one of them again and 30 others; test: an over-long pair and 10."""
    long = ("dog cat " * 8, "Hund Katze")
    write_tsv("web.tsv", animals[:20])
    write_tsv("news.tsv", [animals[0], *animals[20:50]])
    write_tsv("more.tsv", [long, *animals[50:]])
    mixture = {"web": {"tsv": "web.tsv"}, "news": {"tsv": "news.tsv"}, "test": {"tsv": "more.tsv"}}
    config = tsv_config(train=None, mixture=mixture, filters={"max_tokens": 60})
    preparation, lines = run(config, tmp_path / "corpus")
    assert lines[0] == "read 20 mixture.web, 31 mixture.news, 11 mixture.test, 3 validation, 1 test pairs"
    stages = {stage.name: stage.dropped for stage in preparation.stages if stage.dropped}
    assert stages == {"duplicates": 1, "held_out": 2, "max_tokens": 1}
    corpus = PreparedCorpus(tmp_path / "corpus")
    kept = [pair for number, pair in enumerate(animals) if number not in (3, 5)]
    assert list(zip(*corpus.text("train"), strict=True)) == kept
    assert list(corpus.mixture.items()) == [("web", 18), ("news", 30), ("test", 10)]
    assert [entry.get("lines") for entry in corpus.manifest["inputs"].values()] == [20, 31, 11, 3, 1]
    rows = table_rows(preparation)
    assert ["web", "18", "31.03%"] in rows and ["test", "10", "17.24%"] in rows
    assert run(config, tmp_path / "corpus")[0].fresh is False


def test_a_file_may_stand_twice_in_a_mixture(tmp_path: Path, tsv_config: Configure, animals: Pairs) -> None:
    mixture = {"b": {"tsv": "train.tsv"}, "a": {"tsv": "train.tsv"}}
    preparation, lines = run(tsv_config(train=None, mixture=mixture), tmp_path / "once")
    assert PreparedCorpus(tmp_path / "once").mixture == {"b": 60, "a": 0}
    assert lines[-1].startswith(
        "warning: corpus.mixture.a: no pair is left; see corpus.filters, and whether an earlier"
    )
    alone, _ = run(tsv_config(), tmp_path / "alone")
    assert contents(tmp_path / "once")["train.arrow"] == contents(tmp_path / "alone")["train.arrow"]
    assert PreparedCorpus(tmp_path / "alone").mixture == {}
    assert preparation.fingerprint != alone.fingerprint
    run(tsv_config(train=None, mixture=mixture, filters={"duplicates": False}), tmp_path / "twice")
    assert PreparedCorpus(tmp_path / "twice").mixture == {"b": 61, "a": 61}


def test_a_mixture_is_split_as_one(tmp_path: Path, tsv_config: Configure, animals: Pairs, write_tsv: WriteTsv) -> None:
    """A pair's side hangs on its source alone, so a mixture's split is that of the same pairs in one file."""
    write_tsv("a.tsv", animals[:40])
    write_tsv("b.tsv", animals[40:])
    write_tsv("train.tsv", animals)
    mixture = {"z": {"tsv": "a.tsv"}, "a": {"tsv": "b.tsv"}}
    split = {"validation": None, "test": None, "split": {"validation": 0.1, "test": 0.2}}
    run(tsv_config(train=None, mixture=mixture, **split), tmp_path / "mixed")
    run(tsv_config(**split), tmp_path / "one")
    mixed, one = PreparedCorpus(tmp_path / "mixed"), PreparedCorpus(tmp_path / "one")
    assert all(mixed.text(part) == one.text(part) for part in ("train", "validation", "test"))
    assert sum(mixed.mixture.values()) == len(mixed.text("train")[0]) < 60


def test_an_error_names_the_file_of_a_mixture(tmp_path: Path, tsv_config: Configure) -> None:
    (tmp_path / "bad.tsv").write_bytes(b"good\tgut\nbad\n")
    mixture = {"good": {"tsv": "train.tsv"}, "bad": {"tsv": "bad.tsv"}}
    with pytest.raises(DataError, match=r"bad\.tsv: line 2: expected source, one tab, target"):
        run(tsv_config(train=None, mixture=mixture), tmp_path / "corpus")
    with pytest.raises(DataError, match=r"absent\.tsv: no such file; correct its name or corpus\.root"):
        run(tsv_config(train=None, mixture=mixture | {"bad": {"tsv": "absent.tsv"}}), tmp_path / "corpus")


def test_parallel_gzip_files_give_the_same_corpus(tmp_path: Path, tsv_config: Configure) -> None:
    for side, name in enumerate(("train.en", "train.de")):
        lines = (tmp_path / "train.tsv").read_text().splitlines()
        (tmp_path / name).write_bytes(gzip.compress("".join(line.split("\t")[side] + "\n" for line in lines).encode()))
    first, _ = run(tsv_config(), tmp_path / "a")
    second, _ = run(tsv_config(train={"source": "train.en", "target": "train.de"}), tmp_path / "b")
    assert first.fingerprint == second.fingerprint


def test_validation_and_test_text_stays_as_it_is(tmp_path: Path, tsv_config: Configure, write_tsv: WriteTsv) -> None:
    write_tsv("validation.tsv", HARD)
    write_tsv("test.tsv", HARD * 2)
    run(tsv_config({"minimum_coverage": 0.0}), tmp_path / "corpus")
    corpus = PreparedCorpus(tmp_path / "corpus")
    expected = [(source, target.rstrip("\r")) for source, target in HARD]  # the last one ended its line with \r\n
    assert list(zip(*corpus.text("validation"), strict=True)) == expected
    assert list(zip(*corpus.text("test"), strict=True)) == expected * 2
    assert len(corpus.tokens("test")) == 10


def test_missing_parts_are_split_off(tmp_path: Path, tsv_config: Configure) -> None:
    config = tsv_config(validation=None, test=None, split={"validation": 0.1, "test": 0.2})
    preparation, lines = run(config, tmp_path / "corpus")
    assert [line.partition(" part has ")[0] for line in lines[-2:]] == ["warning: the validation", "warning: the test"]
    assert lines[-1].endswith("noise; raise corpus.split.test, or name its files in corpus.test")
    corpus = PreparedCorpus(tmp_path / "corpus")
    sources = {part: set(corpus.text(part)[0]) for part in ("train", "validation", "test")}
    assert not sources["train"] & sources["test"] and not sources["train"] & sources["validation"]
    (split,) = [stage for stage in preparation.stages if stage.name == "split"]
    assert split.dropped == len(sources["validation"]) + len(sources["test"])
    assert split.kept == len(sources["train"]) == 62 - split.dropped


def test_a_generated_corpus(tmp_path: Path) -> None:
    synthetic = {"train": 60, "validation": 8, "test": 5}
    subword = {"model": "char", "vocabulary_size": 1_000, "minimum_coverage": 0.5}
    config = parse_config({"name": "small", "corpus": {"synthetic": synthetic}, "subword": subword})
    preparation, _ = run(config, tmp_path / "corpus")
    assert [counts["pairs"] for counts in preparation.manifest["parts"].values()] == [60, 8, 5]
    assert run(config, tmp_path / "corpus")[0].fresh is False


def test_a_second_run_does_nothing(tmp_path: Path, tsv_config: Configure) -> None:
    folder = tmp_path / "corpus"
    first, _ = run(tsv_config(), folder)
    before = snapshot(folder)
    second, lines = run(tsv_config(), folder)
    assert lines == [f"{folder}: up to date"]
    assert (second.fresh, second.changed, second.manifest) == (False, [], first.manifest)
    assert snapshot(folder) == before


@pytest.mark.parametrize("model", ["char", "unigram", "bpe"])
def test_two_runs_are_equal_to_the_byte(tmp_path: Path, tsv_config: Configure, model: str) -> None:
    config = tsv_config({"model": model, "vocabulary_size": 45})
    first, second = (run(config, tmp_path / name)[0] for name in ("a", "b"))
    assert first.fingerprint == second.fingerprint
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert set(contents(tmp_path / "a")) == pipeline.CORPUS_FILES


def test_a_changed_setting_is_named_and_prepared_anew(tmp_path: Path, tsv_config: Configure) -> None:
    folder = tmp_path / "corpus"
    run(tsv_config(), folder)
    preparation, lines = run(tsv_config(filters={"duplicates": False}), folder)
    assert preparation.changed == ["corpus.filters.duplicates: True -> False"]
    assert lines[0] == "changed: corpus.filters.duplicates: True -> False"
    assert "duplicates" not in [stage.name for stage in preparation.stages]
    assert preparation.manifest == PreparedCorpus(folder).manifest


def test_a_changed_input_is_named_and_prepared_anew(tmp_path: Path, tsv_config: Configure, write_tsv: WriteTsv) -> None:
    run(tsv_config(), tmp_path / "corpus")
    write_tsv("test.tsv", [("the cat", "Katze")])
    preparation, _ = run(tsv_config(), tmp_path / "corpus")
    assert preparation.changed == ["test.tsv: its content has changed"]
    assert PreparedCorpus(tmp_path / "corpus").text("test") == (["the cat"], ["Katze"])


@pytest.mark.parametrize("name", ["train.arrow", "validation.parquet", "source.model", "manifest.json"])
def test_a_damaged_file_is_named_and_made_anew(tmp_path: Path, tsv_config: Configure, name: str) -> None:
    folder = tmp_path / "corpus"
    run(tsv_config(), folder)
    before = contents(folder)
    (folder / name).write_bytes(before[name][:-9])
    preparation, _ = run(tsv_config(), folder)
    assert preparation.fresh and name in preparation.changed[0]
    assert contents(folder) == before


def test_a_failed_run_leaves_the_old_corpus_whole(
    tmp_path: Path, tsv_config: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "corpus"
    run(tsv_config(), folder)
    before = snapshot(folder)
    with pytest.raises(DataError, match=r"subword\.vocabulary_size"):
        run(tsv_config({"model": "bpe", "vocabulary_size": 9_999}), folder)
    monkeypatch.setattr(pipeline, "_encode", lambda *_: os.open("/nowhere/at/all", os.O_RDONLY))
    with pytest.raises(DataError, match=r"corpus: cannot be written .* free disk space"):
        run(tsv_config({"vocabulary_size": 90}), folder)
    assert snapshot(folder) == before
    assert hidden(folder) == []


def test_a_killed_run_leaves_the_old_corpus_and_is_swept(tmp_path: Path, tsv_config: Configure) -> None:
    folder = tmp_path / "corpus"
    run(tsv_config(), folder)
    before = snapshot(folder)
    changed = tsv_config({"vocabulary_size": 90})
    script = f"""
import os, signal
from pathlib import Path
from data_prep.pipeline import prepare
from nmt.config import Config
config = Config.model_validate_json({changed.model_dump_json()!r})
def report(line):
    if line == "encoding":
        os.kill(os.getpid(), signal.SIGKILL)
prepare(config, Path({str(folder)!r}), report)
"""
    killed = subprocess.run([sys.executable, "-c", script], cwd=Path(pipeline.__file__).parents[1], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(hidden(folder)) == 1
    assert snapshot(folder) == before
    assert run(changed, folder)[0].fresh
    assert hidden(folder) == []


def test_a_run_killed_between_its_renames_gives_the_old_corpus_back(tmp_path: Path, tsv_config: Configure) -> None:
    folder = tmp_path / "corpus"
    run(tsv_config(), folder)
    folder.rename(tmp_path / ".corpus.old-7-0a")
    assert run(tsv_config(), folder)[0].fresh is False
    (tmp_path / ".corpus.old-7-0b").mkdir()
    run(tsv_config(), folder)
    assert hidden(folder) == []


def test_the_folder_of_a_run_at_work_is_left_alone(tmp_path: Path, tsv_config: Configure) -> None:
    at_work = tmp_path / ".corpus.tmp-7-0a"
    at_work.mkdir()
    descriptor = os.open(at_work, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    run(tsv_config(), tmp_path / "corpus")
    assert hidden(tmp_path / "corpus") == [at_work.name]
    os.close(descriptor)
    run(tsv_config(), tmp_path / "corpus")
    assert hidden(tmp_path / "corpus") == []


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path, tsv_config: Configure) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "thesis.tex").write_text("years of work")
    with pytest.raises(DataError, match=r"expected a prepared corpus or no folder, found 'thesis\.tex'"):
        run(tsv_config(), tmp_path / "corpus")
    (tmp_path / "corpus" / "thesis.tex").unlink()
    preparation, _ = run(tsv_config(), tmp_path / "corpus")
    assert (preparation.fresh, preparation.changed) == (True, [])


def test_a_link_keeps_pointing_at_the_corpus(tmp_path: Path, tsv_config: Configure) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "corpus").symlink_to(tmp_path / "disk")
    run(tsv_config(), tmp_path / "corpus")
    assert (tmp_path / "corpus").is_symlink() and (tmp_path / "disk" / "manifest.json").is_file()


def test_an_empty_training_part_names_the_greediest_filter(tmp_path: Path, tsv_config: Configure) -> None:
    with pytest.raises(DataError, match=r"none of 68 is left; 'max_characters' dropped the most \(66\)"):
        run(tsv_config(filters={"max_characters": 1}), tmp_path / "corpus")
    with pytest.raises(DataError, match=r"none of 68 is left; 'max_tokens' dropped the most \(60\)"):
        run(tsv_config(filters={"max_tokens": 1}), tmp_path / "corpus")
    assert not (tmp_path / "corpus").exists()


@pytest.mark.parametrize(("part", "rest"), [("validation", "test"), ("test", "validation")])
def test_a_split_without_pairs_is_refused(tmp_path: Path, tsv_config: Configure, part: str, rest: str) -> None:
    config = tsv_config(**{part: None}, split={part: 0.0})
    with pytest.raises(DataError, match=rf"the {part} part has no pairs; raise corpus\.split\.{part}, or name"):
        run(config, tmp_path / "corpus")


def test_an_empty_validation_file_is_refused(tmp_path: Path, tsv_config: Configure) -> None:
    (tmp_path / "validation.tsv").write_bytes(b"")
    with pytest.raises(DataError, match=r"validation\.tsv: expected at least one line, received an empty file"):
        run(tsv_config(), tmp_path / "corpus")


def test_too_little_coverage_stops(tmp_path: Path, tsv_config: Configure, write_tsv: WriteTsv) -> None:
    write_tsv("validation.tsv", [("dog", "한글")])
    with pytest.raises(DataError, match=r"target's subword model covers 0\.00% of the validation part's characters"):
        run(tsv_config(), tmp_path / "corpus")


def test_errors_are_one_line_and_the_manifest_has_no_path(tmp_path: Path, tsv_config: Configure) -> None:
    preparation, _ = run(tsv_config(), tmp_path / "corpus")
    manifest = json.loads((tmp_path / "corpus" / "manifest.json").read_text())
    assert manifest == preparation.manifest
    assert manifest["settings"]["corpus"].pop("root") == str(tmp_path)
    assert str(tmp_path) not in json.dumps(manifest)


def test_no_keras_and_no_tensorflow_is_loaded() -> None:
    script = (
        "import sys, data_prep.pipeline, data_prep.report; print({'keras', 'tensorflow', 'jax'} & set(sys.modules))"
    )
    folder = Path(pipeline.__file__).parents[1]
    found = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"
