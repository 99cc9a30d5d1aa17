"""OpenNMT-tf's worker, for its own environment. Nothing of the package is changed.

    python opennmt_tf.py JOB

Where it differs from the described model: its decoder with attention is TensorFlow Addons' `AttentionWrapper`, which
always feeds the readout back (input feeding) and so walks through the target step by step; its Luong attention projects
the keys; the readout has the decoder's units.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import opennmt
import tensorflow as tf
import tensorflow_addons as tfa
from opennmt import training
from opennmt.utils.checkpoint import Checkpoint
from protocol import Finished, Job, Stopwatch, read_lines, spread, work, write_lines

NEVER = 1_000_000  # steps
WARM_UP_LINES = 10  # of the latency


def train(job: Job) -> dict[str, Any]:
    """Measures steps."""
    stopwatch = Stopwatch(job.warm_up_steps, job.seconds)
    _stamp_steps(stopwatch, stops=True)
    _pause_for(stopwatch, "_save_checkpoint")
    with suppress(Finished):
        _runner(job, _config(job, Path(job.scratch))).train()
    return stopwatch.figures()


def learn(job: Job) -> dict[str, Any]:
    """Trains for some epochs, with a greedy validation after each, which is left out of the time."""
    stopwatch = Stopwatch()
    tokens = _stamp_steps(stopwatch, stops=False)
    _pause_for(stopwatch, "_save_checkpoint")
    epochs: list[dict[str, Any]] = []
    evaluate = training.Trainer._evaluate

    @functools.wraps(evaluate)
    def watched(self: Any, evaluator: Any, step: int, **kwargs: Any) -> Any:
        if step != evaluator.last_evaluated_step:
            stopwatch.stamp(len(tokens), sum(tokens))
            hypotheses = str(Path(job.folder) / "eval" / f"predictions.txt.{step}")
            epochs.append({**stopwatch.so_far, "hypotheses": hypotheses})
        with stopwatch.paused():
            return evaluate(self, evaluator, step, **kwargs)

    training.Trainer._evaluate = watched
    config = _config(job, Path(job.folder), job.steps_per_epoch, job.epochs)
    _runner(job, config).train(with_eval=True)
    return {"epochs": epochs}


def _runner(job: Job, config: dict[str, Any]) -> Any:
    return opennmt.Runner(functools.partial(_model, job), config, seed=job.recipe.seed)


def _stamp_steps(stopwatch: Stopwatch, stops: bool) -> list[int]:
    """Stamps the beginning of every step; returns a list to which the target tokens of each are added.

    Padding does not count, ends of sentences do.
    """
    groups = training._group_batches
    tokens: list[int] = []

    @functools.wraps(groups)
    def watched(dataset: Any, size: int) -> Iterator[Any]:
        for group in groups(dataset, size):
            stopwatch.stamp(len(tokens), sum(tokens))
            if stops and stopwatch.is_done:
                raise Finished
            tokens.append(sum(int(tf.reduce_sum(labels["length"])) for _, labels in group))
            yield group

    training._group_batches = watched
    return tokens


def _pause_for(stopwatch: Stopwatch, name: str) -> None:
    """Leaves a method of the trainer out of the time."""
    method = getattr(training.Trainer, name)

    @functools.wraps(method)
    def watched(*args: Any, **kwargs: Any) -> Any:
        with stopwatch.paused():
            return method(*args, **kwargs)

    setattr(training.Trainer, name, watched)


def translate(job: Job) -> dict[str, Any]:
    """Translates the test part."""
    model = _trained(job, job.beam_size)
    source = Path(job.corpus) / "pieces" / "test.source"
    warm_up = Path(job.scratch) / "warm_up"
    write_lines(warm_up, spread(read_lines(source), job.warm_up_lines))
    infer = _compiled(model, _dataset(model, source, job.sentences))
    for batch in _dataset(model, warm_up, job.sentences):
        _pieces(infer(batch))
    started = time.perf_counter()
    found = dict(
        itertools.chain.from_iterable(_pieces(infer(batch)) for batch in _dataset(model, source, job.sentences))
    )
    seconds = time.perf_counter() - started
    hypotheses = [found[i] for i in range(len(found))]
    write_lines(Path(job.output), [" ".join(pieces) for pieces in hypotheses])
    return {"seconds": seconds, "lines": len(found), "tokens": sum(len(pieces) + 1 for pieces in hypotheses)}


def latency(job: Job) -> dict[str, Any]:
    """Translates line by line, greedily; a line is read while the one before is translated."""
    model = _trained(job, beam_size=1)
    path = Path(job.scratch) / "lines"
    lines = spread(read_lines(Path(job.corpus) / "pieces" / "test.source"), job.latency_lines)
    write_lines(path, lines[:WARM_UP_LINES] + lines)
    dataset = _dataset(model, path, sentences=1, bucket=None)
    infer = _compiled(model, dataset)
    seconds = []
    started = time.perf_counter()
    for batch in dataset:
        _pieces(infer(batch))
        seconds.append(time.perf_counter() - started)
        started = time.perf_counter()
    return {"latencies": seconds[WARM_UP_LINES:]}


def _trained(job: Job, beam_size: int) -> Any:
    """The newest checkpoint's model."""
    config = _config(job, Path(job.folder))
    model = _model(job)
    model.initialize(config["data"], params={**config["params"], "beam_width": beam_size})
    Checkpoint(model, model_dir=job.folder).restore(weights_only=True)
    return model


