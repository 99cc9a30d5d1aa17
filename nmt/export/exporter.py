"""Writes an export: aside, flushed, checked in a second process, renamed to the next version number.

A server that watches the folder meets only whole versions: it ignores names that are no numbers, and a rename happens
at once (see `workspace`).
"""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from nmt.config import Config, DecodingConfig, changed_decoding
from nmt.errors import ConfigError, ExportError
from nmt.export.card import model_card
from nmt.export.graph import StringTranslator, TokenTranslator
from nmt.export.workspace import publish, workspace
from nmt.files import flush, json_bytes, read_json, write_file
from nmt.run_folder import RunFolder
from nmt.saved_model import ExportInfo, load_ops
from nmt.saved_model.answers import ids_inputs
from nmt.saved_model.calls import Call, texts
from nmt.saved_model.check import check
from nmt.saved_model.info import EXPORT_FORMAT, EXTRA, INFO_FILE, Origin, write_checksums
from nmt.saved_model.samples import Sample, SampleHypothesis, write_samples
from nmt.saved_model.signatures import (
    IDS_SIGNATURE,
    N_BEST_SIGNATURE,
    SCORE_SIGNATURE,
    SIGNATURE,
    TOKENS_SIGNATURE,
    numbered,
)
from nmt.saved_model.warm_up import write_warm_up
from nmt.tokenizer import END_ID, Tokenizer
from nmt.translation.lines import Line
from nmt.translation.scoring import PairScorer
from nmt.translation.translator import Translator, load_translator

OUTSIDE = {  # what no graph of an export holds
    "samples": 0,
    "minimum_bayes_risk": False,
    "copy_unknown": False,
    "precision": "float32",
    "shortlist": 0,
}
SAMPLE_SENTENCES = 8
WARM_UP_ROWS = 8  # of a request at most; a server that merges no more rows than these refuses the version
WARM_UP_BATCHES = tuple((length, rows) for length in (1, 8, 32) for rows in (1, WARM_UP_ROWS))  # tokens of a line
HARD_LINES = (
    b"",
    b"   ",
    b"a\xff\xc3(\xed\xa0\x80\xf0\x9f\x98 b",  # not UTF-8
    b"a\x00b\tc\xe2\x80\xa8d",  # NUL, tab, line separator
    "👨‍👩‍👧‍👦 \ufeff\u202e e\u0301 ﬁ Ａ".encode(),
    "한국어 \u1112\u1161\u11ab".encode(),
    "</s> <pad> ▁▁ <unk>".encode(),
    "긴 글 x".encode() * 500,
)


def export(
    run_folder: Path,
    target: Path,
    checkpoint: str = "best",
    changes: dict[str, Any] | None = None,
    overrides: Sequence[str] = (),
    with_text: bool = True,
) -> Path:
    """Writes a run's model as the next version of a SavedModel.

    Args:
        run_folder: the run folder.
        target: folder of the versions, such as `saved_models/NAME`.
        checkpoint: `best` or `last`.
        changes: how to search, where not as the run's configuration says, by the keys of `decoding`.
        overrides: more of them, each as `decoding.key=value`.
        with_text: whether it shall take and give strings; else token ids alone, for a runtime without TF Text.

    Returns:
        The new version's folder.

    Raises:
        ConfigError: the section `export` or the changes do not fit what `decoding` says.
        ExportError: it could not be written, or does not translate as the run folder does; nothing is left behind then.
        DataError: the folder is no run folder or has no checkpoint yet.
        CorruptFileError: the checkpoint does not match its checksums.
    """
    if keras.backend.backend() != "tensorflow":
        raise ExportError(
            f"expected Keras' TensorFlow backend, which alone writes a SavedModel; received "
            f"{keras.backend.backend()}; run with KERAS_BACKEND=tensorflow"
        )
    if with_text:
        load_ops()
    if there := [name for name in ("saved_model.pb", "run.json") if (target / name).exists()]:
        raise ExportError(
            f"{target}: expected a folder of versions, received one with {there[0]}; name the folder above it, or "
            f"a new one"
        )
    run = RunFolder(run_folder)
    config = run.config()
    decoding = _decoding(config, changes or {}, overrides)
    origins = _origins(run, checkpoint, decoding)
    attends = config.model.attention != "none"
    translator = load_translator(run_folder, checkpoint, decoding, use_cudnn=False, with_attention=attends)
    if _origins(run, checkpoint, decoding) != origins:
        raise ExportError(
            f"{run_folder}: a training wrote a new checkpoint meanwhile, of it or of a model beside it; run nmt export "
            f"again"
        )
    first, *others = origins
    info = ExportInfo(
        format=EXPORT_FORMAT,
        name=config.name,
        checkpoint=checkpoint,
        checkpoint_step=first.checkpoint_step,
        corpus_fingerprint=first.corpus_fingerprint,
        decoding=decoding,
        ensemble=tuple(others[: len(decoding.ensemble)]),
        language_model=others[-1] if decoding.asks_language_model else None,
        source_tokenizers=len({tokenizer.model for tokenizer in translator.source_tokenizers}),
        with_text=with_text,
        versions=_package_versions(),
    )
    try:
        with workspace(target) as aside:
            write(translator, aside, info)
            describe(aside, info, run)
            check(aside)
            return publish(aside, target)
    except (OSError, tf.errors.OpError) as error:
        raise ExportError(f"{target}: the SavedModel could not be written: {_first_line(error)}") from None


