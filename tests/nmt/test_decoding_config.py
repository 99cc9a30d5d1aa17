"""The section `decoding`: which searches there are, why others are refused, and what a command line may change."""

from __future__ import annotations

from typing import Any

import pytest

from nmt.config import Config, DecodingConfig, changed_decoding, parse_config
from nmt.errors import ConfigError


def configured(**decoding: Any) -> Config:
    """A configuration with this section."""
    return parse_config({"name": "small", "corpus": {"synthetic": {}}, "decoding": decoding})


def refusal(**decoding: Any) -> str:
    """What is said of this section."""
    with pytest.raises(ConfigError) as error:
        configured(**decoding)
    return str(error.value).removeprefix("configuration: ")


N_BEST = "decoding: n_best: expected at most beam_size (5), received 6; raise beam_size, or ask for fewer"
GROUPS = "decoding: diversity_groups: expected a divisor of beam_size (5), received 2; make beam_size a multiple of it"
NO_GROUPS = "decoding: samples: sampling has no beam, whose groups could differ; leave out diversity_groups, or samples"
COVERAGE = (
    "decoding: coverage_penalty: only a beam has hypotheses to compare; leave it out, or take beam_size: 2 or more "
    "without samples"
)
RISK = "decoding: minimum_bayes_risk: expected translations to choose from; set samples, or n_best, to 2 or more"

# The settings, the message, and changes that it names.
REFUSED: list[tuple[dict[str, Any], str, list[dict[str, Any]]]] = [
    ({"n_best": 6}, N_BEST, [{"beam_size": 6}, {"n_best": 5}]),
    ({"diversity_groups": 2}, GROUPS, [{"beam_size": 6}]),
    (
        {"samples": 2, "beam_size": 4, "diversity_groups": 2},
        NO_GROUPS,
        [{"diversity_groups": 1}, {"samples": 0}],
    ),
    ({"coverage_penalty": 0.1, "beam_size": 1}, COVERAGE, [{"coverage_penalty": 0.0}, {"beam_size": 2}]),
    ({"coverage_penalty": 0.1, "samples": 2}, COVERAGE, [{"coverage_penalty": 0.0}, {"samples": 0}]),
    ({"minimum_bayes_risk": True}, RISK, [{"samples": 2}, {"n_best": 2}]),
    ({"minimum_bayes_risk": True, "samples": 1}, RISK, [{"samples": 2}]),
]


@pytest.mark.parametrize(("settings", "message", "ways_out"), REFUSED)
def test_what_does_not_fit_is_refused(settings: dict[str, Any], message: str, ways_out: list[dict[str, Any]]) -> None:
    assert refusal(**settings) == message
    for change in ways_out:
        configured(**settings | change)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beam_size": 0}, "beam_size: expected greater than or equal to 1; received 0"),
        ({"beam_size": 101}, "beam_size: expected less than or equal to 100; received 101"),
        (
            {"length_normalization": "mean"},
            "length_normalization: expected one of gnmt, average, none; received 'mean'.",
        ),
        ({"length_penalty": -0.1}, "length_penalty: expected greater than or equal to 0; received -0.1"),
        ({"word_reward": float("inf")}, "word_reward: expected a finite number; received inf"),
        ({"coverage_penalty": -0.1}, "coverage_penalty: expected greater than or equal to 0; received -0.1"),
        ({"diversity_strength": -1}, "diversity_strength: expected greater than or equal to 0; received -1"),
        ({"max_length_ratio": 0.0}, "max_length_ratio: expected greater than 0; received 0.0"),
        ({"min_length": -1}, "min_length: expected greater than or equal to 0; received -1"),
        ({"no_repeated_ngram": -1}, "no_repeated_ngram: expected greater than or equal to 0; received -1"),
        ({"repetition_penalty": 0.9}, "repetition_penalty: expected greater than or equal to 1; received 0.9"),
        ({"banned_words": "new"}, "banned_words: expected a list such as [new]; received 'new'"),
        ({"banned_words": ["new", 7]}, "banned_words.1: expected a valid string; received 7"),
        ({"samples": -1}, "samples: expected greater than or equal to 0; received -1"),
        ({"samples": 1_001}, "samples: expected less than or equal to 1000; received 1001"),
        ({"temperature": -0.1}, "temperature: expected greater than or equal to 0; received -0.1"),
        ({"top_k": 0}, "top_k: expected greater than or equal to 1; received 0"),
        ({"top_p": 1.1}, "top_p: expected less than or equal to 1; received 1.1"),
        ({"seed": -1}, "seed: expected greater than or equal to 0; received -1"),
        ({"ensemble": "runs/a"}, "ensemble: expected a list such as [runs/a]; received 'runs/a'"),
    ],
)
def test_value_out_of_range_or_of_wrong_type(settings: dict[str, Any], message: str) -> None:
    assert refusal(**settings) == f"decoding.{message}"


