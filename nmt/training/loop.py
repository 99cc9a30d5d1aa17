"""The loop: epochs of steps, validations between them, saves, and every reason to stop.

Knows a task and nothing of sentences or text, and no terminal: it reports through a `Reporter`.
"""

from __future__ import annotations

import math
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from nmt.errors import CorruptFileError, Interrupted, TrainingError
from nmt.interruption import Interruption
from nmt.losses import SmoothedCrossEntropy
from nmt.optimizers import make_optimizer
from nmt.progress import FirstMinute, Meter, MetricsLog, Progress, Reporter, Round, duration
from nmt.run_folder import RunFolder
from nmt.run_lock import locked
from nmt.schedules import make_schedule
from nmt.tensorboard_log import TensorBoardLog
from nmt.training.gains import after_round
from nmt.training.graphs import make_update
from nmt.training.steps import steps_of, take_step
from nmt.training.task import Task, TrainingBatch

LOG_EVERY_STEPS = 50


def carry_out(task: Task, reporter: Reporter) -> RunFolder:
    """Trains until there is a reason to stop; run again, it resumes.

    Raises:
        TrainingError: the run folder belongs to another corpus or configuration, another process trains there, or the
            training diverged.
        DataError: the run folder belongs to another kind of model, or there is nothing to validate on.
        CorruptFileError: every checkpoint is damaged.
        StorageError: the disk is full.
        Interrupted: SIGTERM or Ctrl-C came; everything is saved.
    """
    run = RunFolder(task.config.run_folder)
    with locked(run.folder), Interruption() as interruption:
        if not run.exists and run.steps():
            raise CorruptFileError(
                f"{run.folder}: expected run.json beside the checkpoints, found none; put a copy back, or remove the "
                f"folder to train anew"
            )
        task.check(run)
        if run.exists:
            run.write_config(task.config)
        else:
            run.create(task.config, task.corpus_fingerprint, task.tokenizers, task.corpus_pairs)
        run.sweep()
        Training(task, run, reporter, interruption).run()
    return run