def write(translator: Translator, folder: Path, info: ExportInfo) -> None:
    """Writes the SavedModel of a translator, lines with what it translates them to, and the warm-up requests."""
    module = (StringTranslator if info.with_text else TokenTranslator)(translator)
    tf.saved_model.save(module, str(folder), signatures=module.signatures())
    sentences = _sentences(translator, [1 + 3 * i for i in range(SAMPLE_SENTENCES)])
    write_samples(folder, _samples(translator, [*HARD_LINES, *sentences]))
    write_warm_up(folder, info.name, _warm_up(translator, info.with_text))
    if not info.with_text:
        for i, tokenizer in enumerate(module.sources):
            write_file(folder / EXTRA / f"{numbered('source', i)}.model", tokenizer.model)
        write_file(folder / EXTRA / "target.model", translator.target_tokenizer.model)


def describe(folder: Path, info: ExportInfo, run: RunFolder) -> None:
    """Writes what the export says of itself, and the checksums of all files, and flushes the folder to the disk."""
    config = run.config()
    resolved = config.model_copy(update={"decoding": info.decoding})
    report = run.folder / "report.json"
    scores = read_json(report) if report.exists() else None
    write_file(folder / INFO_FILE, (info.model_dump_json(indent=2) + "\n").encode())
    write_file(folder / EXTRA / "config.json", json_bytes(resolved.model_dump(mode="json")))
    write_file(folder / EXTRA / "README.md", model_card(info, config, run.corpus_pairs(), scores).encode())
    seal(folder)


def seal(folder: Path) -> None:
    """Writes the checksums of all files, and flushes the folder to the disk."""
    write_checksums(folder)
    for path in [*folder.rglob("*"), folder]:
        flush(path)


def _samples(translator: Translator, lines: Sequence[bytes]) -> list[Sample]:
    """What the run makes of lines, one by one, as the check asks for them: shapes are equal."""
    scorer = PairScorer(translator)
    with tf.device("CPU:0"):
        return [_sample(translator, scorer, line) for line in lines]


def _sample(translator: Translator, scorer: PairScorer, line: bytes) -> Sample:
    (source_ids,), (translation,) = _source_ids(translator, [line]), translator.translate([line])
    (score,) = scorer.score([(line, translation.text.encode())])
    vocabulary, ids_of = translator.source_tokenizer.vocabulary, translator.target_tokenizer.ids_of
    return Sample(
        line=base64.b64encode(line),
        source_ids=source_ids,
        pieces=[vocabulary[i] for i in source_ids[0]],
        cut=translation.cut,
        hypotheses=[
            SampleHypothesis(
                translation=one.text,
                target_ids=ids_of(list(one.pieces)),
                log_prob=one.log_prob,
                score=one.score,
                alignment=str(one.alignment),
            )
            for one in translation.hypotheses
        ],
        pair_log_prob=score.log_prob,
        pair_cut=score.cut,
    )


