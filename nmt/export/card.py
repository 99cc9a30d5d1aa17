"""The model card: what a SavedModel is, what it was trained on, how good it is and where it ends, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nmt.config import Config, DecodingConfig
from nmt.saved_model import ExportInfo

NAMES = {"bleu": "BLEU", "chrf": "chrF", "ter": "TER", "exact_match": "exact match", "character_error_rate": "CER"}
UNKNOWN = "not recorded"


def model_card(info: ExportInfo, config: Config, corpus: Mapping[str, int], report: Mapping[str, Any] | None) -> str:
    """The card, in Markdown.

    Args:
        info: of the export.
        config: of the run.
        corpus: pairs by the corpus' parts; empty where the run folder does not know them.
        report: what `nmt evaluate` wrote into the run folder, or None.
    """
    parts = [f"# {info.name}", _what(info, config), _corpus(info, config, corpus), _scores(info, report), _limits(info)]
    return "\n\n".join(parts) + "\n"


def _what(info: ExportInfo, config: Config) -> str:
    source, target = config.export.source_language or UNKNOWN, config.export.target_language or UNKNOWN
    model = config.model
    rows = [
        ("source language", source),
        ("target language", target),
        ("input", "strings, UTF-8" if info.with_text else "token ids of `assets.extra/source*.model`"),
        ("encoder", f"{model.encoder_layers} x {model.cell}, {model.encoder_units} units"),
        (
            "decoder",
            f"{model.decoder_layers} x {model.cell}, {model.decoder_units} units, attention: {model.attention}",
        ),
        ("search", _search(info.decoding)),
        ("checkpoint", f"{info.checkpoint}, step {info.checkpoint_step:,}"),
        ("written by", ", ".join(f"{name} {version}" for name, version in info.versions.items())),
    ]
    return _table(("", ""), rows)


def _search(decoding: DecodingConfig) -> str:
    search = "greedy" if decoding.beam_size == 1 else f"beam of {decoding.beam_size}"
    members = f", ensemble of {1 + len(decoding.ensemble)} models" if decoding.ensemble else ""
    language_model = ", with a language model" if decoding.asks_language_model else ""
    penalty = f"length normalization {decoding.length_normalization} {decoding.length_penalty:g}"
    lookahead = f", lookahead {decoding.lookahead}" if decoding.lookahead and decoding.beam_size > 1 else ""
    return f"{search}, {penalty}{lookahead}{members}{language_model}"


def _corpus(info: ExportInfo, config: Config, corpus: Mapping[str, int]) -> str:
    counts = [(part, f"{pairs:,}") for part, pairs in corpus.items()] or [("pairs", UNKNOWN)]
    subword = config.subword
    rows = [
        *counts,
        ("subwords", f"{subword.model}, {'shared' if subword.shared else 'one model a side'}"),
        ("fingerprint", f"`{info.corpus_fingerprint}`"),
    ]
    return "## Training corpus\n\n" + _table(("part", "pairs"), rows)


def _scores(info: ExportInfo, report: Mapping[str, Any] | None) -> str:
    """The scores of `nmt evaluate`, with what they were measured by."""
    if report is None:
        return "## Scores\n\nNone: `nmt evaluate` was not run before the export."
    scored = [(key, report[key]) for key in NAMES if key in report]
    rows = [(NAMES[key], f"{value['score']:.2f}", _signature(value)) for key, value in scored]
    text = ", ".join(report["files"]) if "files" in report else f"the part `{report.get('split')}`"
    same = report.get("step") == info.checkpoint_step and _searched(report.get("decoding")) == _searched(
        info.decoding.model_dump(mode="json", exclude_defaults=True)
    )
    note = "" if same else " The export has another checkpoint or another search than they were measured with."
    measured = (
        f"`nmt evaluate` on {report.get('sentences', 0):,} sentences of {text}, step {report.get('step', 0):,}, "
        f"beam {report.get('beam_size')}.{note}"
    )
    return "## Scores\n\n" + _table(("", "score", "signature"), rows) + f"\n\n{measured}"


def _signature(score: Mapping[str, Any]) -> str:
    """What a score was measured by; a bar would end the table's cell."""
    return "`{}`".format(score["signature"].replace("|", "\\|")) if "signature" in score else ""


def _searched(decoding: Mapping[str, Any] | None) -> dict[str, Any]:
    """What of a search changes its best translations."""
    return {key: value for key, value in (decoding or {}).items() if key not in ("n_best", "batch_size")}


def _limits(info: ExportInfo) -> str:
    decoding = info.decoding
    longest, max_bytes = f"{decoding.max_source_tokens:,}", f"{decoding.max_source_bytes:,}"
    text = f"""- A line is cut after {max_bytes} bytes and {longest} tokens, and `cut` says so.
- What is not UTF-8 becomes U+FFFD; characters that the training never had are unknown to the model."""
    ids = f"""- Of a row the first {longest} token ids count; the rest is left out.
- A number that is no piece of the subword model counts as the unknown token."""
    return f"""## Limits

{text if info.with_text else ids}
- A translation has at most {decoding.max_length:,} tokens, and at most {decoding.max_length_ratio:g} for each token of
  its source, plus 10.
- Each line is translated by itself, without the lines around it.
- The model repeats what its corpus says and how. Text of another kind, domain or language is translated badly, and
  fluent translations can be wrong."""


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
