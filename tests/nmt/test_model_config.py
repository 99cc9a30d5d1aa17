"""The section `model`: which combinations there are, and why the others are refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from nmt.config import ModelConfig

NONE = {"attention": "none"}

# The settings, the reason, and the changes that the message names.
REFUSED: list[tuple[dict[str, Any], str, list[dict[str, Any]]]] = [
    (
        {"bridge": "zero", "peeky": True},
        "with bridge: zero the decoder gets none; take bridge: dense or peeky: false",
        [{"bridge": "dense"}, {"peeky": False}],
    ),
    (
        {"bridge": "zero", **NONE},
        "the decoder learns nothing of the source; take bridge: dense or attention: general",
        [{"bridge": "dense"}, {"attention": "general"}],
    ),
    (
        {"input_feeding": True, "attention_query": "bottom"},
        "the form that waits for none; take attention_query: top or input_feeding: false",
        [{"attention_query": "top"}, {"input_feeding": False}],
    ),
    (
        {"input_feeding": True, **NONE},
        "input_feeding needs attention; take attention: general with attention_query: top, or input_feeding: false",
        [{"attention": "general", "attention_query": "top"}, {"input_feeding": False}],
    ),
    (
        {"input_feeding": True, "attention_query": "previous", **NONE},
        "input_feeding needs attention; take attention: general, or input_feeding: false",
        [{"attention": "general"}, {"input_feeding": False}],
    ),
    (
        {"lexical_model": True, **NONE},
        "lexical_model needs attention; take attention: general, or lexical_model: false",
        [{"attention": "general"}, {"lexical_model": False}],
    ),
    (
        {"attention": "dot", "encoder_units": 10, "decoder_units": 30},
        "expected decoder_units: 20, received 30; change it or take attention: general",
        [{"decoder_units": 20}, {"attention": "general"}],
    ),
    (
        {"attention": "multi_head", "attention_heads": 4, "decoder_units": 510},
        "expected a multiple of 4, received 510; take decoder_units: 508",
        [{"decoder_units": 508}],
    ),
    (
        {"attention": "multi_head", "attention_heads": 4, "decoder_units": 3},
        "expected a multiple of 4, received 3; take decoder_units: 4",
        [{"decoder_units": 4}],
    ),
    (
        {"readout": "none", "tie_embeddings": "target", "embedding_size": 256, "decoder_units": 512},
        "expected decoder_units: 256, received 512; change it, or take readout: tanh or tie_embeddings: none",
        [{"decoder_units": 256}, {"readout": "tanh"}, {"tie_embeddings": "none"}],
    ),
    (
        {"readout_units": 512, "tie_embeddings": "all", "embedding_size": 256},
        "with readout: tanh their widths differ; expected readout_units: 256, received 512; change it, or take "
        "tie_embeddings: none",
        [{"readout_units": 256}, {"readout_units": None}, {"tie_embeddings": "none"}],
    ),
    (
        {"readout": "none", "readout_units": 7, "tie_embeddings": "none"},
        "readout: none has no units; expected readout_units: null, received 7; change it, or take readout: tanh",
        [{"readout_units": None}, {"readout": "tanh"}],
    ),
    (
        {"bridge": "copy", "encoder_layers": 2, "decoder_layers": 3},
        "expected decoder_layers: 2, received 3; change it or take bridge: dense",
        [{"decoder_layers": 2}, {"bridge": "dense"}],
    ),
    (
        {"bridge": "copy", "encoder_units": 256, "decoder_units": 500},
        "decoder_units of 512, received [512, 512] and 500; change them or take bridge: dense",
        [{"decoder_units": 512}, {"bridge": "dense"}],
    ),
    (
        {"bridge": "copy", "bidirectional_layers": "bottom", "encoder_units": 256, "decoder_units": 256},
        "received [512, 256] and 256; change them or take bridge: dense",
        [{"bidirectional": False}, {"bridge": "dense"}],
    ),
    (
        {"readout": "none", "tie_embeddings": "none", "peeky": True},
        "peeky needs a readout that gets the final state; take readout: tanh or peeky: false",
        [{"readout": "tanh"}, {"peeky": False}],
    ),
    (
        {"readout": "none", "tie_embeddings": "none", "attention_query": "top"},
        "the readout alone gets the context, and readout: none has no place for it; take readout: tanh or "
        "attention_query: bottom",
        [{"readout": "tanh"}, {"attention_query": "bottom"}],
    ),
    (
        {"readout": "none", "tie_embeddings": "none", "attention_query": "bottom", "decoder_layers": 1},
        "with attention_query: bottom and decoder_layers: 1 the readout alone gets the context, and readout: none has "
        "no place for it; take readout: tanh or attention_query: previous",
        [{"readout": "tanh"}, {"attention_query": "previous"}],
    ),
    (
        {"readout": "none", "tie_embeddings": "none", "attention_query": "top", "input_feeding": True},
        "take readout: tanh or attention_query: previous",
        [{"readout": "tanh"}, {"attention_query": "previous"}],
    ),
]

# What the landmark systems are made of, and the corners of what is allowed.
VALID: dict[str, dict[str, Any]] = {
    "Sutskever et al. 2014": {"bidirectional": False, "reverse_source": True, "decoder_units": 256, "bridge": "copy"}
    | {"readout": "none", **NONE},
    "Cho et al. 2014": {"cell": "gru", "bidirectional": False, "peeky": True, "readout": "maxout", **NONE},
    "Bahdanau et al. 2015": {"cell": "gru", "attention": "additive", "attention_query": "previous"}
    | {"readout": "maxout", "encoder_layers": 1, "decoder_layers": 1},
    "Luong et al. 2015": {"attention_query": "top", "input_feeding": True, "bridge": "copy"},
    "Wu et al. 2016": {"attention": "additive", "bidirectional_layers": "bottom", "residual": True, "bridge": "zero"}
    | {"readout": "none", "tie_embeddings": "none"},
    "Chen et al. 2018": {"cell": "layer_norm_lstm", "attention": "multi_head", "residual": True},
    "Sennrich & Zhang 2019": {"lexical_model": True, "tie_embeddings": "all"},
    "the smallest": {"cell": "rnn", "embedding_size": 1, "encoder_units": 1, "decoder_units": 1, "encoder_layers": 1}
    | {"decoder_layers": 1, "bidirectional": False, "bridge": "copy", **NONE},
    "peeky step by step": {"peeky": True, "attention_query": "previous", "input_feeding": True},
    "input feeding without a readout": {"attention_query": "previous", "input_feeding": True, "readout": "none"}
    | {"tie_embeddings": "none"},
    "attention from nothing": {"bridge": "zero", "attention_query": "previous", "lexical_model": True},
    "heads of one unit": {"attention": "multi_head", "attention_heads": 512},
    "no readout, no attention, 1 layer": {"readout": "none", "tie_embeddings": "none", "decoder_layers": 1, **NONE},
}


@pytest.mark.parametrize(("settings", "reason", "changes"), REFUSED)
def test_impossible_combinations_are_refused_with_the_reason_and_what_to_take(
    settings: dict[str, Any], reason: str, changes: list[dict[str, Any]]
) -> None:
    with pytest.raises(ValidationError) as error:
        ModelConfig.model_validate(settings)
    assert reason in str(error.value)
    for change in changes:
        ModelConfig.model_validate(settings | change)


@pytest.mark.parametrize("settings", VALID.values(), ids=VALID)
def test_landmark_systems_are_accepted(settings: dict[str, Any]) -> None:
    ModelConfig.model_validate(settings)


def test_sizes_that_follow_from_others() -> None:
    both, bottom, one = (
        ModelConfig.model_validate({"encoder_units": 3, "encoder_layers": 3, **settings})
        for settings in ({}, {"bidirectional_layers": "bottom"}, {"bidirectional": False})
    )
    assert [both.layer_units(i) for i in range(3)] == [6, 6, 6] and both.memory_units == 6
    assert [bottom.layer_units(i) for i in range(3)] == [6, 3, 3] and bottom.memory_units == 3
    assert [one.layer_units(i) for i in range(3)] == [3, 3, 3] and one.memory_units == 3


def test_width_of_the_readout() -> None:
    sizes = {"embedding_size": 3, "decoder_units": 5, "tie_embeddings": "none"}
    assert ModelConfig.model_validate({**sizes, "readout": "maxout"}).hidden_units == 3
    assert ModelConfig.model_validate({**sizes, "readout": "maxout", "readout_units": 7}).hidden_units == 7
    assert ModelConfig.model_validate({**sizes, "readout": "none"}).hidden_units == 5


@pytest.mark.parametrize(
    ("settings", "sequential"),
    [
        ({}, False),
        ({"attention_query": "top"}, False),
        ({"attention_query": "previous"}, True),
        ({"attention_query": "top", "input_feeding": True}, True),
        ({"attention_query": "previous", **NONE}, False),
    ],
)
def test_who_needs_the_step_before(settings: dict[str, Any], sequential: bool) -> None:
    assert ModelConfig.model_validate(settings).is_sequential == sequential
