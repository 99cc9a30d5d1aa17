"""Training: batches through the model, a validation after each epoch, checkpoints, resume.

The loop between the steps is plain Python; a step is Keras' own `train_on_batch`. What a training remembers is the
model, the optimizer and a `TrainingState`, so a run that was killed goes on from its last checkpoint as if nothing had
happened. Knows no terminal: it reports through a `Reporter`.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from nmt.batches import Batch, BatchPlan
from nmt.checkpoints import RunFolder, copy_weights
from nmt.config import Config, CorpusConfig, SubwordConfig, differences
from nmt.corpus import PreparedCorpus
from nmt.errors import TrainingError
from nmt.losses import SmoothedCrossEntropy
from nmt.metrics import bleu
from nmt.optimizers import make_optimizer
from nmt.progress import Meter, MetricsLog, Progress, Reporter, Round
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import END_ID
from nmt.translation import Translator, make_model

LOG_EVERY_STEPS = 50
# What a resumed training may change: it alters no step that was taken, and the schedule only through `epochs`. Of the
# corpus, the fingerprint decides.
FREE_KEYS = ("corpus.", "training.epochs", "training.patience", "training.save_every_steps", "decoding.", "export.")


def train(config: Config, reporter: Reporter) -> RunFolder:
    """Trains to the end of all epochs or until patience is lost; run again, it resumes.

    Raises:
        TrainingError: the run folder belongs to another corpus or configuration, or the loss is not finite.
        DataError: there is no prepared corpus.
        CorruptFileError: a shard or checkpoint does not match its checksum.
    """
    corpus = PreparedCorpus(config.prepared_folder)
    _check_corpus(config, corpus)
    run = RunFolder(config.run_folder)
    if run.exists:
        _check_run(run, config, corpus)
        run.write_config(config)
    else:
        run.create(config, corpus.fingerprint, corpus.tokenizers())
    run.sweep()
    Training(config, corpus, run, reporter).run()
    return run


class Training:
    """One training in progress."""

    def __init__(self, config: Config, corpus: PreparedCorpus, run: RunFolder, reporter: Reporter) -> None:
        keras.utils.set_random_seed(config.training.seed)
        self.config = config
        self.folder = run
        self.reporter = reporter
        self.plan = BatchPlan(corpus.tokens("train"), config.training.batch_tokens, config.training.seed)
        source, target = corpus.tokenizers()
        self.model = Seq2Seq(config.model, source.size, target.size, precision=config.training.precision)
        optimizer = make_optimizer(config.training, self.plan.steps_per_epoch)
        optimizer.build(self.model.trainable_variables)
        self.model.compile(optimizer=optimizer, loss=SmoothedCrossEntropy(config.training.label_smoothing))
        trace_all_shapes(self.model)
        self.state = run.restore(self.model)
        self.log = MetricsLog(run.folder / "metrics.jsonl", self.state.step, self.state.epoch)
        self.validation = Validation(config, corpus)

    @property
    def total_steps(self) -> int:
        """Steps of all epochs."""
        return self.config.training.epochs * self.plan.steps_per_epoch

    def run(self) -> None:
        """Trains until all epochs are done or patience is lost."""
        self.reporter.start(self._announcement())
        while self.state.epoch < self.config.training.epochs and not self._patience_is_lost():
            self._train_epoch()
            self._validate()
        self.reporter.end(self._summary())

    def _train_epoch(self) -> None:
        """Takes the remaining steps of the running epoch."""
        meter = Meter()
        every = self.config.training.save_every_steps
        self.model.reset_metrics()
        for batch in self.plan.batches(self.state.epoch, self.state.epoch_step):
            loss = train_step(self.model, batch)  # the mean since the last report
            self.state = replace(self.state, step=self.state.step + 1, epoch_step=self.state.epoch_step + 1)
            if not math.isfinite(loss):
                raise TrainingError(self._divergence(f"a finite loss, received {loss}"))
            meter.add(batch.target_tokens)
            last = self.state.epoch_step == self.plan.steps_per_epoch
            if last or self.state.step % LOG_EVERY_STEPS == 0:
                self._report(loss, *meter.read())
            if last or (every and self.state.step % every == 0):
                self._save()

    def _save(self) -> None:
        """Saves, unless the last update spoiled the weights: they must not replace a good checkpoint."""
        if not all(np.isfinite(keras.ops.convert_to_numpy(weight)).all() for weight in self.model.trainable_variables):
            raise TrainingError(self._divergence("finite weights, received others after the last update"))
        self.folder.save(self.model, self.state)

    def _report(self, loss: float, tokens_per_second: float, seconds_a_step: float) -> None:
        progress = Progress(
            step=self.state.step,
            total_steps=self.total_steps,
            epoch=self.state.epoch + 1,
            loss=loss,
            tokens_per_second=tokens_per_second,
            learning_rate=float(self.model.optimizer.learning_rate),
            seconds_left=(self.total_steps - self.state.step) * seconds_a_step,
        )
        self.model.reset_metrics()
        self.log.write("steps", progress)
        self.reporter.steps(progress)

    def _validate(self) -> None:
        """Validates after an epoch, updates the best so far and saves."""
        started = time.monotonic()
        loss, score = self.validation.run(self.model)
        if not math.isfinite(loss):
            raise TrainingError(self._divergence(f"a finite validation loss, received {loss}"))
        # Loss breaks ties: BLEU is 0 for all where no translation has four words.
        figure = [score, -loss] if self.config.training.keep_best == "bleu" else [-loss]
        is_best = self.state.best_figure is None or figure > self.state.best_figure
        self.state = replace(self.state, epoch=self.state.epoch + 1, epoch_step=0)
        if is_best:
            self.state = replace(self.state, best_step=self.state.step, best_figure=figure, rounds_without_gain=0)
        else:
            self.state = replace(self.state, rounds_without_gain=self.state.rounds_without_gain + 1)
        seconds = time.monotonic() - started
        result = Round(self.state.step, self.state.epoch, loss, _perplexity(loss), score, is_best, seconds)
        self.log.write("validation", result)
        self.folder.save(self.model, self.state)
        self.reporter.round(result)

    def _patience_is_lost(self) -> bool:
        return self.state.rounds_without_gain >= self.config.training.patience

    def _announcement(self) -> str:
        shapes = self.plan.shapes
        text = (
            f"{self.folder.folder}: {self.model.count_params():,} parameters, {self.plan.steps_per_epoch:,} steps an "
            f"epoch in {len(shapes)} shapes, {100 * self.plan.padding_share:.0f} % padding, "
            f"{keras.backend.backend()} backend"
        )
        return f"{text}, resumed at step {self.state.step:,}" if self.state.step else text

    def _summary(self) -> str:
        if self._patience_is_lost():
            reason = f"no gain in {self.state.rounds_without_gain} rounds"
        else:
            reason = f"all {self.config.training.epochs} epochs done"
        best = self.folder.checkpoint_at(self.state.best_step)
        return f"{reason} after {self.state.step:,} steps; best checkpoint {best}"

    def _divergence(self, what: str) -> str:
        steps = self.folder.steps()
        kept = (
            f"the last checkpoint is {self.folder.checkpoint_at(steps[-1])}" if steps else "there is no checkpoint yet"
        )
        return (
            f"step {self.state.step}: expected {what}; {kept}. Lower training.learning_rate or "
            f"training.clip_norm, raise training.warmup_steps, or take training.precision: float32"
        )


class Validation:
    """Loss and greedy BLEU on the validation part, computed in float32 by a copy of the model.

    Rows with a side of more than `corpus.filters.max_tokens` count for BLEU, where search cuts them, and not for the
    loss.
    """

    def __init__(self, config: Config, corpus: PreparedCorpus) -> None:
        tokens = corpus.tokens("validation")
        limit = config.corpus.filters.max_tokens  # of longer rows, which training has none of, no batch could be held
        self.plan = BatchPlan(tokens, config.training.batch_tokens, max_tokens=limit)
        self.sources, self.references = corpus.text("validation")
        source, target = corpus.tokenizers()
        self.model = make_model(config, source, target)
        self.model.compile(loss=SmoothedCrossEntropy())
        greedy = config.decoding.model_copy(update={"beam_size": 1})
        self.translator = Translator(self.model, source, target, greedy)

    def run(self, model: Seq2Seq) -> tuple[float, float]:
        """Cross-entropy a target token and BLEU in percent of a model's present weights."""
        copy_weights(model, self.model)
        total = tokens = 0.0
        for batch in self.plan.batches(0):
            self.model.reset_metrics()
            loss = self.model.test_on_batch(*_arguments(batch))
            total += float(loss) * batch.target_tokens
            tokens += batch.target_tokens
        hypotheses = self.translator.translate_texts(self.sources)
        return total / max(1.0, tokens), bleu(hypotheses, self.references).score


