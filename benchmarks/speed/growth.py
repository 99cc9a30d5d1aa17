"""How does speed fall as the model, the sentences and the beam grow?

    python benchmarks/speed/growth.py --corpus data/multi30k [--factors 1 2 4] [--rounds 3] [--results FILE]

measures this toolkit alone, in turns: training with so many times the units, training on sentences joined so many at a
time, and translation of the test part with so many times the beam. Prints target tokens (or lines) a second, and the
exponent between neighbours: -1 where twice the size takes twice the time for a token, 0 where it costs nothing.
Exit status 1 where a worker fails.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

from contenders import OURS, PRECISIONS, Contender
from corpus import FILES, ROOT, SIDES, Corpus
from figures import Range, range_of, table
from install_peers import peers_folder
from machine import description
from protocol import Job, Sizes
from report import figure
from workers import WorkerError, Workers

SENTENCES = 64
Measure = Callable[[int], float]


def main() -> int:
    """Measures and reports."""
    arguments = _arguments()
    growth = Growth(arguments)
    measured: dict[str, dict[int, list[float]]] = {name: {} for name in growth.measures}
    try:
        for number, (name, measure), factor in product(
            range(1, arguments.rounds + 1), growth.measures.items(), arguments.factors
        ):
            measured[name].setdefault(factor, []).append(measure(factor))
            print(f"round {number}, {name} {factor}: {measured[name][factor][-1]:,.1f}", file=sys.stderr)
    except WorkerError as error:
        print(error, file=sys.stderr)
        return 1
    summary = {name: {factor: range_of(of) for factor, of in values.items()} for name, values in measured.items()}
    for name, values in summary.items():
        print(f"\n{name}\n\n{table(('times', 'a second', 'exponent'), rows_of(values))}")
    if arguments.results:
        written = {"machine": description(), "rounds": measured, "summary": summary}
        arguments.results.parent.mkdir(parents=True, exist_ok=True)
        arguments.results.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    return 0


def rows_of(values: dict[int, Range]) -> list[tuple[str, str, str]]:
    """A row for each factor: the speed, and the slope from the factor before on logarithmic axes."""
    slopes = [""]
    for (one, before), (other, after) in pairwise(values.items()):
        slopes.append(f"{math.log(after.median / before.median) / math.log(other / one):.2f}")
    return [
        (f"{factor}", f"{of.median:,.1f} ({of.low:,.1f} to {of.high:,.1f})", slope)
        for (factor, of), slope in zip(values.items(), slopes, strict=True)
    ]


class Growth:
    """What is measured, by what grows.

    Args:
        arguments: of the command line.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._folder: Path = arguments.folder.resolve()
        self._contender = Contender(OURS, arguments.precision, SENTENCES)
        self._corpora: dict[int, Corpus] = {}
        self.measures: dict[str, Measure] = {"width": self._wide, "length": self._long, "beam": self._beam}

    def _wide(self, factor: int) -> float:
        """Target tokens a second of a training with wider layers."""
        job = replace(self._job(1), sizes=Sizes().widened(factor))
        return figure("train", self._workers(factor).run(self._contender, "train", job))

    def _long(self, factor: int) -> float:
        """Target tokens a second of a training on longer sentences."""
        return figure("train", self._workers(1).run(self._contender, "train", self._job(factor)))

    def _beam(self, factor: int) -> float:
        """Lines a second of a translation with a larger beam."""
        workers, job = self._workers(1), self._job(1)
        folder = workers.model_folder(self._contender)
        job = replace(job, folder=str(folder), output=str(folder / "hypotheses"))
        workers.learn(self._contender, job)
        answer = workers.run(self._contender, "translate", replace(job, beam_size=job.beam_size * factor))
        return figure("translate", answer)

    def _workers(self, width: int) -> Workers:
        return Workers(self._folder / f"width-{width}", peers_folder())

    def _job(self, length: int) -> Job:
        """Of a corpus whose sentences are joined so many at a time."""
        if length not in self._corpora:
            raw, name = self._arguments.corpus, "corpus" if length == 1 else f"corpus-joined-{length}"
            if length > 1:
                raw = join_sentences(raw, self._folder / f"joined-{length}", length)
            self._corpora[length] = Corpus(raw, self._folder / name, Sizes().vocabulary)
        corpus = self._corpora[length]
        return corpus.job(
            precision=self._contender.precision,
            seconds=self._arguments.seconds,
            epochs=self._arguments.epochs,
            steps_per_epoch=-(-corpus.pairs // SENTENCES),
        )


def join_sentences(raw: Path, folder: Path, count: int) -> Path:
    """Writes Multi30k's files with so many lines joined to one; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem in FILES.values():
        for language in SIDES.values():
            name = f"{stem}.{language}.gz"
            with gzip.open(raw / name, "rt", encoding="utf-8") as file:
                lines = file.read().removesuffix("\n").split("\n")
            joined = (" ".join(lines[i : i + count]) for i in range(0, len(lines), count))
            with gzip.open(folder / name, "wt", encoding="utf-8") as file:
                file.writelines(line + "\n" for line in joined)
    return folder


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--corpus", type=Path, default=Path("data/multi30k"), help="folder of Multi30k's files")
    parser.add_argument("--folder", type=Path, default=peers_folder().parent / "speed", help="where models are kept")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "growth.json")
    parser.add_argument("--precision", choices=PRECISIONS[OURS], default="float32", help="of the training steps")
    parser.add_argument("--factors", nargs="+", type=int, default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3, help="of the model that translates (default: 3)")
    parser.add_argument("--seconds", type=float, default=30.0, help="of training steps that count, a round")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
