"""The configuration: what is accepted, and what a user is told of each fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nmt.config import MAX_CONFIG_BYTES, Config, differences, load_config, parse_config
from nmt.errors import ConfigError

MINIMAL = "name: small\ncorpus:\n  synthetic: {kind: english_korean}\n"
CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def load(tmp_path: Path) -> Any:
    """Loads a text as a configuration file."""

    def load_text(text: str, *overrides: str) -> Config:
        path = tmp_path / "small.yaml"
        path.write_text(text, encoding="utf-8")
        return load_config(path, overrides)

    return load_text


def faults(error: pytest.ExceptionInfo[ConfigError]) -> list[str]:
    """The message's lines, without the file's name."""
    return [line.partition("small.yaml: ")[2] for line in str(error.value).splitlines()]


def test_minimal_file_has_all_defaults(load: Any) -> None:
    config = load(MINIMAL)
    assert config.training.epochs == 20
    assert config.run_folder == Path("runs/small")
    assert config.prepared_folder == Path("prepared/small")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_configurations_of_the_project_are_valid_and_named_after_their_file(path: Path) -> None:
    assert load_config(path).name == path.stem


def test_unknown_key_names_the_nearest(load: Any) -> None:
    with pytest.raises(ConfigError) as error:
        load(MINIMAL + "training: {learning_rat: 0.1}\n")
    (fault,) = faults(error)
    assert fault.startswith("training.learning_rat: unknown key; expected one of seed, epochs")
    assert fault.endswith("Did you mean 'learning_rate'?")


def test_unknown_key_in_a_nested_section(load: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"corpus\.filters\.max_character: unknown key.*Did you mean 'max_characters'"
    ):
        load(MINIMAL + "  filters: {max_character: 10}\n")


def test_unknown_key_inside_a_named_corpus(load: Any) -> None:
    with pytest.raises(ConfigError) as error:
        load("name: small\ncorpus: {mixture: {news: {tsv: a.tsv, sorce: b}}}\n")
    (fault,) = faults(error)
    assert fault.startswith("corpus.mixture.news.sorce: unknown key; expected one of source, target, tsv.")
    assert fault.endswith("Did you mean 'source'?")


def test_a_mixture_is_read_under_its_names(load: Any) -> None:
    text = "name: small\ncorpus: {mixture: {news: {tsv: a.tsv}, web: {source: b, target: c}}}\n"
    config = load(text, "training.weights.web=0.5")
    assert config.corpus.mixture is not None
    assert {name: files.tsv for name, files in config.corpus.mixture.items()} == {"news": "a.tsv", "web": None}
    assert config.training.weights == {"web": 0.5}
    assert parse_config(config.model_dump(mode="json")) == config


def test_unknown_part_names_the_nearest(load: Any) -> None:
    with pytest.raises(ConfigError) as error:
        load(MINIMAL + "training: {freeze: [decoder, encodr]}\n")
    (fault,) = faults(error)
    assert fault == (
        "training.freeze.1: expected one of source_embedding, encoder, decoder, target_embedding; received 'encodr'. "
        "Did you mean 'encoder'?"
    )


def test_unknown_word_names_the_nearest(load: Any) -> None:
    with pytest.raises(ConfigError) as error:
        load(MINIMAL + "model: {attention: genral}\n")
    assert faults(error) == [
        "model.attention: expected one of none, additive, dot, general, scaled, multi_head; received 'genral'. Did "
        "you mean 'general'?"
    ]


def test_all_faults_are_told_at_once(load: Any) -> None:
    with pytest.raises(ConfigError) as error:
        load(MINIMAL + "training: {epochs: 0, learning_rate: -1}\nmodel: {dropout: 1.0}\ndecodin: {}\n")
    assert sorted(fault.partition(":")[0] for fault in faults(error)) == [
        "decodin",
        "model.dropout",
        "training.epochs",
        "training.learning_rate",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("training: {epochs: 0}", "training.epochs: expected greater than or equal to 1; received 0"),
        ("training: {epochs: ten}", "training.epochs: expected a valid integer; received 'ten'"),
        ("training: {epochs: 1.5}", "training.epochs: expected a valid integer; received 1.5"),
        ("training: {epochs: true}", "training.epochs: expected a valid integer; received True"),
        ("model: {bidirectional: 1}", "model.bidirectional: expected true or false; received 1"),
        ("model: {bidirectional: yes}", "model.bidirectional: expected true or false; received 'yes'"),
        ("training: {freeze: encoder}", "training.freeze: expected a list such as [encoder]; received 'encoder'"),
        ("training: {freeze: {encoder: 1}}", "training.freeze: expected a list such as [a, b]; received {'encoder'"),
        ("model: {dropout: 1.0}", "model.dropout: expected less than 1; received 1.0"),
        ("training: {clip_norm: .nan}", "training.clip_norm: expected"),
    ],
)
def test_value_out_of_range_or_of_wrong_type(load: Any, text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(MINIMAL + text + "\n")
    (fault,) = faults(error)
    assert fault.startswith(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("corpus: {synthetic: {}}", "name: expected a value, received none; add the key"),
        ("name: small", "corpus: expected a value, received none; add the key"),
        ("name: small\ncorpus: {}", "expected 'train' or 'mixture' with the training files, or 'synthetic'"),
        ("name: small\ncorpus: {train: {source: a}}", "expected either both 'source' and 'target', or 'tsv' alone"),
        ("name: small\ncorpus: {synthetic: {}, train: {tsv: a}}", "either 'synthetic' or files, received both"),
        (
            "name: small\ncorpus: {train: {tsv: a}, mixture: {b: {tsv: b}}}",
            "either 'train' or 'mixture', received both",
        ),
        ("name: small\ncorpus: {synthetic: {}, mixture: {b: {tsv: b}}}", "either 'synthetic' or files, received both"),
        ("name: small\ncorpus: {mixture: {}}", "expected 'train' or 'mixture' with the training files"),
        ("name: small\ncorpus: {mixture: {a/b: {tsv: b}}}", "corpus.mixture.a/b"),
        ("name: small\ncorpus: {mixture: {a/b: c}}", "corpus.mixture.a/b"),
        ("name: small\ncorpus: {mixture: {b: {source: b}}}", "corpus.mixture.b: expected either both 'source' and"),
        ("name: ../small\ncorpus: {synthetic: {}}", "name: "),
    ],
)
def test_what_a_configuration_needs(load: Any, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(text)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {attention: dot, encoder_units: 10, decoder_units: 30}", "expected decoder_units: 20, received 30"),
        ("model: {tie_embeddings: all}\nsubword: {shared: false}", "set subword.shared: true"),
        ("subword: {source_normalization: nmt_nfkc_cf}", "set shared: false"),
        ("training: {weights: {news: 2.0}}", "names of corpus.mixture (there are none); received news"),
        ("subword: {model: char}\ntraining: {subword_sampling: 0.1}", "characters can be cut in one way only"),
        (
            "training: {freeze: [source_embedding, encoder, decoder, target_embedding]}",
            "training: freeze: expected a part that is left to learn, received all of them",
        ),
    ],
)
def test_values_that_do_not_fit_each_other(load: Any, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(MINIMAL + text + "\n")
    assert message in str(error.value)


def test_weights_of_a_stranger_name_the_mixture(load: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"training\.weights: expected names of corpus\.mixture \(news, web\); received nws"
    ):
        load("name: a\ncorpus: {mixture: {news: {tsv: a}, web: {tsv: b}}}\ntraining: {weights: {nws: 2.0, web: 1.0}}\n")


def test_numbers_and_words_are_read_as_yaml_1_2(load: Any) -> None:
    config = load("name: no\ncorpus: {synthetic: {}}\ntraining: {learning_rate: 1e-3, seed: 012}\n")
    assert config.name == "no"
    assert config.training.learning_rate == 0.001
    assert config.training.seed == 12


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b\n", "expected sections such as 'name:' and 'corpus:', received list"),
        ("", "received NoneType"),
        ("just words", "received str"),
        ("name: [", "not valid YAML"),
        ("name: a\nname: b\n", "duplicate key"),
        ("name: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
    ],
)
def test_file_that_is_no_configuration(load: Any, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(text)
    assert message in str(error.value)


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; name a configuration such as"):
        load_config(tmp_path / "missing.yaml")
    with pytest.raises(ConfigError, match="expected a readable UTF-8 file"):
        load_config(tmp_path)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="expected a readable UTF-8 file"):
        load_config(binary)
    binary.write_bytes(b"#" * (MAX_CONFIG_BYTES + 1))
    with pytest.raises(ConfigError, match="at most 1,000,000 bytes"):
        load_config(binary)


def test_overrides(load: Any) -> None:
    config = load(
        MINIMAL,
        "training.epochs=3",
        "corpus.filters.max_tokens=7",
        "training.save_every_steps=null",
        "model={cell: gru}",
        "corpus.root=a=b",
    )
    assert (config.training.epochs, config.corpus.filters.max_tokens, config.model.cell) == (3, 7, "gru")
    assert config.corpus.root == "a=b"


@pytest.mark.parametrize("override", ["training.epochs", "=3", ""])
def test_override_that_is_none(load: Any, override: str) -> None:
    with pytest.raises(ConfigError, match=r"expected section\.key=value"):
        load(MINIMAL, override)


def test_override_is_checked_like_the_file(load: Any) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'epochs'"):
        load(MINIMAL, "training.epoch=3")


def test_differences_name_key_old_and_new(load: Any) -> None:
    old = load(MINIMAL)
    new = load(MINIMAL, "training.epochs=3", "corpus.synthetic=null", "corpus.train.tsv=a.tsv")
    found = differences(old, new)
    assert "training.epochs: 20 -> 3" in found
    assert "corpus.train.tsv: None -> a.tsv" in found
    assert differences(old, old) == []


def test_resolved_configuration_reads_back_as_itself(load: Any) -> None:
    config = load(MINIMAL)
    assert parse_config(config.model_dump(mode="json")) == config


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A manifest of a corpus with unshared subwords; nothing else of the corpus is there."""
    corpus = parse_config({"name": "other", "corpus": {"root": "there", "train": {"tsv": "a.tsv"}}})
    settings = corpus.model_dump(mode="json", include={"corpus", "subword"})
    settings["subword"] |= {"shared": False, "vocabulary_size": 77}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text(json.dumps({"settings": settings}), encoding="utf-8")
    return tmp_path / "other"