def trace_all_shapes(model: Seq2Seq) -> None:
    """Makes the training step's graph for every shape before the first step; the model is left as it was.

    TensorFlow makes the first graph for the first batch's shape alone, and its results differ in the last bit from
    those of the general graph, which comes with the second shape. A resumed training would meet its first graph at
    another step than the uninterrupted one.
    """
    variables = [*model.variables, *model.optimizer.variables]
    values = [keras.ops.convert_to_numpy(variable) for variable in variables]
    for size in (1, 2):  # batch, source and target length all differ, among each other too
        shapes = (size, size + 2), (size, size + 4)
        source_ids, target_ids = (np.full(shape, END_ID, np.int32) for shape in shapes)
        model.train_on_batch(*_arguments(Batch(source_ids, target_ids, target_ids, np.ones(shapes[1], np.float32))))
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    model.reset_metrics()


def train_step(model: Seq2Seq, batch: Batch) -> float:
    """One update; returns the mean loss since the model's metrics were last reset."""
    return float(model.train_on_batch(*_arguments(batch)))


def _arguments(batch: Batch) -> tuple[dict[str, Any], Any, Any]:
    inputs = {"source_ids": batch.source_ids, "target_ids": batch.target_ids}
    return inputs, batch.labels, batch.weights


def _perplexity(loss: float) -> float:
    return math.exp(min(loss, 700.0))


