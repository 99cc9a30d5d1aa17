"""The configuration of a language model: what is accepted, and what a user is told of each fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nmt.config import (
    Config,
    LanguageModelConfig,
    LanguageModelTraining,
    TrainingConfig,
    TranslationTraining,
    load_any_config,
    load_language_model_config,
    parse_language_model_config,
)
from nmt.errors import ConfigError

MINIMAL = "name: small\ntext: {synthetic: {}}\n"
CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def load(tmp_path: Path) -> Any:
    """Loads a text as a language model's configuration file."""

    def load_text(text: str, *overrides: str) -> LanguageModelConfig:
        path = tmp_path / "small.yaml"
        path.write_text(text, encoding="utf-8")
        return load_language_model_config(path, overrides)

    return load_text


def test_minimal_file_has_all_defaults(load: Any) -> None:
    config = load(MINIMAL)
    assert (config.prepared_folder, config.run_folder) == (Path("prepared/small"), Path("runs/small"))
    assert (config.training.streams, config.training.segment_length, config.training.carry_state) == (32, 64, True)
    assert (config.training.keep_best, config.training.label_smoothing) == ("loss", 0.0)
    assert config.text.synthetic.characters == 1_000_000


@pytest.mark.parametrize("path", sorted((CONFIGS / "language_models").glob("*.yaml")), ids=lambda path: path.stem)
def test_configurations_of_the_project_are_valid_and_named_after_their_file(path: Path) -> None:
    assert load_language_model_config(path).name == path.stem


def test_the_sentences_of_a_prepared_corpus(load: Any) -> None:
    config = load("name: small\ntext: {prepared: elsewhere/corpus}\n")
    assert config.prepared_folder == Path("elsewhere/corpus")
    assert config.text.side == "target"


def test_overrides_and_resolved_values_read_back(load: Any) -> None:
    config = load("name: small\ntext: {train: [a.txt, b.txt.gz]}\n", "model.units=7", "text.split.test=0.5")
    assert (config.text.train, config.model.units, config.text.split.test) == (["a.txt", "b.txt.gz"], 7, 0.5)
    assert parse_language_model_config(config.model_dump(mode="json")) == config


def test_a_share_of_nothing_beside_files(load: Any) -> None:
    config = load("name: small\ntext: {train: [a], validation: [b], test: [c], split: {validation: 0, test: 0}}\n")
    assert (config.text.split.validation, config.text.split.test) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("name: small\ntext: {}", "text: expected one of 'train', 'synthetic' and 'prepared'; received none"),
        (
            "name: small\ntext: {train: [a], prepared: b}",
            "text: expected one of 'train', 'synthetic' and 'prepared'; received 'train' and 'prepared'",
        ),
        (
            "name: small\ntext: {synthetic: {}, test: [a]}",
            "text: expected 'test' beside 'train' only; received it beside 'synthetic'",
        ),
        ("name: small\ntext: {train: a.txt}", "text.train: expected a list such as [a.txt]; received 'a.txt'"),
        ("name: small\ntext: {train: [1]}", "text.train.0: expected a valid string; received 1"),
        (
            "name: small\ntext: {train: [a], split: {test: 0}}",
            "text: split.test: expected a share above 0, because no files are named for the test part; received 0; "
            "take 0.05, or name files in 'test'",
        ),
        (
            "name: small\ntext: {train: [a], test: [b], split: {validation: 0.0, test: 0.0}}",
            "text: split.validation: expected a share above 0,",
        ),
        ("name: small\ntext: {train: []}", "text: train: expected names of files, received an empty list"),
        (
            "name: small\ntext: {train: [a], split: {validation: 0.5, test: 0.5}}",
            "text.split: expected shares that leave something for training; received 0.5 for validation and 0.5 for",
        ),
        ("text: {synthetic: {}}", "name: expected a value, received none; add the key"),
        (MINIMAL + "model: {cell: grue}", "model.cell: expected one of rnn, gru, lstm, layer_norm_lstm; received"),
        (MINIMAL + "training: {batch_tokens: 9}", "training.batch_tokens: unknown key; expected one of seed, epochs"),
        (MINIMAL + "training: {keep_best: bleu}", "training.keep_best: expected one of loss; received 'bleu'."),
        (MINIMAL + "corpus: {}", "corpus: unknown key; expected one of name, text, subword, model, training."),
        (
            MINIMAL + "model: {tie_embeddings: true, embedding_size: 8, units: 9}",
            "model: tie_embeddings makes one matrix of embedding and output projection, and here their widths differ; "
            "expected units: 8, received 9; change it or take tie_embeddings: false",
        ),
    ],
)
def test_faults(load: Any, text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(text + "\n")
    (line,) = str(error.value).splitlines()
    assert line.partition("small.yaml: ")[2].startswith(fault)


def test_all_faults_are_told_at_once(load: Any) -> None:
    with pytest.raises(ConfigError) as error:
        load(MINIMAL + "training: {streams: 0, carry: true}\nmodel: {layers: -1}\n")
    lines = [line.partition("small.yaml: ")[2] for line in str(error.value).splitlines()]
    assert sorted(line.partition(":")[0] for line in lines) == ["model.layers", "training.carry", "training.streams"]
    assert any(line.endswith("Did you mean 'carry_state'?") for line in lines)


def test_a_translation_is_not_a_language_model(load: Any) -> None:
    with pytest.raises(ConfigError, match=r"expected a language model's .* received a translation's.*nmt train takes"):
        load("name: small\ncorpus: {synthetic: {}}\n")
    with pytest.raises(ConfigError, match=r"text: expected a value, received none"):
        load("name: small\n")


def test_either_kind_is_told_by_its_section(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    for section, kind in (("corpus", Config), ("text", LanguageModelConfig)):
        path.write_text(f"name: small\n{section}: {{synthetic: {{}}}}\n")
        assert type(load_any_config(path)) is kind


def test_what_both_trainings_have_is_in_one_class() -> None:
    both = TranslationTraining.model_fields.keys() & LanguageModelTraining.model_fields.keys()
    assert both == TrainingConfig.model_fields.keys() | {"keep_best"}