def test_a_prepared_corpus_brings_its_own_settings(load: Any, prepared: Path) -> None:
    config = load(MINIMAL + "subword: {model: char}\n", f"corpus.prepared={prepared}")
    assert config.prepared_folder == prepared
    assert config.run_folder == Path("runs/small")
    assert config.corpus.synthetic is None
    assert (config.corpus.root, config.corpus.train.tsv) == ("there", "a.tsv")
    assert (config.subword.model, config.subword.shared, config.subword.vocabulary_size) == ("unigram", False, 77)


def test_a_prepared_corpus_needs_nothing_beside_it(load: Any, prepared: Path) -> None:
    assert load("name: small\n", f"corpus.prepared={prepared}").prepared_folder == prepared


def test_a_stored_configuration_does_not_ask_for_the_prepared_corpus(load: Any, prepared: Path) -> None:
    config = load(MINIMAL, f"corpus.prepared={prepared}")
    (prepared / "manifest.json").unlink()
    assert parse_config(config.model_dump(mode="json")) == config


def test_the_settings_of_a_prepared_corpus_fit_the_model(load: Any, prepared: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.tie_embeddings: 'all' needs a shared subword model"):
        load(MINIMAL + "model: {tie_embeddings: all}\n", f"corpus.prepared={prepared}")


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (None, "expected the folder of a prepared corpus, found no "),
        ("{", "to hold the settings of a translation corpus, but it does not (JSONDecodeError: "),
        ("[]", "(TypeError: "),
        ('{"settings": {"subword": {}}}', "(KeyError: 'corpus')"),
        ('{"settings": {"corpus": 7, "subword": {}}}', "(TypeError: "),
    ],
)
def test_a_corpus_that_is_not_prepared(load: Any, prepared: Path, manifest: str | None, message: str) -> None:
    (prepared / "manifest.json").unlink()
    if manifest is not None:
        (prepared / "manifest.json").write_text(manifest)
    with pytest.raises(ConfigError) as error:
        load(MINIMAL, f"corpus.prepared={prepared}")
    (fault,) = faults(error)
    assert fault.startswith("corpus.prepared: ")
    assert message in fault and "run nmt prepare" in fault