def _check_corpus(config: Config, corpus: PreparedCorpus) -> None:
    settings = corpus.manifest["settings"]
    sections: list[tuple[Any, Any]] = [(CorpusConfig, config.corpus), (SubwordConfig, config.subword)]
    found = []
    for (model, now), name in zip(sections, ("corpus", "subword"), strict=True):
        before = model.model_validate_json(json.dumps(settings[name]))
        found += [f"{name}.{line}" for line in differences(before, now)]
    if found := [line for line in found if not line.startswith("corpus.root")]:
        raise TrainingError(
            f"{corpus.folder}: the corpus was prepared with other settings ({'; '.join(found)}); run nmt prepare again"
        )


def _check_run(run: RunFolder, config: Config, corpus: PreparedCorpus) -> None:
    if run.corpus_fingerprint() != corpus.fingerprint:
        raise TrainingError(
            f"{run.folder}: was trained on the corpus {run.corpus_fingerprint()[:12]}..., but {corpus.folder} is now "
            f"{corpus.fingerprint[:12]}...; remove the run folder or choose another name to train anew"
        )
    changed = [line for line in differences(run.config(), config) if not line.startswith(FREE_KEYS)]
    if changed:
        raise TrainingError(
            f"{run.folder}: was started with other settings ({'; '.join(changed)}); take the old ones to resume, or "
            f"remove the run folder or choose another name to train anew"
        )
