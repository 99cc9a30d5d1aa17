"""Joey NMT's worker, for its own environment. Nothing of the package is changed: what it lacks is put around it.

    python joey_nmt.py JOB

Where it differs from the described model: its Luong attention is the bilinear one ("general"), so it projects the
keys; the readout has the decoder's units. Input feeding is off, since it knows a decoder without; it still walks
through the target step by step. Its batches of sentences are not made of similar lengths, which it has no setting for.
"""

from __future__ import annotations

import functools
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from protocol import Finished, Job, Stopwatch, read_lines, spread, times_of, work, write_lines


class Plateau(torch.optim.lr_scheduler.ReduceLROnPlateau):  # type: ignore[misc]
    """Takes `verbose`, which Joey NMT hands over and torch gave up."""

    def __init__(self, *args: Any, verbose: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


torch.optim.lr_scheduler.ReduceLROnPlateau = Plateau  # before joeynmt.builders takes it from there

from joeynmt import training  # noqa: E402
from joeynmt.config import parse_global_args  # noqa: E402
from joeynmt.prediction import predict, prepare  # noqa: E402

NEVER = 1_000_000  # steps
EPOCHS = 1_000  # of a training that the stopwatch ends


def train(job: Job) -> dict[str, Any]:
    """Measures steps."""
    stopwatch = Stopwatch(job.warm_up_steps, job.seconds)
    _stamp_steps(stopwatch, stops=True)
    config = _config(job, Path(job.scratch), NEVER, EPOCHS)
    with suppress(Finished):
        training.train(rank=0, world_size=None, cfg=config, skip_test=True)
    return stopwatch.figures()


def learn(job: Job) -> dict[str, Any]:
    """Trains for some epochs, with a greedy validation after each, which is left out of the time."""
    stopwatch = Stopwatch()
    _stamp_steps(stopwatch, stops=False)
    epochs: list[dict[str, Any]] = []
    validate = training.TrainManager._validate

    @functools.wraps(validate)
    def watched(self: Any, valid_data: Any) -> None:
        stopwatch.stamp(self.stats.steps, self.stats.total_tokens)
        with stopwatch.paused():
            validate(self, valid_data)
        hypotheses = str(self.model_dir / f"{self.stats.steps}.hyps")
        epochs.append({**stopwatch.so_far, "hypotheses": hypotheses})

    training.TrainManager._validate = watched
    Path(job.folder).mkdir(parents=True, exist_ok=True)
    config = _config(job, Path(job.folder), job.steps_per_epoch, job.epochs)
    training.train(rank=0, world_size=None, cfg=config, skip_test=True)
    return {"epochs": epochs}


def _stamp_steps(stopwatch: Stopwatch, stops: bool) -> None:
    """Stamps the beginning of every step, with the target tokens that Joey NMT has counted: no padding."""
    step = training.TrainManager._train_step

    @functools.wraps(step)
    def watched(self: Any, batch: Any) -> Any:
        stopwatch.stamp(self.stats.steps, self.stats.total_tokens)
        if stops and stopwatch.is_done:
            raise Finished
        return step(self, batch)

    training.TrainManager._train_step = watched


def translate(job: Job) -> dict[str, Any]:
    """Translates the test part."""
    model = _Model(job, job.beam_size, job.sentences)
    lines = _test_lines(job)
    model.translate(spread(lines, job.warm_up_lines))
    started = time.perf_counter()
    hypotheses = model.translate(lines)
    seconds = time.perf_counter() - started
    write_lines(Path(job.output), [" ".join(pieces) for pieces in hypotheses])
    return {"seconds": seconds, "lines": len(lines), "tokens": sum(len(pieces) + 1 for pieces in hypotheses)}


def latency(job: Job) -> dict[str, Any]:
    """Translates line by line, greedily."""
    model = _Model(job, beam_size=1, sentences=1)
    return {"latencies": times_of(lambda line: model.translate([line]), spread(_test_lines(job), job.latency_lines))}


class _Model:
    """A trained model, as `joeynmt.prediction.translate` uses it."""

    def __init__(self, job: Job, beam_size: int, sentences: int) -> None:
        config = _config(job, Path(job.folder), NEVER, 1)
        config["testing"] |= {"beam_size": beam_size, "batch_size": sentences}
        self.args = parse_global_args(config, rank=0, mode="translate")
        self.model, _, _, self.data = prepare(self.args, rank=0, mode="translate")

    def translate(self, lines: list[str]) -> list[list[str]]:
        """Pieces of each line's translation, without its end."""
        for line in lines:
            self.data.set_item(line)
        _, _, _, found, _, _ = predict(
            model=self.model,
            data=self.data,
            compute_loss=False,
            device=self.args.device,
            rank=0,
            n_gpu=self.args.n_gpu,
            normalization="none",
            num_workers=self.args.num_workers,
            args=self.args.test,
            autocast=self.args.autocast,
        )
        self.data.reset_cache()
        return [[piece for piece in pieces if piece != "</s>"] for pieces in found]


def _test_lines(job: Job) -> list[str]:
    return read_lines(Path(job.corpus) / "pieces" / "test.source")


def _config(job: Job, folder: Path, validate_every: int, epochs: int) -> dict[str, Any]:
    pieces = Path(job.corpus) / "pieces"
    side = {"level": "word", "voc_file": str(pieces / "vocabulary"), "lowercase": False, "normalize": False}
    return {
        "name": "speed",
        "joeynmt_version": "2.3.0",
        "model_dir": str(folder),
        "use_cuda": torch.cuda.is_available(),
        "random_seed": job.recipe.seed,
        "data": {
            "train": str(pieces / "train"),
            "dev": str(pieces / "validation"),
            "dataset_type": "plain",
            "src": {"lang": "source", **side},
            "trg": {"lang": "target", **side},
        },
        "model": _model(job),
        "training": _training(job, validate_every, epochs),
        "testing": {
            "beam_size": 1,
            "beam_alpha": job.length_penalty,
            "batch_size": job.sentences,
            "batch_type": "sentence",
            "max_output_length": job.max_length,
            "eval_metrics": ["bleu"],
        },
    }


def _model(job: Job) -> dict[str, Any]:
    dropout = {"dropout": job.recipe.dropout}
    both = {"type": "recurrent", "rnn_type": "lstm", "num_layers": 1, **dropout}
    embeddings = {"embedding_dim": job.sizes.embedding, "scale": False, **dropout}
    return {
        "encoder": {**both, "embeddings": embeddings, "hidden_size": job.sizes.encoder, "bidirectional": True},
        "decoder": {
            **both,
            "embeddings": embeddings,
            "hidden_size": job.sizes.decoder,
            "hidden_dropout": job.recipe.dropout,
            "attention": "luong",
            "init_hidden": "bridge",
            "input_feeding": False,
        },
    }


def _training(job: Job, validate_every: int, epochs: int) -> dict[str, Any]:
    return {
        "optimizer": "adam",
        "learning_rate": job.recipe.learning_rate,
        "learning_rate_min": 0.0,
        "scheduling": "plateau",  # it wants a schedule; with this patience the rate never falls
        "patience": NEVER,
        "clip_grad_norm": job.recipe.clip_norm,
        "label_smoothing": job.recipe.label_smoothing,
        "normalization": "tokens",
        "batch_size": job.sentences,
        "batch_type": "sentence",
        "early_stopping_metric": "bleu",
        "keep_best_ckpts": 1,
        "logging_freq": 100 if validate_every == NEVER else validate_every,  # it must divide the other
        "validation_freq": validate_every,
        "print_valid_sents": [],
        "epochs": epochs,
        "shuffle": True,
    }


if __name__ == "__main__":
    tasks = {"train": train, "learn": learn, "translate": translate, "latency": latency}
    work(tasks, ("joeynmt", "torch", "numpy"))
