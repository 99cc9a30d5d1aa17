"""This toolkit's worker: trains by what `nmt train` calls, translates by what `nmt translate` calls.

    python keras_nmt.py JOB

Text goes in and comes out, where the peers get pieces: their subwords are cut before the clock starts, ours after.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protocol import Finished, Job, Stopwatch, read_lines, spread, times_of, work, write_lines

from nmt.allocator import start_tuned

if __name__ == "__main__":  # as `nmt` does, before anything heavy is imported
    start_tuned()

from nmt.cli.sleeping_threads import let_threads_sleep
from nmt.cli.unused_imports import without_unused_imports

with without_unused_imports():  # as `nmt` does
    import keras

from nmt.config import Config, load_config
from nmt.run_folder import RunFolder
from nmt.translation.translator import Translator, load_translator

if TYPE_CHECKING:
    from nmt.batches import BatchPlan
    from nmt.corpus import TokenLists
    from nmt.progress import Progress, Round

NAME = "speed"
ANY = 1_000_000  # tokens: sentences alone bound a batch
EPOCHS = 1_000  # of a training that the stopwatch ends


class Clock:
    """A `Reporter` that only looks at the clock.

    Args:
        stopwatch: gets a stamp at the start and at every report.
        plan: the batches that are trained on, from which the target tokens of a step are counted.
        targets: target ids of the training part.
        stops: whether to leave the training when enough is measured.
    """

    def __init__(self, stopwatch: Stopwatch, plan: BatchPlan, targets: TokenLists, stops: bool) -> None:
        self.stopwatch = stopwatch
        self.epochs: list[dict[str, float | None]] = []
        self._stops = stops
        self._tokens = _tokens_of_steps(plan, targets)
        self._steps = self._total = 0

    def start(self, text: str) -> None:
        """The first step follows."""
        self.stopwatch.stamp(0, 0)

    def note(self, text: str) -> None:
        """Nothing."""

    def steps(self, progress: Progress) -> None:
        """So many steps are done."""
        self._total += sum(itertools.islice(self._tokens, progress.step - self._steps))
        self._steps = progress.step
        self.stopwatch.stamp(self._steps, self._total)
        if self._stops and self.stopwatch.is_done:
            raise Finished

    def round(self, result: Round) -> None:
        """A validation, which is left out of the time, is done."""
        self.stopwatch.exclude_since_last_stamp()
        self.epochs.append({**self.stopwatch.so_far, "bleu": result.bleu})

    def end(self, text: str) -> None:
        """Nothing."""


def _tokens_of_steps(plan: BatchPlan, targets: TokenLists) -> Iterator[int]:
    """Target tokens of every step, ends of sentences included and padding not."""
    for epoch in itertools.count():
        for _, rows in plan.epoch(epoch):
            yield targets.count(rows) + len(rows)


def train(job: Job) -> dict[str, Any]:
    """Measures steps in a run folder that nobody needs."""
    os.chdir(job.scratch)
    stopwatch = Stopwatch(job.warm_up_steps, job.seconds)
    with suppress(Finished):
        _carry_out(job, stopwatch, stops=True)
    return stopwatch.figures()


def learn(job: Job) -> dict[str, Any]:
    """Trains for some epochs and keeps the run folder, with its translation table."""
    from nmt.translation.shortlist import learn_table

    os.chdir(job.folder)
    clock = _carry_out(job, Stopwatch(), stops=False)
    run = RunFolder(Path("runs") / NAME)
    learn_table(run, run.corpus()).write(run.folder)  # here, since its memory is not that of translation
    return {"epochs": clock.epochs}


def _carry_out(job: Job, stopwatch: Stopwatch, stops: bool) -> Clock:
    from nmt.training.loop import carry_out  # here, since `nmt translate` needs nothing of it
    from nmt.training.translation_task import TranslationTask

    task = TranslationTask(config_of(job, EPOCHS if stops else job.epochs))
    clock = Clock(stopwatch, task.plan, task.corpus.tokens("train").target, stops)
    carry_out(task, clock)
    return clock


def config_of(job: Job, epochs: int) -> Config:
    """As `settings_of`, read and checked."""
    path = Path(job.scratch) / "config.yaml"
    path.write_text(json.dumps(settings_of(job, epochs)), encoding="utf-8")  # JSON is YAML
    return load_config(path)


def settings_of(job: Job, epochs: int) -> dict[str, Any]:
    """A configuration of the model of these sizes, with a readout as wide as the peers'."""
    sizes, recipe = job.sizes, job.recipe
    return {
        "name": NAME,
        "corpus": {"prepared": str(Path(job.corpus) / "prepared" / NAME)},
        "model": {
            "cell": "lstm",
            "embedding_size": sizes.embedding,
            "encoder_layers": 1,
            "encoder_units": sizes.encoder,
            "decoder_layers": 1,
            "decoder_units": sizes.decoder,
            "attention": "dot",
            "attention_query": "top",
            "readout_units": sizes.decoder,
            "tie_embeddings": "none",
            "dropout": recipe.dropout,
        },
        "training": {
            "seed": recipe.seed,
            "epochs": epochs,
            "patience": epochs,
            "batch_tokens": ANY,
            "batch_sentences": job.sentences,
            "learning_rate": recipe.learning_rate,
            "warmup_steps": 0,
            "schedule": "constant",
            "clip_norm": recipe.clip_norm,
            "label_smoothing": recipe.label_smoothing,
            "precision": job.precision,
            "save_every_minutes": None,
        },
    }


def translate(job: Job) -> dict[str, Any]:
    """Translates the test part."""
    translator = _translator(job, job.beam_size)
    lines = _test_lines(job)
    list(translator.translate(spread(lines, job.warm_up_lines)))
    started = time.perf_counter()
    best = [translation.best for translation in translator.translate(lines)]
    seconds = time.perf_counter() - started
    write_lines(Path(job.output), [hypothesis.line for hypothesis in best])
    return {"seconds": seconds, "lines": len(best), "tokens": sum(len(one.pieces) + 1 for one in best)}


def latency(job: Job) -> dict[str, Any]:
    """Translates line by line, greedily."""
    translator = _translator(job, beam_size=1)
    lines = spread(_test_lines(job), job.latency_lines)
    return {"latencies": times_of(lambda line: list(translator.translate([line])), lines)}


def _translator(job: Job, beam_size: int) -> Translator:
    folder = Path(job.folder) / "runs" / NAME
    changes = {
        "beam_size": beam_size,
        "batch_size": job.sentences,
        "max_length": job.max_length,
        "length_penalty": job.length_penalty,
        "precision": job.search.precision,
        "shortlist": job.search.shortlist,
        "lookahead": job.search.lookahead or None,
    }
    return load_translator(folder, "best", RunFolder(folder).config().decoding.model_copy(update=changes))


def _test_lines(job: Job) -> list[bytes]:
    return [line.encode() for line in read_lines(Path(job.corpus) / "text" / "test.source")]


if __name__ == "__main__":
    let_threads_sleep()  # as `nmt` does
    tasks = {"train": train, "learn": learn, "translate": translate, "latency": latency}
    work(tasks, ("keras", "numpy", keras.backend.backend()))