def _dataset(model: Any, path: Path, sentences: int, bucket: int | None = 5) -> Any:
    """Batches of similar lengths, with the width that OpenNMT-tf's automatic configuration takes."""
    return model.examples_inputter.make_inference_dataset(str(path), sentences, length_bucket_width=bucket)


def _compiled(model: Any, dataset: Any) -> Any:
    """As `opennmt.inference.predict_dataset` does it."""
    return tf.function(model.infer, input_signature=(dataset.element_spec,))


def _pieces(predictions: Any) -> list[tuple[int, list[str]]]:
    """Number and pieces of each line of a batch; lines that are not sorted into buckets have no numbers."""
    tokens, lengths = (predictions[name].numpy() for name in ("tokens", "length"))
    numbers = predictions["index"].numpy() if "index" in predictions else range(len(tokens))
    return [
        (int(number), [piece.decode() for piece in best[0][: length[0]]])
        for number, best, length in zip(numbers, tokens, lengths, strict=True)
    ]


def _model(job: Job) -> Any:
    sizes, dropout = job.sizes, job.recipe.dropout
    return opennmt.models.SequenceToSequence(
        source_inputter=opennmt.inputters.WordEmbedder(embedding_size=sizes.embedding, dropout=dropout),
        target_inputter=opennmt.inputters.WordEmbedder(embedding_size=sizes.embedding, dropout=dropout),
        encoder=opennmt.encoders.LSTMEncoder(1, sizes.encoder, bidirectional=True, dropout=dropout),
        decoder=opennmt.decoders.AttentionalRNNDecoder(
            1,
            sizes.decoder,
            bridge_class=opennmt.layers.DenseBridge,
            attention_mechanism_class=tfa.seq2seq.LuongAttention,
            dropout=dropout,
        ),
    )


def _config(job: Job, folder: Path, steps_per_epoch: int = NEVER, epochs: int = 1) -> dict[str, Any]:
    pieces = Path(job.corpus) / "pieces"
    return {
        "model_dir": str(folder),
        "data": {
            "source_vocabulary": str(_vocabulary(job)),
            "target_vocabulary": str(_vocabulary(job)),
            "train_features_file": str(pieces / "train.source"),
            "train_labels_file": str(pieces / "train.target"),
            "eval_features_file": str(pieces / "validation.source"),
            "eval_labels_file": str(pieces / "validation.target"),
        },
        "params": {
            "optimizer": "Adam",
            "optimizer_params": {"global_clipnorm": job.recipe.clip_norm},
            "learning_rate": job.recipe.learning_rate,
            "label_smoothing": job.recipe.label_smoothing,
            "average_loss_in_time": True,
            "beam_width": 1,
            "length_penalty": job.length_penalty,
            "maximum_decoding_length": job.max_length,
        },
        "train": {
            "batch_size": job.sentences,
            "batch_type": "examples",
            "sample_buffer_size": -1,
            "save_checkpoints_steps": steps_per_epoch,
            "keep_checkpoint_max": 1,
            "max_step": steps_per_epoch * epochs,
        },
        "eval": {"steps": steps_per_epoch, "batch_size": job.sentences, "save_eval_predictions": True},
    }


def _vocabulary(job: Job) -> Path:
    """The pieces with OpenNMT-tf's special tokens before them; it adds the unknown one itself."""
    path = Path(job.scratch) / "vocabulary"
    write_lines(path, ["<blank>", "<s>", "</s>", *read_lines(Path(job.corpus) / "pieces" / "vocabulary")])
    return path


if __name__ == "__main__":
    tasks = {"train": train, "learn": learn, "translate": translate, "latency": latency}
    work(tasks, ("OpenNMT-tf", "tensorflow-cpu", "numpy"))
