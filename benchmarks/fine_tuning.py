"""What is a start from another run worth, where the vocabulary is another one?

    nmt prepare configs/quickstart.yaml --set name=other --set subword.vocabulary_size=2000
    python benchmarks/fine_tuning.py runs/quickstart configs/quickstart.yaml --set name=other \
        --set subword.vocabulary_size=2000

makes the model of the configuration and validates it before any step: fresh, and started from the run. Prints both
losses and compares the embeddings of all shared pieces with the run's. Exit status 1 if one of them differs in a bit,
or if the start is not better.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import keras
import numpy as np

from nmt.config import load_config
from nmt.corpus import PreparedCorpus
from nmt.run_folder import RunFolder
from nmt.seq2seq import Seq2Seq
from nmt.training.translation_task import TranslationTask
from nmt.translation.translator import load_translator
from nmt.warm_start import shared_pieces, warm_start


def main() -> int:
    """Validates and compares."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path, help="run folder to start from")
    parser.add_argument("config", type=Path, help="configuration of the new training; its corpus is prepared")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    arguments = parser.parse_args()

    config = load_config(arguments.config, arguments.overrides)
    task = TranslationTask(config)
    keras.utils.set_random_seed(config.training.seed)
    source, target = task.tokenizers
    model = Seq2Seq(config.model, source.size, target.size)
    validation = task.make_validation()
    fresh = validation.run(model, None, lambda: None)
    print(warm_start(model, (source, target), arguments.run))
    started = validation.run(model, None, lambda: None)
    print(f"validation loss before the first step: {fresh.loss:.3f} fresh, {started.loss:.3f} started from the run")
    wrong = differing_rows(arguments.run, model, task.corpus)
    print(f"embeddings of shared pieces that differ from the run's: {wrong}")
    return int(wrong > 0 or started.loss >= fresh.loss)


def differing_rows(run: Path, model: Seq2Seq, corpus: PreparedCorpus) -> int:
    """Rows of shared pieces, of both sides, that are not the run's bit for bit."""
    trained = load_translator(run).model
    wrong = 0
    sides = zip(RunFolder(run).tokenizers(), corpus.tokenizers(), ("source", "target"), strict=True)
    for old, new, side in sides:
        shared = shared_pieces(old, new)
        before, after = (
            keras.ops.convert_to_numpy(getattr(one, f"{side}_embedding").embeddings) for one in (trained, model)
        )
        wrong += int(np.any(before[shared.old_ids] != after[shared.new_ids], axis=1).sum())
    return wrong


if __name__ == "__main__":
    sys.exit(main())
