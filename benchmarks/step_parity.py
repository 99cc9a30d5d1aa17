"""Do training and search compute the same probabilities?

    python benchmarks/step_parity.py RUN FILE [--lines 100]

translates lines of FILE and computes each translation's log-probability three ways: by the search itself;
teacher-forced, over the whole target at once, as in training; and step by step along the same tokens. Prints the
largest difference; exit status 1 above 1e-4.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from keras import ops

from nmt.batches import pad
from nmt.run_folder import RunFolder
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import END_ID, PAD_ID, START_ID
from nmt.translation.lines import Line
from nmt.translation.translator import Sentence, Translator, load_translator

TOLERANCE = 1e-4


def main() -> int:
    """Compares and reports."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("file", type=Path, help="source text, one sentence a line")
    parser.add_argument("--lines", type=int, default=100, help="how many lines from the beginning (default: 100)")
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best")
    arguments = parser.parse_args()

    alone: dict[str, object] = {"ensemble": [], "language_model": None}  # training knows nobody else
    decoding = RunFolder(arguments.run).config().decoding.model_copy(update=alone)
    translator = load_translator(arguments.run, arguments.checkpoint, decoding)
    lines = arguments.file.read_bytes().removesuffix(b"\n").split(b"\n")[: arguments.lines]
    sentences = [sentence for sentence in translator.read([Line(line) for line in lines]) if sentence.sources[0]]
    size = translator.config.batch_size
    batches = [sentences[i : i + size] for i in range(0, len(sentences), size)]
    largest = max((difference(translator, batch) for batch in batches), default=0.0)
    print(f"{len(sentences)} translations: log-probabilities differ by at most {largest:.1e} (limit {TOLERANCE:.0e})")
    return int(not largest <= TOLERANCE)  # not a number fails too


def difference(translator: Translator, sentences: list[Sentence]) -> float:
    """The largest difference between the three log-probabilities of one batch's translations."""
    best = [found[0] for found in translator.search(sentences)]
    source_ids = right_padded([[*sentence.sources[0], END_ID] for sentence in sentences])
    target_ids = right_padded([[START_ID, *found.token_ids] for found in best])
    labels = right_padded([[*found.token_ids, END_ID] for found in best])
    values = np.stack(
        [
            np.array([found.log_prob for found in best]),
            total(teacher_forced(translator.model, source_ids, target_ids), labels),
            total(step_by_step(translator.model, source_ids, target_ids), labels),
        ]
    )  # (3, batch)
    return float(np.max(values.max(axis=0) - values.min(axis=0)))


def teacher_forced(model: Seq2Seq, source_ids: np.ndarray, target_ids: np.ndarray) -> np.ndarray:
    """Log-probabilities (batch, target_length, vocabulary) by `Seq2Seq.call`."""
    logits = model.logits({"source_ids": source_ids, "target_ids": target_ids}, training=False)
    return np.asarray(ops.convert_to_numpy(ops.log_softmax(ops.cast(logits, "float32"), axis=-1)))


def step_by_step(model: Seq2Seq, source_ids: np.ndarray, target_ids: np.ndarray) -> np.ndarray:
    """Log-probabilities (batch, target_length, vocabulary) by `Seq2Seq.step`."""
    memory = model.remember(source_ids)
    state, steps = memory.state, []
    for last in target_ids.T:
        log_probs, _, state = model.step(last, state, memory)  # (batch, vocabulary)
        steps.append(ops.convert_to_numpy(log_probs))
    return np.stack(steps, axis=1)


def total(log_probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Log-probability of each row's labels, without padding; (batch,)."""
    chosen = np.take_along_axis(log_probs, labels[:, :, None], axis=2)[:, :, 0]  # (batch, target_length)
    return np.asarray(np.sum(chosen, axis=1, where=labels != PAD_ID, dtype=np.float64))


def right_padded(rows: list[list[int]]) -> np.ndarray:
    """Rows of token ids as one array."""
    return pad([np.array(row, np.int32) for row in rows], max(map(len, rows)))


if __name__ == "__main__":
    sys.exit(main())
