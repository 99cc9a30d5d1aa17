"""Run folder to SavedModel: strings in, strings out, with tokenization (TF Text) and the whole search inside.

One signature, `serving_default`: `text` (batch,) to `translation`, `log_prob` and `cut`, each (batch,), as
`nmt.translation` computes them. An export is written aside, flushed, run in a second process, compared, and renamed to
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

from nmt.config import Config, DecodingConfig
from nmt.corpus import sha256_of
from nmt.errors import ExportError
from nmt.files import write_file
from nmt.run_folder import RunFolder
from nmt.saved_model import EXPORT_FORMAT, INFO_FILE, SIGNATURE, ExportInfo, load_ops, versions_in
from nmt.tokenizer import END_ID, PAD_ID, UNKNOWN_ID, Tokenizer
from nmt.translation import LENGTH_STEP, Searcher, Translation, Translator, load_translator

VERIFICATION_SCRIPT = Path(__file__).with_name("verify_export.py")
FORBIDDEN_OPS = ("Cudnn", "PyFunc", "Xla")  # a stock TensorFlow Serving on a CPU runs none of them
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
        searcher: model and search, from source token ids to target token ids.
        source_model: the source's SentencePiece model.
        target_model: the target's.
        decoding: limits of the source's length.
    """

    def __init__(self, searcher: Searcher, source_model: bytes, target_model: bytes, decoding: DecodingConfig) -> None:
        import tensorflow_text

        super().__init__(name="translator")
        # The names keep them apart: without, both get the source's model when loaded (tensorflow/text#1304).
        self.source_tokenizer = tensorflow_text.SentencepieceTokenizer(source_model, name="source")
        self.target_tokenizer = tensorflow_text.SentencepieceTokenizer(target_model, name="target")
        self.weights = [variable.value for variable in searcher.variables]
        self.decoding = decoding
        self._search = searcher.__call__  # the Keras model itself is not saved, only what it computes
        text = tf.TensorSpec([None], tf.string, name="text")
        self.translate = tf.function(self._translate, input_signature=[text], autograph=False)

    def _translate(self, text: Any) -> dict[str, Any]:
        """Translates strings (batch,)."""
        source_ids, lengths, cut = self._encode(text)
        token_ids, log_probs = self._search(source_ids)  # (batch, max_length), (batch,)
        has_tokens = lengths > 0  # (batch,)
        is_text = tf.logical_or(token_ids > END_ID, tf.equal(token_ids, UNKNOWN_ID))
        kept = tf.ragged.boolean_mask(token_ids, tf.logical_and(is_text, has_tokens[:, tf.newaxis]))
        return {
            "translation": tf.ensure_shape(self.target_tokenizer.detokenize(kept), [None]),
            "log_prob": tf.where(has_tokens, log_probs, 0.0),
            "cut": cut,
        }

    def _encode(self, text: Any) -> tuple[Any, Any, Any]:
        """Source ids (batch, source_length), token counts without the end of sentence (batch,), cut (batch,)."""
        max_bytes, max_tokens = self.decoding.max_source_bytes, self.decoding.max_source_tokens
        clean = tf.strings.unicode_transcode(
            tf.strings.substr(text, 0, max_bytes, unit="BYTE"), "UTF-8", "UTF-8", errors="replace"
        )
        token_ids = self.source_tokenizer.tokenize(clean)  # (batch, tokens), ragged
        lengths = tf.cast(token_ids.row_lengths(), tf.int32)  # (batch,)
        ends = tf.fill([tf.size(text), 1], END_ID)
        ended = tf.concat([token_ids[:, :max_tokens], ends], axis=1)  # (batch, tokens), ragged
        longest = tf.reduce_max(tf.concat([tf.minimum(lengths, max_tokens), [0]], axis=0)) + 1
        padded_length = -(-longest // LENGTH_STEP) * LENGTH_STEP
        source_ids = ended.to_tensor(PAD_ID, shape=tf.stack([-1, padded_length]))
        cut = tf.logical_or(lengths > max_tokens, tf.strings.length(text, unit="BYTE") > max_bytes)
        return source_ids, lengths, cut


def export(run_folder: Path, target: Path, checkpoint: str = "best") -> Path:
    """Writes a run's model as the next version of a SavedModel.

    Args:
        run_folder: the run folder.
        target: folder of the versions, such as `saved_models/NAME`.
        checkpoint: `best` or `last`.

    Returns:
        The new version's folder.

    Raises:
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
        translator.source_tokenizer.model,
        translator.target_tokenizer.model,
        translator.config,
    )
    tf.saved_model.save(module, str(folder), signatures={SIGNATURE: module.translate})


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
        if not same or abs(ours.log_prob - theirs.log_prob) > LOG_PROB_TOLERANCE * max(1.0, abs(ours.log_prob)):
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
    return [Translation(base64.b64decode(row["translation"]).decode(), row["log_prob"], row["cut"]) for row in rows]


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
    """The run's decoding, with what the export section sets itself."""
    own = {key: value for key, value in config.export.model_dump().items() if value is not None}
    return config.decoding.model_copy(update=own)


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
