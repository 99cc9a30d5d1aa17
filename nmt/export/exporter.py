"""Writes an export: aside, flushed, checked in a second process, renamed to the next version number.

A server that watches the folder meets only whole versions: it ignores names that are no numbers, and a rename happens
at once.
"""

from __future__ import annotations

import base64
import errno
import os
import random
import shutil
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
from nmt.files import flush, json_bytes, read_json, write_file
from nmt.run_folder import RunFolder
from nmt.saved_model import ExportInfo, load_ops, versions_in
from nmt.saved_model.calls import Call, texts
from nmt.saved_model.check import check, ids_inputs
from nmt.saved_model.contract import (
    IDS_SIGNATURE,
    N_BEST_SIGNATURE,
    SCORE_SIGNATURE,
    SIGNATURE,
    TOKENS_SIGNATURE,
    numbered,
)
from nmt.saved_model.info import EXPORT_FORMAT, EXTRA, INFO_FILE, write_checksums
from nmt.saved_model.samples import Sample, write_samples
from nmt.saved_model.warm_up import write_warm_up
from nmt.tokenizer import END_ID, Tokenizer
from nmt.translation.lines import Line
from nmt.translation.translator import Translator, load_translator

OUTSIDE = {"samples": 0, "minimum_bayes_risk": False, "copy_unknown": False}  # what no graph of an export holds
SAMPLE_SENTENCES = 8
WARM_UP_LENGTHS, WARM_UP_ROWS = (1, 8, 32), (1, 8)  # tokens of a line, and lines of a request
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
    config, step = run.config(), int(run.checkpoint(checkpoint).name)
    decoding = _decoding(config, changes or {}, overrides)
    translator = load_translator(run_folder, checkpoint, decoding, use_cudnn=False)
    if int(run.checkpoint(checkpoint).name) != step:
        raise ExportError(f"{run_folder}: a training wrote a new checkpoint meanwhile; run nmt export again")
    info = ExportInfo(
        format=EXPORT_FORMAT,
        name=config.name,
        checkpoint=checkpoint,
        checkpoint_step=step,
        corpus_fingerprint=run.corpus_fingerprint(),
        decoding=decoding,
        with_text=with_text,
        versions=_package_versions(),
    )
    aside = target / f".tmp-{_next_version(target)}-{os.getpid()}"
    try:
        target.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        write(translator, aside, info)
        describe(aside, info, run)
        check(aside)
        return _publish(aside, target)
    except (OSError, tf.errors.OpError) as error:
        raise ExportError(f"{target}: the SavedModel could not be written: {_first_line(error)}") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


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
    """What the run translates lines to, one by one, as the check asks for them: shapes are equal."""
    samples = []
    with tf.device("CPU:0"):
        for line in lines:
            (sentence,), (translation,) = translator.read([Line(line)]), translator.translate([line])
            samples.append(
                Sample(
                    line=base64.b64encode(line).decode(),
                    source_ids=_distinct_sources(translator, sentence.sources),
                    translation=translation.text,
                    target_ids=translator.target_tokenizer.ids_of(list(translation.best.pieces)),
                    log_prob=translation.log_prob,
                    score=translation.score,
                    cut=translation.cut,
                )
            )
    return samples


def _distinct_sources(translator: Translator, sources: Sequence[list[int]]) -> list[list[int]]:
    """The token ids of each different source tokenizer."""
    by_model = dict(zip((tokenizer.model for tokenizer in translator.source_tokenizers), sources, strict=True))
    return list(by_model.values())


def _warm_up(translator: Translator, with_text: bool) -> list[Call]:
    """Requests of several lengths and sizes, and one of every signature."""
    longest = translator.config.max_source_tokens
    batches = [
        _sentences(translator, [length] * rows)
        for length in sorted({min(length, longest) for length in (*WARM_UP_LENGTHS, longest)})
        for rows in (WARM_UP_ROWS if length < longest else WARM_UP_ROWS[:1])
    ]
    if not with_text:
        return [Call(SIGNATURE, ids_inputs(_samples(translator, batch))) for batch in batches]
    some = batches[min(1, len(batches) - 1)]
    (pair,) = translator.translate(some[:1])
    return [
        *(Call(SIGNATURE, {"text": texts(batch)}) for batch in batches),
        Call(N_BEST_SIGNATURE, {"text": texts(some)}),
        Call(SCORE_SIGNATURE, {"text": texts(some[:1]), "translation": texts([pair.text.encode()])}),
        Call(TOKENS_SIGNATURE, {"text": texts(some)}),
        Call(IDS_SIGNATURE, ids_inputs(_samples(translator, some))),
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
            f"{config.name}: export: {wrong[0]}: a SavedModel searches the best translations and no more; leave it "
            f"out, or translate with the run folder"
        )
    section = _given(config.export.model_dump(exclude={"source_language", "target_language"}))
    values = {"n_best": 1, **section, **OUTSIDE, **_given(changes)}
    asked = changed_decoding(config, values, overrides, origin=f"{config.name}: export")
    is_told = "n_best" in told | set(section)
    return asked if is_told else asked.model_copy(update={"n_best": asked.beam_size})


def _given(changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in changes.items() if value is not None}


def _package_versions() -> dict[str, str]:
    names = ("keras-nmt", "tensorflow", "tensorflow-text", "keras")
    known = {"tensorflow": tf.__version__, "keras": keras.__version__}
    installed = {name: next((found.version for found in distributions(name=name)), "not installed") for name in names}
    return installed | known


def _next_version(target: Path) -> int:
    return max(versions_in(target), default=0) + 1


def _publish(aside: Path, target: Path) -> Path:
    """Renames the finished folder to the next free version number."""
    while True:
        folder = target / str(_next_version(target))
        try:
            aside.rename(folder)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # another export was first
                raise
        else:
            flush(target)
            return folder


def _sweep(target: Path) -> None:
    """Removes what killed exports left."""
    for path in target.glob(".tmp-*-*"):
        process = path.name.rpartition("-")[2]
        if process.isdecimal() and (int(process) == os.getpid() or not _is_alive(int(process))):
            shutil.rmtree(path, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
