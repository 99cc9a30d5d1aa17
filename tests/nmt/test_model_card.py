"""The model card of an export."""

from __future__ import annotations

from typing import Any

import pytest
from random_runs import TINY_EXPORT

from nmt.config import Config, changed_decoding, parse_config
from nmt.export.card import model_card
from nmt.saved_model import ExportInfo
from nmt.saved_model.info import EXPORT_FORMAT

REPORT: dict[str, Any] = {
    "bleu": {"score": 35.184, "signature": "nrefs:1|tok:13a"},
    "exact_match": {"score": 12.5},
    "split": "test",
    "sentences": 1000,
    "step": 1200,
    "beam_size": 5,
    "decoding": {"max_length": 16, "max_source_tokens": 60, "max_source_bytes": 2048},
}


def card(
    report: dict[str, Any] | None = None, corpus: dict[str, int] | None = None, with_text: bool = True, **section: Any
) -> str:
    config: Config = parse_config({**TINY_EXPORT, "export": section})
    info = ExportInfo(
        format=EXPORT_FORMAT,
        name="tiny",
        checkpoint="best",
        checkpoint_step=1200,
        corpus_fingerprint="ab" * 32,
        decoding=changed_decoding(config, {"beam_size": 5, "max_source_bytes": 2048}),
        with_text=with_text,
        versions={"tensorflow": "2.21.0"},
    )
    return model_card(info, config, corpus or {}, report)


def test_names_languages_corpus_and_limits() -> None:
    text = card(corpus={"train": 29000, "test": 1000}, source_language="English", target_language="German")
    assert "| source language | English |" in text and "| target language | German |" in text
    assert "| train | 29,000 |" in text and "| test | 1,000 |" in text
    assert "`" + "ab" * 32 + "`" in text
    assert "cut after 2,048 bytes and 60 tokens" in text
    assert "| search | beam of 5, length normalization gnmt 0.6 |" in text


def test_an_export_of_token_ids_has_no_text_to_cut() -> None:
    info_of_ids = card(with_text=False)
    assert "the first 60 token ids count" in info_of_ids and "counts as the unknown token" in info_of_ids
    assert "bytes" not in info_of_ids and "UTF-8" not in info_of_ids


def test_scores_stand_with_their_signatures() -> None:
    text = card(REPORT)
    assert "| BLEU | 35.18 | `nrefs:1\\|tok:13a` |" in text
    assert "| exact match | 12.50 |  |" in text
    assert "on 1,000 sentences of the part `test`, step 1,200, beam 5." in text
    assert "another checkpoint" not in text


@pytest.mark.parametrize("change", [{"step": 600}, {"decoding": {"beam_size": 1}}, {"decoding": {}}])
def test_scores_of_something_else_are_told_apart(change: dict[str, Any]) -> None:
    assert "another checkpoint or another search" in card({**REPORT, **change})


def test_what_is_not_known_is_said_to_be_so() -> None:
    text = card()
    assert "| source language | not recorded |" in text and "| pairs | not recorded |" in text
    assert "`nmt evaluate` was not run before the export" in text
