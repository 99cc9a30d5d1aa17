"""What does a training step spend its time on?

    python benchmarks/speed/step_profile.py --corpus data/multi30k [--precision mixed_bfloat16] [--sentences 64]

takes some steps of the benchmark's training, the same ones in every run, and prints target tokens a second, processor
time a step, and by TensorFlow's profiler the milliseconds a step of each kind of operation, added up over all threads.
To compare two states of the code, run that of each checkout in turns, with PYTHONPATH at the checkout.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nmt.allocator import start_tuned

if __name__ == "__main__":  # as `nmt` does, before anything heavy is imported
    start_tuned()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from corpus import Corpus
from figures import table
from install_peers import peers_folder
from protocol import Sizes
from systems.keras_nmt import config_of
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from nmt.cli.sleeping_threads import let_threads_sleep
from nmt.losses import SmoothedCrossEntropy
from nmt.optimizers import make_optimizer
from nmt.training.graphs import make_update
from nmt.training.steps import take_step
from nmt.training.translation_task import TranslationTask

WARM_UP_STEPS = 4
PROFILED_STEPS = 4


def main() -> int:
    """Measures and prints."""
    arguments = _arguments()
    let_threads_sleep()  # as `nmt` does
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as scratch:
        step = _steps(arguments, scratch)
        for _ in range(WARM_UP_STEPS):
            step()
        started, busy = time.perf_counter(), time.process_time()
        tokens = sum(step() for _ in range(arguments.steps))
        seconds, busy = time.perf_counter() - started, time.process_time() - busy
        print(f"{tokens / seconds:,.0f} target tokens/s, {1e3 * seconds / arguments.steps:,.0f} ms a step, ", end="")
        print(f"{1e3 * busy / arguments.steps:,.0f} ms of processor time\n")
        milliseconds, calls = _profile(step, Path(scratch) / "profile")
    rows = [
        (kind, f"{spent / PROFILED_STEPS:,.1f}", f"{calls[kind] / PROFILED_STEPS:,.0f}")
        for kind, spent in milliseconds.most_common(arguments.rows)
    ]
    print(table(("operation", "ms a step", "calls"), rows))
    return 0


def _steps(arguments: argparse.Namespace, scratch: str) -> Callable[[], int]:
    """What takes one step of the benchmark's training and returns its target tokens."""
    corpus = Corpus(arguments.corpus, arguments.folder.resolve() / "corpus", Sizes().vocabulary)
    job = corpus.job(precision=arguments.precision, sentences=arguments.sentences)
    task = TranslationTask(config_of(replace(job, scratch=scratch), epochs=1))
    keras.utils.set_random_seed(task.settings.seed)
    model = task.make_model(True, lambda text: None)
    optimizer = make_optimizer(task.settings)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer=optimizer, loss=SmoothedCrossEntropy(task.settings.label_smoothing))
    update = make_update(model, task.plan.one_shape)
    batches = task.plan.batches(0)

    def step() -> int:
        batch = next(batches)
        take_step(optimizer, update, [batch], task.settings.learning_rate, task.memory_advice)
        return batch.target_tokens

    return step


def _profile(step: Callable[[], int], folder: Path) -> tuple[Counter[str], Counter[str]]:
    """Milliseconds and calls of some steps, by kind of operation."""
    tf.profiler.experimental.start(str(folder))
    for _ in range(PROFILED_STEPS):
        step()
    tf.profiler.experimental.stop()
    (file,) = folder.rglob("*.xplane.pb")
    space: Any = xplane_pb2.XSpace()
    space.ParseFromString(file.read_bytes())
    milliseconds: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    for plane in space.planes:
        if "CPU" not in plane.name:
            continue
        for event in (event for line in plane.lines for event in line.events):
            operation, colon, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
            if colon and not operation.endswith(":") and kind[:1].isupper() | kind.startswith("_"):
                milliseconds[kind] += event.duration_ps / 1e9
                calls[kind] += 1
    return milliseconds, calls


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--corpus", type=Path, default=Path("data/multi30k"), help="folder of Multi30k's files")
    parser.add_argument("--folder", type=Path, default=peers_folder().parent / "speed", help="where it is prepared")
    parser.add_argument("--precision", choices=("float32", "mixed_bfloat16"), default="float32")
    parser.add_argument("--sentences", type=int, default=64, help="of a batch")
    parser.add_argument("--steps", type=int, default=12, help="that are timed")
    parser.add_argument("--threads", type=int, default=0, help="of an operation (default: as TensorFlow chooses)")
    parser.add_argument("--rows", type=int, default=25, help="kinds of operations that are shown")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