def test_the_plain_search_is_a_beam_of_five_without_anything_else() -> None:
    """What these say is off by default, so a run of an older version translates as before."""
    decoding = DecodingConfig()
    assert (decoding.beam_size, decoding.n_best, decoding.diversity_groups) == (5, 1, 1)
    assert (decoding.length_normalization, decoding.length_penalty) == ("gnmt", 0.6)
    assert (decoding.word_reward, decoding.coverage_penalty, decoding.repetition_penalty) == (0.0, 0.0, 1.0)
    assert (decoding.min_length, decoding.no_repeated_ngram, decoding.banned_words) == (0, 0, [])
    assert (decoding.samples, decoding.ensemble, decoding.language_model) == (0, [], None)
    assert not (decoding.ban_unknown or decoding.copy_unknown or decoding.minimum_bayes_risk)


def test_a_language_model_is_asked_where_it_has_a_name_and_a_weight() -> None:
    assert DecodingConfig(language_model="runs/lm").asks_language_model
    assert not DecodingConfig(language_model="runs/lm", language_model_weight=0.0).asks_language_model
    assert not DecodingConfig(language_model_weight=0.3).asks_language_model


# A run's way to search, changed


def test_changes_and_overrides_are_taken_over_the_runs_own() -> None:
    config = configured(beam_size=3, length_penalty=0.8)
    decoding = changed_decoding(
        config, {"beam_size": 4}, ["decoding.n_best=4", "decoding.banned_words=[new, New York]"]
    )
    assert (decoding.beam_size, decoding.n_best, decoding.length_penalty) == (4, 4, 0.8)
    assert decoding.banned_words == ["new", "New York"]
    assert config.decoding.beam_size == 3


def test_an_override_counts_more_than_a_change() -> None:
    assert changed_decoding(configured(), {"beam_size": 4}, ["decoding.beam_size=6"]).beam_size == 6


def test_none_changes_nothing() -> None:
    config = configured(beam_size=3, ensemble=["runs/a"])
    assert changed_decoding(config, {"beam_size": None, "ensemble": None, "samples": None}) == config.decoding
    assert changed_decoding(config, {}) == config.decoding


@pytest.mark.parametrize("override", ["model.cell=gru", "decoding", "decoding=3", "beam_size=3", "decodings.a=3"])
def test_other_sections_are_refused(override: str) -> None:
    with pytest.raises(ConfigError) as error:
        changed_decoding(configured(), {}, ["decoding.beam_size=3", override])
    assert str(error.value) == (
        f"command line: --set {override}: a trained model can only be searched in another way; expected "
        f"decoding.key=value, such as decoding.beam_size=10"
    )


@pytest.mark.parametrize(
    ("changes", "overrides", "key"),
    [
        ({"samples": 3, "beam_size": 2}, [], "beam_size"),
        ({"samples": 3, "n_best": 2}, [], "n_best"),
        ({"samples": 3}, ["decoding.diversity_groups=1"], "diversity_groups"),
        ({"n_best": 2}, ["decoding.samples=3"], "n_best"),
    ],
)
def test_sampling_with_a_beam_is_refused(changes: dict[str, Any], overrides: list[str], key: str) -> None:
    with pytest.raises(ConfigError) as error:
        changed_decoding(configured(), changes, overrides, origin="here")
    assert str(error.value) == (
        f"here: samples: expected either sampling or a search with a beam, received {key} too; leave it out, or search "
        f"with samples: 0"
    )


def test_a_run_that_samples_is_asked_for_a_beam() -> None:
    """A beam's size would have no effect; with `samples` 0 it has."""
    config = configured(samples=3)
    with pytest.raises(ConfigError, match="either sampling or a search with a beam, received beam_size too"):
        changed_decoding(config, {"beam_size": 2})
    decoding = changed_decoding(config, {"beam_size": 2, "samples": 0})
    assert (decoding.samples, decoding.beam_size) == (0, 2)


def test_a_run_with_a_beam_may_sample() -> None:
    assert changed_decoding(configured(beam_size=3), {"samples": 4, "seed": 7}).samples == 4


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("decoding.beam=3", r"command line: decoding\.beam: unknown key; expected one of .*Did you mean 'beam_size'\?"),
        ("decoding.beam_size=ten", r"command line: decoding\.beam_size: expected a valid integer; received 'ten'"),
        ("decoding.beam_size=", r"command line: decoding\.beam_size: expected a valid integer; received None"),
        ("decoding.beam_size", r"--set decoding\.beam_size: expected section\.key=value"),
        ("decoding.n_best=6", r"command line: decoding: n_best: expected at most beam_size \(5\), received 6"),
    ],
)
def test_changes_are_checked_like_a_file(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        changed_decoding(configured(), {}, [override])
