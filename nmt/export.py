"""Run folder to SavedModel: strings in, strings out, with tokenization (TF Text) and the whole search inside.

Two signatures: `serving_default`, of `text` (batch,) to `translation`, `score`, `log_prob` and `cut`, each (batch,), as
`nmt.translation.translator` computes them; `score_pairs`, of `text` and `translation` to `log_prob`, as
`nmt.translation.scoring` does. An export is written aside, flushed, run in a second process, compared, and renamed to
the next version number: a server that watches the folder meets only whole ones. Imports TensorFlow, and runs on Keras'
TensorFlow backend alone.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from nmt.config import Config, DecodingConfig, changed_decoding
from nmt.corpus import sha256_of
from nmt.errors import ExportError
from nmt.files import write_file
from nmt.run_folder import RunFolder
from nmt.saved_model import EXPORT_FORMAT, INFO_FILE, SCORE_SIGNATURE, SIGNATURE, ExportInfo, load_ops, versions_in
from nmt.tokenizer import END_ID, PAD_ID, UNKNOWN_ID, Tokenizer
from nmt.translation.lines import Hypothesis, Translation
from nmt.translation.searcher import Replayer, Searcher
from nmt.translation.translator import LENGTH_STEP, Translator, load_translator

VERIFICATION_SCRIPT = Path(__file__).with_name("verify_export.py")
FORBIDDEN_OPS = ("Cudnn", "PyFunc", "Xla")  # a stock TensorFlow Serving on a CPU runs none of them
OUTSIDE = {"samples": 0, "n_best": 1, "minimum_bayes_risk": False, "copy_unknown": False}  # of `decoding`
LOG_PROB_TOLERANCE = 1e-3
SAMPLE_SENTENCES = 8
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


class StringTranslator(tf.Module):
    """What the SavedModel computes.

    Args:
        searcher: models and search, from source token ids to target token ids.
        replayer: the same models over given target token ids.
        source_models: for each translation model, its source's SentencePiece model.
        target_model: the SentencePiece model of the target.
        decoding: limits of the source's length.
    """

    def __init__(
        self,
        searcher: Searcher,
        replayer: Replayer,
        source_models: Sequence[bytes],
        target_model: bytes,
        decoding: DecodingConfig,
    ) -> None:
        import tensorflow_text

        super().__init__(name="translator")
        # The names keep them apart: without, all get the first one's model when loaded (tensorflow/text#1304).
        self.source_tokenizers = [
            tensorflow_text.SentencepieceTokenizer(model, name=f"source_{i}") for i, model in enumerate(source_models)
        ]
        self.target_tokenizer = tensorflow_text.SentencepieceTokenizer(target_model, name="target")
        self.weights = [variable.value for variable in searcher.variables]
        self.decoding = decoding
        self._search, self._replay = searcher.__call__, replayer.__call__  # Keras' models themselves are not saved
        text = tf.TensorSpec([None], tf.string, name="text")
        translation = tf.TensorSpec([None], tf.string, name="translation")
        self.translate = tf.function(self._translate, input_signature=[text], autograph=False)
        self.score_pairs = tf.function(self._score_pairs, input_signature=[text, translation], autograph=False)

    def _translate(self, text: Any) -> dict[str, Any]:
        """Translates strings (batch,)."""
        source_ids, has_tokens, cut = self._read(text)
        found = self._search({"source_ids": source_ids})
        token_ids = found.token_ids[:, 0]  # (batch, max_length)
        is_text = tf.logical_or(token_ids > END_ID, tf.equal(token_ids, UNKNOWN_ID))
        kept = tf.ragged.boolean_mask(token_ids, tf.logical_and(is_text, has_tokens[:, tf.newaxis]))
        return {
            "translation": tf.ensure_shape(self.target_tokenizer.detokenize(kept), [None]),
            "log_prob": tf.where(has_tokens, found.log_probs[:, 0], 0.0),
            "score": tf.where(has_tokens, found.scores[:, 0], 0.0),
            "cut": cut,
        }

    def _score_pairs(self, text: Any, translation: Any) -> dict[str, Any]:
        """Log-probabilities of translations (batch,) of strings (batch,)."""
        source_ids, has_tokens, _ = self._read(text)
        target_ids, lengths = self._encode(translation, self.target_tokenizer)
        log_probs, _ = self._replay({"source_ids": source_ids, "target_ids": target_ids})  # (batch, target_length)
        totals = tf.reduce_sum(tf.where(tf.equal(target_ids, PAD_ID), 0.0, log_probs), axis=1)
        return {"log_prob": tf.where(tf.logical_or(has_tokens, lengths > 0), totals, 0.0)}

    def _read(self, text: Any) -> tuple[list[Any], Any, Any]:
        """For each model source ids (batch, source_length); whether lines have tokens, and were cut; each (batch,)."""
        limit = self.decoding.max_source_tokens
        read = [self._encode(text, tokenizer, limit) for tokenizer in self.source_tokenizers]
        lengths = tf.stack([lengths for _, lengths in read])  # (models, batch)
        long = tf.strings.length(text, unit="BYTE") > self.decoding.max_source_bytes
        cut = tf.logical_or(tf.reduce_any(lengths > limit, axis=0), long)
        return [source_ids for source_ids, _ in read], tf.reduce_any(lengths > 0, axis=0), cut

    def _encode(self, text: Any, tokenizer: Any, limit: int | None = None) -> tuple[Any, Any]:
        """Ids with the end of sentence, right-padded (batch, length), and each line's tokens without it (batch,)."""
        clean = tf.strings.unicode_transcode(
            tf.strings.substr(text, 0, self.decoding.max_source_bytes, unit="BYTE"), "UTF-8", "UTF-8", errors="replace"
        )
        token_ids = tokenizer.tokenize(clean)  # (batch, tokens), ragged
        ends = tf.fill([tf.size(text), 1], END_ID)
        ended = tf.concat([token_ids[:, :limit], ends], axis=1)  # (batch, tokens), ragged
        longest = tf.reduce_max(tf.concat([tf.cast(ended.row_lengths(), tf.int32), [1]], axis=0))
        padded_length = -(-longest // LENGTH_STEP) * LENGTH_STEP
        return ended.to_tensor(PAD_ID, shape=tf.stack([-1, padded_length])), tf.cast(token_ids.row_lengths(), tf.int32)


def export(run_folder: Path, target: Path, checkpoint: str = "best") -> Path:
    """Writes a run's model as the next version of a SavedModel.

    Args:
        run_folder: the run folder.
        target: folder of the versions, such as `saved_models/NAME`.
        checkpoint: `best` or `last`.

    Returns:
        The new version's folder.

    Raises:
        ConfigError: the section `export` does not fit what `decoding` says.
        ExportError: it could not be written, or does not translate as the run folder does; nothing is left behind then.
        DataError: the folder is no run folder or has no checkpoint yet.
        CorruptFileError: the checkpoint does not match its checksums.
    """
    if keras.backend.backend() != "tensorflow":
        raise ExportError(
            f"expected Keras' TensorFlow backend, which alone writes a SavedModel; received "
            f"{keras.backend.backend()}; run with KERAS_BACKEND=tensorflow"
        )
    load_ops()
    run = RunFolder(run_folder)
    step = int(run.checkpoint(checkpoint).name)
    decoding = _decoding(run.config())
    translator = load_translator(run_folder, checkpoint, decoding, use_cudnn=False)
    if int(run.checkpoint(checkpoint).name) != step:
        raise ExportError(f"{run_folder}: a training wrote a new checkpoint meanwhile; run nmt export again")
    info = ExportInfo(
        format=EXPORT_FORMAT,
        name=run.config().name,
        checkpoint=checkpoint,
        checkpoint_step=step,
        corpus_fingerprint=run.corpus_fingerprint(),
        decoding=decoding,
        versions=_package_versions(),
        files={},
    )
    aside = target / f".tmp-{_next_version(target)}-{os.getpid()}"
    try:
        target.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        write(translator, aside)
        seal(aside, info)
        verify(aside, translator)
        return _publish(aside, target)
    except (OSError, tf.errors.OpError) as error:
        raise ExportError(f"{target}: the SavedModel could not be written: {_first_line(error)}") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write(translator: Translator, folder: Path) -> None:
    """Writes the SavedModel of a translator."""
    module = StringTranslator(
        translator.searcher,
        Replayer(translator.ensemble),
        [tokenizer.model for tokenizer in translator.source_tokenizers],
        translator.target_tokenizer.model,
        translator.config,
    )
    signatures = {SIGNATURE: module.translate, SCORE_SIGNATURE: module.score_pairs}
    tf.saved_model.save(module, str(folder), signatures=signatures)


def seal(folder: Path, info: ExportInfo) -> None:
    """Writes `keras_nmt.json` with the checksums of all files, and flushes the folder to the disk."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    checksums = {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}
    sealed = info.model_copy(update={"files": checksums})
    write_file(folder / INFO_FILE, (sealed.model_dump_json(indent=2) + "\n").encode())
    for path in [*files, *(path for path in folder.rglob("*") if path.is_dir()), folder]:
        _flush(path)


def verify(folder: Path, translator: Translator) -> None:
    """Searches the graph for operations that a server lacks, and compares a second process' translations.

    Raises:
        ExportError: it says what differs.
    """
    _check_graph(folder)
    lines = [*HARD_LINES, *_sample_sentences(translator.source_tokenizer)]
    received = translate_apart(folder, lines, batch_size=1)
    with tf.device("CPU:0"):
        expected = [next(translator.translate([line])) for line in lines]  # one by one, as there: shapes are equal
    for line, ours, theirs in zip(lines, expected, received, strict=True):
        same = (ours.text, ours.cut) == (theirs.text, theirs.cut)
        figures = zip((ours.log_prob, ours.score), (theirs.log_prob, theirs.score), strict=True)
        if not same or any(abs(a - b) > LOG_PROB_TOLERANCE * max(1.0, abs(a)) for a, b in figures):
            raise ExportError(
                f"{folder}: the SavedModel does not translate as the run folder does: for {line[:80]!r} expected "
                f"{ours}, received {theirs}; nothing was exported, please report this"
            )


def translate_apart(folder: Path, lines: Sequence[bytes], batch_size: int) -> list[Translation]:
    """Translates with a SavedModel in a process that imports TensorFlow and TF Text alone, and sees no GPU.

    Raises:
        ExportError: the process failed; the message ends with what it said last.
    """
    request = {"lines": [base64.b64encode(line).decode() for line in lines], "batch_size": batch_size}
    process = subprocess.run(
        [sys.executable, "-P", str(VERIFICATION_SCRIPT), str(folder)],  # -P: no module beside the script is found
        input=json.dumps(request),
        capture_output=True,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=False,
    )
    if process.returncode:
        last = (process.stderr.strip() or "it said nothing").splitlines()[-1]
        raise ExportError(
            f"{folder}: the SavedModel did not run in a second process (exit status {process.returncode}): {last}"
        )
    rows = json.loads(process.stdout.splitlines()[-1])
    return [
        Translation(
            (Hypothesis(base64.b64decode(row["translation"]).decode(), row["log_prob"], row["score"]),), row["cut"]
        )
        for row in rows
    ]


def _check_graph(folder: Path) -> None:
    """Refuses operations and attributes that a stock server on a CPU cannot run."""
    saved_model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    graph = saved_model.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    found = {node.op for node in nodes if any(part in node.op for part in FORBIDDEN_OPS)}
    found |= {f"{node.op} on {node.device}" for node in nodes if "GPU" in node.device}
    found |= {
        f"{function.signature.name} compiled by XLA"
        for function in graph.library.function
        if function.attr["_XlaMustCompile"].b
    }
    if found:
        raise ExportError(
            f"{folder}: the graph holds what a server may lack: {', '.join(sorted(found))}; nothing was exported, "
            f"please report this"
        )


def _sample_sentences(tokenizer: Tokenizer) -> list[bytes]:
    """Sentences of random pieces: a run folder holds no text, but it knows the words."""
    generator = random.Random(0)
    lengths = [1 + 3 * i for i in range(SAMPLE_SENTENCES)]
    pieces = [[generator.randrange(END_ID + 1, tokenizer.size) for _ in range(length)] for length in lengths]
    return [tokenizer.decode(ids).encode() for ids in pieces]


def _decoding(config: Config) -> DecodingConfig:
    """The run's decoding, with what the export section sets itself, and without what a graph does not hold."""
    return changed_decoding(config, {**config.export.model_dump(), **OUTSIDE}, origin=f"{config.name}: export")


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
            _flush(target)
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


def _flush(path: Path) -> None:
    """Waits until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