class Training:
    """One training in progress."""

    def __init__(self, task: Task, run: RunFolder, reporter: Reporter, interruption: Interruption) -> None:
        keras.utils.set_random_seed(task.settings.seed)
        self.task = task
        self.settings = task.settings
        self.folder = run
        self.reporter = reporter
        self.interruption = interruption
        self.schedule = make_schedule(self.settings, self.steps_per_epoch)
        self.model = self._make_model()
        self.update = make_update(self.model, task.plan.one_shape)
        self.state = run.restore(self.model, reporter.note)
        run.prune(self.state, self.settings.keep_last)  # what a kill left of the last save
        metrics = MetricsLog(run.folder / "metrics.jsonl", self.state.step, self.state.validated_step)
        self.logs: list[MetricsLog | TensorBoardLog] = [metrics]
        self.validation = task.make_validation()
        self._started = time.monotonic() - self.state.seconds
        self._saved = time.monotonic()
        self._first_minute = FirstMinute()

    @property
    def steps_per_epoch(self) -> int:
        """Updates of an epoch."""
        return -(-self.task.plan.steps_per_epoch // self.settings.accumulate_batches)

    @property
    def total_steps(self) -> int:
        """Updates of all epochs."""
        return self.settings.epochs * self.steps_per_epoch

    def run(self) -> None:
        """Trains until there is a reason to stop."""
        self.reporter.start(self.task.announcement(self.model, self.steps_per_epoch, self.state.step))
        with ExitStack() as stack:
            if self.settings.tensorboard:
                log = TensorBoardLog(self.folder.folder, self.reporter.note)
                self.logs.append(stack.enter_context(closing(log)))
            if self._owes_validation():
                self._validate()
            while (reason := self._reason_to_stop()) is None:
                self._train_epoch()
                self._validate()
        best = self.folder.checkpoint("best")
        self.reporter.end(f"{reason} after {self.state.step:,} steps; best checkpoint {best}")

    def _make_model(self) -> Any:
        """The model at its start, compiled: its checkpoint, if there is one, comes after."""
        model = self.task.make_model(not self.folder.steps(), self.reporter.note)
        optimizer = make_optimizer(self.settings)
        optimizer.build(model.trainable_variables)
        model.compile(optimizer=optimizer, loss=SmoothedCrossEntropy(self.settings.label_smoothing))
        return model

    def _train_epoch(self) -> None:
        """Takes the remaining steps of the running epoch, or those that the time allows."""
        meter = Meter()
        first_batch = self.state.epoch_step * self.settings.accumulate_batches
        batches = self.task.plan.batches(self.state.epoch, first_batch)
        for step in steps_of(batches, self.settings.accumulate_batches):
            self._take_step(step, meter)
            last = self.state.epoch_step == self.steps_per_epoch
            if last or self.state.step % LOG_EVERY_STEPS == 0:
                self._report(meter)
            stop = self._time_is_up() or self.interruption.received is not None
            if last or stop or self._save_is_due():
                self._save()
            if stop:
                self._stop_if_interrupted()
                return

    def _take_step(self, batches: list[TrainingBatch], meter: Meter) -> None:
        started = time.monotonic()
        rate = self.schedule(self.state.step, self.state.rate_scale)
        loss = take_step(self.model.optimizer, self.update, batches, rate, self.task.memory_advice)
        self.state = replace(self.state, step=self.state.step + 1, epoch_step=self.state.epoch_step + 1)
        skipped = int(self.model.optimizer.skipped_in_a_row)
        if skipped >= self.settings.skip_limit:
            raise TrainingError(
                self._divergence(f"a finite loss and gradient, received others {skipped} times in a row")
            )
        meter.add(sum(batch.target_tokens for batch in batches), loss)
        if seconds_a_step := self._first_minute.read(time.monotonic() - started):
            rest = duration((self.total_steps - self.state.step) * seconds_a_step)
            self.reporter.note(f"at the speed of the first minute, the remaining steps take {rest}")

    def _save_is_due(self) -> bool:
        steps, minutes = self.settings.save_every_steps, self.settings.save_every_minutes
        if steps and self.state.step % steps == 0:
            return True
        return minutes is not None and time.monotonic() - self._saved >= 60.0 * minutes

    def _save(self) -> None:
        """Saves, unless the last update spoiled the weights: they must not replace a good checkpoint."""
        if not all(np.isfinite(keras.ops.convert_to_numpy(weight)).all() for weight in self.model.trainable_variables):
            raise TrainingError(self._divergence("finite weights, received others after the last update"))
        self.state = replace(self.state, seconds=time.monotonic() - self._started)
        average = self.model.optimizer.averaged(self.model.trainable_variables)
        self.folder.save(self.model, self.state, average, self.settings.keep_last)
        self._saved = time.monotonic()

    def _report(self, meter: Meter) -> None:
        loss, tokens_per_second, seconds_a_step = meter.read()
        statistics = self.model.optimizer.statistics()
        progress = Progress(
            step=self.state.step,
            total_steps=self.total_steps,
            epoch=self.state.epoch + 1,
            loss=loss,
            tokens_per_second=tokens_per_second,
            learning_rate=float(self.model.optimizer.learning_rate),
            gradient_norm=statistics.gradient_norm,
            clipped_share=statistics.clipped_share,
            skipped=statistics.skipped,
            seconds_left=(self.total_steps - self.state.step) * seconds_a_step,
        )
        for log in self.logs:
            log.write("steps", progress)
        self.reporter.steps(progress)

    def _validate(self) -> None:
        """Validates, ranks the checkpoint and saves; after an epoch's last step, also begins the next epoch."""
        started = time.monotonic()
        average = self.model.optimizer.averaged(self.model.trainable_variables)
        figures = self.validation.run(self.model, average, self._stop_if_interrupted)
        if not math.isfinite(figures.loss):
            if self.state.step in self.folder.steps():
                self.folder.set_aside(self.state.step)
            raise TrainingError(self._divergence(f"a finite validation loss, received {figures.loss}"))
        if ends_epoch := self.state.epoch_step == self.steps_per_epoch:
            self.state = replace(self.state, epoch=self.state.epoch + 1, epoch_step=0)
        self.state = after_round(self.state, figures, self.settings, counts=ends_epoch or not self.state.step)
        result = Round(
            step=self.state.step,
            epoch=self.state.epoch,
            loss=figures.loss,
            perplexity=math.exp(min(figures.loss, 700.0)),
            bleu=figures.bleu,
            chrf=figures.chrf,
            bits_per_character=figures.bits_per_character,
            is_best=self.state.best[0].step == self.state.step,
            seconds=time.monotonic() - started,
        )
        for log in self.logs:
            log.write("validation", result)
        self._save()
        self.reporter.round(result)

    def _reason_to_stop(self) -> str | None:
        if self.state.epoch >= self.settings.epochs:
            return f"all {self.settings.epochs} epochs done"
        if self.state.rounds_without_gain >= self.settings.patience:
            return f"no gain in {self.state.rounds_without_gain} rounds"
        if self._time_is_up():
            return f"{self.settings.minutes:g} minutes are over"
        return None

    def _time_is_up(self) -> bool:
        if self.settings.minutes is None or not self.state.step:  # one step at least: there shall be a checkpoint
            return False
        return time.monotonic() - self._started >= 60.0 * self.settings.minutes

    def _owes_validation(self) -> bool:
        """Whether the start was not yet measured, or a kill took the validation that the time limit called for."""
        if self.state.validated_step == self.state.step:
            return False
        return self._time_is_up() or (self.task.validates_start and not self.state.step)

    def _stop_if_interrupted(self) -> None:
        if self.interruption.received:
            steps = self.folder.steps()
            saved = f"step {steps[-1]:,} is saved" if steps else "there is nothing to save yet"
            raise Interrupted(
                f"interrupted by {self.interruption.received}; {saved}, run the same command again to go on"
            )

    def _divergence(self, what: str) -> str:
        steps = self.folder.steps()
        kept = (
            f"the last checkpoint is {self.folder.checkpoint_at(steps[-1])}" if steps else "there is no checkpoint yet"
        )
        return (
            f"step {self.state.step}: expected {what}; {kept}. Lower training.learning_rate or "
            f"training.clip_norm, raise training.warmup_steps, or take training.precision: float32. "
            f"{self.task.another_run}"
        )
