from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from data_prep.manifest import MANIFEST, changes, describe_inputs, describe_outputs, fingerprint, write_manifest
from nmt.config import Config, CorpusConfig, Synthetic
from nmt.corpus import PreparedCorpus
from nmt.errors import DataError

Configure = Callable[..., Config]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for part in ("train", "validation", "test"):
        (tmp_path / f"{part}.tsv").write_text("a\tb\n")
    return tmp_path


@pytest.fixture
def prepared(files: Path, tsv_config: Configure) -> Path:
    """A corpus folder with one file and a manifest."""
    folder = files / "corpus"
    folder.mkdir()
    (folder / "train.arrow").write_bytes(b"tokens")
    config = tsv_config()
    write_manifest(folder, config, {"inputs": describe_inputs(config.corpus)})
    return folder


def found(folder: Path, config: Config) -> list[str]:
    return changes(folder, config, describe_inputs(config.corpus))


def test_a_fresh_corpus_has_no_changes(prepared: Path, tsv_config: Configure) -> None:
    assert found(prepared, tsv_config()) == []
    assert PreparedCorpus(prepared).fingerprint == json.loads((prepared / MANIFEST).read_text())["fingerprint"]


def test_inputs_are_described_by_content(files: Path, tsv_config: Configure) -> None:
    entry = describe_inputs(tsv_config().corpus)["train.tsv"]
    assert entry == {"sha256": "5dd1197866f479824d9b483e1b7ae9ad3e518f3b4fd447c6b92d127dda6178c5", "bytes": 4}
    (files / "test.tsv").unlink()
    with pytest.raises(DataError, match=r"test\.tsv: no such file; correct its name or corpus\.root"):
        describe_inputs(tsv_config().corpus)


def test_a_moved_root_is_no_change(prepared: Path, tmp_path: Path, tsv_config: Configure) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in tmp_path.glob("*.tsv"):
        path.rename(moved / path.name)
    assert found(prepared, tsv_config(root=str(moved))) == []


def test_changed_settings_are_named_with_both_values(prepared: Path, tsv_config: Configure) -> None:
    config = tsv_config({"vocabulary_size": 90}, filters={"max_characters": 50})
    assert found(prepared, config) == [
        "corpus.filters.max_characters: 1000 -> 50",
        "subword.vocabulary_size: 100 -> 90",
    ]


def test_a_changed_input_is_named(prepared: Path, files: Path, tsv_config: Configure) -> None:
    (files / "validation.tsv").write_text("a\tc\n")
    assert found(prepared, tsv_config()) == ["validation.tsv: its content has changed"]


def test_damaged_and_missing_outputs_are_named(prepared: Path, tsv_config: Configure) -> None:
    (prepared / "train.arrow").write_bytes(b"tokenz")
    assert found(prepared, tsv_config()) == [f"{prepared}/train.arrow: damaged"]
    (prepared / "train.arrow").unlink()
    assert found(prepared, tsv_config()) == [f"{prepared}/train.arrow: missing"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "expected a manifest in JSON"),
        ('{"format": 0}', "expected corpus format 1, received 0"),
        ('{"format": 1}', "expected the key files, found none"),
        ('{"format": 1, "fingerprint": "", "files": {}, "settings": {"corpus": {"unknown": 1}}}', "another version"),
        ('{"format": 1, "fingerprint": "", "files": {}, "settings": 7}', "written by another version"),
    ],
)
def test_an_unreadable_manifest_is_a_change(prepared: Path, tsv_config: Configure, text: str, reason: str) -> None:
    (prepared / MANIFEST).write_text(text)
    (change,) = found(prepared, tsv_config())
    assert reason in change


def test_the_fingerprint_knows_settings_and_files_but_no_place(prepared: Path, tsv_config: Configure) -> None:
    files = describe_outputs(prepared)
    first = fingerprint(tsv_config(), files)
    assert fingerprint(tsv_config(root="elsewhere", test={"tsv": "renamed.tsv"}), files) == first
    assert fingerprint(tsv_config(filters={"max_tokens": 5}), files) != first
    assert fingerprint(tsv_config({"vocabulary_size": 90}), files) != first
    files["train.arrow"]["sha256"] = "0" * 64
    assert fingerprint(tsv_config(), files) != first


MIXTURE = {"web": {"tsv": "train.tsv"}, "news": {"tsv": "test.tsv"}}


def test_another_order_of_a_mixture_is_a_change(files: Path, tsv_config: Configure) -> None:
    config = tsv_config(train=None, mixture=MIXTURE)
    (files / "corpus").mkdir()
    write_manifest(files / "corpus", config, {"inputs": describe_inputs(config.corpus), "mixture": []})
    assert found(files / "corpus", config) == []
    turned = tsv_config(train=None, mixture=dict(reversed(MIXTURE.items())))
    assert found(files / "corpus", turned) == ["corpus.mixture: web, news -> news, web"]
    fewer = tsv_config(train=None, mixture={"web": MIXTURE["web"]})
    assert found(files / "corpus", fewer) == ["corpus.mixture.news.tsv: test.tsv -> None"]


def test_the_fingerprint_knows_names_order_and_pairs_of_a_mixture(prepared: Path, tsv_config: Configure) -> None:
    files, config = describe_outputs(prepared), tsv_config(train=None, mixture=MIXTURE)
    web, news = {"name": "web", "pairs": 3}, {"name": "news", "pairs": 4}
    mixtures = [[web, news], [news, web], [web, news | {"pairs": 5}], [web, news | {"name": "old"}], []]
    assert len({fingerprint(config, files, mixture) for mixture in mixtures}) == len(mixtures)
    renamed = tsv_config(train=None, mixture={name: {"tsv": "elsewhere.tsv"} for name in MIXTURE})
    assert fingerprint(renamed, files, mixtures[0]) == fingerprint(config, files, mixtures[0])
    assert fingerprint(config, files, []) == fingerprint(tsv_config(), files)


def test_a_generated_corpus_is_made_from_code() -> None:
    inputs = describe_inputs(CorpusConfig(synthetic=Synthetic()))
    assert list(inputs) == ["data_prep/synthetic"] and inputs["data_prep/synthetic"]["bytes"] > 0
