"""How fast does this toolkit train and translate, against its peers, in one run?

    python benchmarks/speed/install_peers.py
    python benchmarks/speed/compare.py --corpus data/multi30k [--rounds 5] [--seconds 30] [--only keras_nmt ...]

prepares Multi30k once, hands the peers the same pieces, trains every system for `--epochs` (kept, and done once), and
then measures in turns, round by round, each in a process of its own: training steps on batches of 64 sentences,
translation of the test part (beam 5, 64 lines together), and the latency of one line (greedy). This toolkit trains in
each of `--precisions`, and translates in each of `--search-precisions`, exactly and with the shortcuts `--shortlist`
and `--lookahead`. `--batches 64 128 256` looks for every system's best batch too. Everything runs on the processor: one
of the peers' pinned packages knows no other device. With `--backend jax --only keras_nmt` this toolkit runs alone, on
the graphics processor where JAX finds one; as JAX compiles for each shape of a batch, `--warm-up-steps` must be large
enough to meet them all. Prints tables, and writes all figures with machine and versions to the file that `--results`
names. Exit status 1 where a worker fails; what was measured until then stands in a file of its own.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from contenders import OURS, PRECISIONS, Contender, contenders_of, searching
from corpus import ROOT, Corpus
from install_peers import INSTALLS, is_installed, peers_folder
from machine import SIZE, description
from protocol import Job, Search, Sizes
from report import Report
from workers import WorkerError, Workers

TASKS = ("train", "translate", "latency")
SYSTEMS = (OURS, *INSTALLS)


def main() -> int:
    """Measures and reports."""
    arguments = _arguments()
    if arguments.backend != "tensorflow" and arguments.only != [OURS]:
        print(f"with --backend {arguments.backend} there is no peer to compare with; add --only {OURS}")
        return 1
    missing = [name for name in arguments.only if name in INSTALLS and not is_installed(name, arguments.peers)]
    if missing:
        print(f"{missing[0]} is not installed; run benchmarks/speed/install_peers.py, or leave it out by --only")
        return 1
    sizes = Sizes().widened(arguments.width)
    folder = arguments.folder.resolve()
    corpus = Corpus(arguments.corpus, folder / "corpus", sizes.vocabulary)
    workers = Workers(folder / f"width-{arguments.width}", arguments.peers, arguments.backend)
    job = _job(arguments, sizes, corpus)
    options = {name: value for name, value in vars(arguments).items() if not isinstance(value, Path)}
    report = Report(job, corpus, description(), options)
    try:
        measure(arguments, job, workers, report)
    except (WorkerError, KeyboardInterrupt) as error:
        partial = arguments.results.with_suffix(".partial.json")
        print(f"{str(error) or 'stopped'}; what was measured is in {partial}", file=sys.stderr)
        report.write(partial)
        return 1
    report.write(arguments.results)
    print(report)
    return 0


def measure(arguments: argparse.Namespace, job: Job, workers: Workers, report: Report) -> None:
    """Everything that was asked for.

    Raises:
        WorkerError: a worker failed.
    """
    contenders = contenders_of(arguments.only, arguments.batches, arguments.precisions)
    base = [contender for contender in contenders if contender.sentences == arguments.batches[0]]
    translating = searching(base, _searches(arguments))
    if set(arguments.tasks) - {"train"}:
        for contender in base:
            report.add_learned(contender, workers.learn(contender, _job_of(contender, job, workers, report.corpus)))
    for number in range(arguments.rounds):
        report.matrix_rates.append(workers.matrix_rate(arguments.matrix_size))
        for task in arguments.tasks:
            for contender in _in_turn(contenders if task == "train" else translating, number):
                asked = _job_of(contender, job, workers, report.corpus)
                answer = workers.run(contender, task, asked)
                text = report.add(task, contender, answer, Path(asked.output))
                print(f"round {number + 1}, {task}, {contender}: {text}", file=sys.stderr, flush=True)


def _in_turn(contenders: list[Contender], number: int) -> list[Contender]:
    """Another one begins each round, so that nobody always follows the same one."""
    start = number % len(contenders)
    return [*contenders[start:], *contenders[:start]]


def _job(arguments: argparse.Namespace, sizes: Sizes, corpus: Corpus) -> Job:
    """What all jobs have in common."""
    return corpus.job(
        sentences=arguments.batches[0],
        beam_size=arguments.beam_size,
        warm_up_steps=arguments.warm_up_steps,
        seconds=arguments.seconds,
        epochs=arguments.epochs,
        warm_up_lines=arguments.warm_up_lines,
        sizes=sizes,
    )


def _job_of(contender: Contender, job: Job, workers: Workers, corpus: Corpus) -> Job:
    """A contender's own."""
    folder = workers.model_folder(contender)
    return replace(
        job,
        folder=str(folder),
        output=str(folder / "hypotheses"),
        precision=contender.precision,
        sentences=contender.sentences,
        search=contender.search or Search(),
        steps_per_epoch=-(-corpus.pairs // contender.sentences),
    )


def _searches(arguments: argparse.Namespace) -> list[Search]:
    """In each precision exact, and with the shortcuts where there are any."""
    shortcuts = {(0, 0), (arguments.shortlist, arguments.lookahead)}
    return [Search(precision, *of) for precision in arguments.search_precisions for of in sorted(shortcuts)]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--corpus", type=Path, default=Path("data/multi30k"), help="folder of Multi30k's files")
    parser.add_argument("--folder", type=Path, default=peers_folder().parent / "speed", help="where models are kept")
    parser.add_argument("--peers", type=Path, default=peers_folder(), help="the folder of install_peers.py")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "speed.json")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), metavar="SYSTEM")
    parser.add_argument(
        "--backend", choices=("tensorflow", "jax"), default="tensorflow", help="Keras', of this toolkit"
    )
    ours = PRECISIONS[OURS]
    parser.add_argument(
        "--precisions",
        nargs="+",
        choices=ours,
        default=list(ours),
        help="of this toolkit's training: in each",
    )
    parser.add_argument(
        "--search-precisions",
        nargs="+",
        choices=("float32", "bfloat16"),
        default=["float32", "bfloat16"],
        help="of this toolkit's translation: in each, with the model of each training",
    )
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), metavar="TASK")
    parser.add_argument("--batches", nargs="+", type=int, default=[64], help="sentences of a batch (default: 64)")
    parser.add_argument("--width", type=int, default=1, help="times the units of the described model (default: 1)")
    parser.add_argument("--beam-size", type=int, default=5)
    parser.add_argument(
        "--shortlist", type=int, default=1_024, help="of this toolkit's faster search (default: 1,024); 0: all tokens"
    )
    parser.add_argument("--lookahead", type=int, default=5, help="likewise (default: 5); 0: the exact stop")
    parser.add_argument("--epochs", type=int, default=3, help="of the models that translate (default: 3)")
    parser.add_argument("--seconds", type=float, default=30.0, help="of training steps that count, a round")
    parser.add_argument("--warm-up-steps", type=int, default=10, help="steps before them (default: 10)")
    parser.add_argument("--warm-up-lines", type=int, default=256, help="lines translated before those that count")
    parser.add_argument("--matrix-size", type=int, default=SIZE)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