def test_running_text_is_no_prepared_corpus(load: Any, prepared: Path) -> None:
    (prepared / "manifest.json").write_text('{"kind": "text", "settings": {"text": {}, "subword": {}}}')
    with pytest.raises(ConfigError) as error:
        load(MINIMAL, f"corpus.prepared={prepared}")
    assert faults(error) == [
        f"corpus.prepared: expected a prepared translation corpus in {prepared}, received running text; name the "
        f"folder of a translation corpus"
    ]


def test_a_prepared_corpus_hides_no_unknown_key(load: Any, prepared: Path) -> None:
    overrides = ("corpus.trian=3", "corpus.filters.max_token=3", "subword.modle=char", "subword.vocabulary_size=1")
    with pytest.raises(ConfigError) as error:
        load("name: small\n", f"corpus.prepared={prepared}", *overrides)
    found = faults(error)
    assert [fault.partition(": unknown key; expected one of ")[0] for fault in found] == [
        "corpus.filters.max_token",
        "corpus.trian",
        "subword.modle",
    ]
    assert [fault.rpartition(". ")[2] for fault in found] == [
        "Did you mean 'max_tokens'?",
        "Did you mean 'train'?",
        "Did you mean 'model'?",
    ]


def test_a_section_without_its_faulty_key_is_not_compared(load: Any) -> None:
    with pytest.raises(ConfigError) as error:
        load("name: small\ncorpus: {trian: {tsv: a}}\nsubword: {source_normalization: nfkc}\n")
    first, second = sorted(faults(error))
    assert first.startswith("corpus.trian: unknown key;")
    assert second.startswith("subword: a shared subword model has one normalization;")


def test_a_prepared_corpus_is_named_by_its_folder(load: Any) -> None:
    with pytest.raises(ConfigError, match=r"corpus\.prepared: expected a valid string; received 7"):
        load(MINIMAL, "corpus.prepared=7")


def test_a_language_model_is_not_a_translation(load: Any) -> None:
    with pytest.raises(ConfigError, match=r"yaml: expected a translation's .* received a language model's.*nmt lm"):
        load("name: small\ntext: {synthetic: {}}\n")