def _source_ids(translator: Translator, lines: Sequence[bytes]) -> list[list[list[int]]]:
    """Of each line, the token ids of each different source tokenizer."""
    models = [tokenizer.model for tokenizer in translator.source_tokenizers]
    return [
        list(dict(zip(models, sentence.sources, strict=True)).values())
        for sentence in translator.read([Line(line) for line in lines])
    ]


def _warm_up(translator: Translator, with_text: bool) -> list[Call]:
    """Requests of several lengths and sizes, and one of every signature."""
    longest = translator.config.max_source_tokens
    shapes = {(min(length, longest), rows) for length, rows in WARM_UP_BATCHES} | {(longest, 1)}
    batches = [_sentences(translator, [length] * rows) for length, rows in sorted(shapes)]
    if not with_text:
        return [Call(SIGNATURE, ids_inputs(_source_ids(translator, batch))) for batch in batches]
    some = _sentences(translator, [min(8, longest)] * WARM_UP_ROWS)
    (pair,) = translator.translate(some[:1])
    return [
        *(Call(SIGNATURE, {"text": texts(batch)}) for batch in batches),
        Call(N_BEST_SIGNATURE, {"text": texts(some)}),
        Call(SCORE_SIGNATURE, {"text": texts(some[:1]), "translation": texts([pair.text.encode()])}),
        Call(TOKENS_SIGNATURE, {"text": texts(some)}),
        Call(IDS_SIGNATURE, ids_inputs(_source_ids(translator, some))),
    ]


def _sentences(translator: Translator, lengths: Sequence[int]) -> list[bytes]:
    """Sentences of so many random pieces: a run folder holds no text, but it knows the words."""
    tokenizer: Tokenizer = translator.source_tokenizer
    generator = random.Random(0)
    pieces = [[generator.randrange(END_ID + 1, tokenizer.size) for _ in range(length)] for length in lengths]
    return [tokenizer.decode(ids).encode() for ids in pieces]


def _decoding(config: Config, changes: dict[str, Any], overrides: Sequence[str]) -> DecodingConfig:
    """The run's decoding, with what the export section and the command line say, and without what a graph lacks."""
    told = {text.partition("=")[0].strip().removeprefix("decoding.") for text in overrides} | set(_given(changes))
    if wrong := sorted(told & set(OUTSIDE)):
        raise ConfigError(
            f"{config.name}: export: {wrong[0]}: a SavedModel searches the best translations, among all tokens and in "
            f"float32, and no more; leave it out, or translate with the run folder"
        )
    section = _given(config.export.model_dump(exclude={"source_language", "target_language"}))
    values = {"n_best": 1, **section, **OUTSIDE, **_given(changes)}
    asked = changed_decoding(config, values, overrides, origin=f"{config.name}: export")
    is_told = "n_best" in told | set(section)
    return asked if is_told else asked.model_copy(update={"n_best": asked.beam_size})


def _origins(run: RunFolder, checkpoint: str, decoding: DecodingConfig) -> list[Origin]:
    """The run, those of its ensemble, and the language model that has a vote: what they are at this moment."""
    others = [*decoding.ensemble, *([decoding.language_model] if decoding.asks_language_model else [])]
    runs = [RunFolder(Path(folder)) for folder in others if folder]
    return [
        _origin(run, checkpoint),
        *(_origin(other, "best") for other in runs if other.exists),
    ]  # loading names others


def _origin(run: RunFolder, checkpoint: str) -> Origin:
    return Origin(
        folder=str(run.folder),
        checkpoint_step=int(run.checkpoint(checkpoint).name),
        corpus_fingerprint=run.corpus_fingerprint(),
    )


def _given(changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in changes.items() if value is not None}


def _package_versions() -> dict[str, str]:
    names = ("keras-nmt", "tensorflow", "tensorflow-text", "keras")
    known = {"tensorflow": tf.__version__, "keras": keras.__version__}
    installed = {name: next((found.version for found in distributions(name=name)), "not installed") for name in names}
    return installed | known


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
