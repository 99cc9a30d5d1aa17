"""`corpus.prepared` and `text.prepared`: a corpus that was prepared for another configuration is taken as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nmt.cli import app
from nmt.config import load_config
from nmt.corpus import PreparedCorpus
from nmt.errors import TrainingError
from nmt.training.agreement import check_corpus

# Its own corpus is another one; the model alone counts.
SMALL = "name: small\ncorpus: {synthetic: {}}\nsubword: {model: char}\n"


@pytest.mark.parametrize(
    ("text", "override"),
    [(SMALL, "corpus.prepared=prepared/tiny"), ("name: small\ntext: {}\n", "text.prepared=prepared/tiny")],
)
def test_nmt_prepare_does_nothing(corpus_folder: Path, text: str, override: str) -> None:
    Path("small.yaml").write_text(text)
    before = {path.name: path.read_bytes() for path in corpus_folder.iterdir()}
    assert CliRunner().invoke(app, ["config", "check", "small.yaml", "--set", override]).stdout == "small.yaml: ok\n"
    result = CliRunner().invoke(app, ["prepare", "small.yaml", "--set", override])
    assert result.stdout == "prepared/tiny\n"
    assert result.stderr == "prepared/tiny: taken as it is; there is nothing to prepare\n"
    assert {path.name: path.read_bytes() for path in corpus_folder.iterdir()} == before


def test_it_agrees_with_a_configuration_that_takes_it(corpus_folder: Path) -> None:
    Path("small.yaml").write_text(SMALL)
    corpus = PreparedCorpus(corpus_folder)
    check_corpus(load_config(Path("small.yaml"), ["corpus.prepared=prepared/tiny"]), corpus)
    with pytest.raises(TrainingError, match=r"prepared with other settings"):
        check_corpus(load_config(Path("small.yaml")), corpus)


def test_one_prepared_before_there_was_such_a_key(corpus_folder: Path) -> None:
    manifest = json.loads((corpus_folder / "manifest.json").read_text())
    del manifest["settings"]["corpus"]["prepared"]
    (corpus_folder / "manifest.json").write_text(json.dumps(manifest))
    Path("small.yaml").write_text(SMALL)
    check_corpus(load_config(Path("small.yaml"), ["corpus.prepared=prepared/tiny"]), PreparedCorpus(corpus_folder))
