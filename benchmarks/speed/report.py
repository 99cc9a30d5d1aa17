"""What was measured: kept as it comes, summed up as tables, written as JSON."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import Any

import sacrebleu
from arithmetic import multiply_adds, training_operations
from contenders import Contender
from corpus import Corpus
from figures import Range, range_of, ratios, table
from protocol import Job, read_lines

UNITS = {"train": "target tokens/s", "translate": "lines/s", "latency": "ms a line"}
TITLES = {"train": "Training", "translate": "Translating the test part", "latency": "Latency of one line, greedy"}
LESS_IS_BETTER = {"latency"}
PATHS = {"corpus", "folder", "scratch", "output", "hypotheses"}  # of this machine: no figures
MATRIX_PRECISION = {"float32": "float32", "mixed_bfloat16": "bfloat16"}

Answers = dict[Contender, list[dict[str, Any]]]


class Report:
    """All figures of a run.

    Args:
        job: what all jobs have in common.
        corpus: what is trained on.
        machine: its description.
        options: what was asked for.
    """

    def __init__(self, job: Job, corpus: Corpus, machine: dict[str, Any], options: dict[str, Any]) -> None:
        self.job = job
        self.corpus = corpus
        self.machine = machine
        self.options = options
        self.matrix_rates: list[dict[str, float]] = []
        self.learned: dict[Contender, dict[str, Any]] = {}
        self.answers: dict[str, Answers] = {}

    def add_learned(self, contender: Contender, learned: dict[str, Any]) -> None:
        """What a contender learned in its epochs; the validation's BLEU after each is added where it is missing."""
        references = [" ".join(line.splitlines()) for line in self.corpus.prepared.text("validation")[1]]
        for epoch in learned["epochs"]:
            if "bleu" not in epoch:
                hypotheses = self.corpus.text_of(read_lines(Path(epoch["hypotheses"])))
                epoch["bleu"] = sacrebleu.corpus_bleu(hypotheses, [references]).score
        self.learned[contender] = learned

    def add(self, task: str, contender: Contender, answer: dict[str, Any], hypotheses: Path) -> str:
        """What a worker answered; returns its figure."""
        if task == "translate":
            lines = read_lines(hypotheses)
            text = lines if contender.is_ours else self.corpus.text_of(lines)
            answer["bleu"] = sacrebleu.corpus_bleu(text, [self.corpus.references]).score
        self.answers.setdefault(task, {}).setdefault(contender, []).append(answer)
        return f"{figure(task, answer):,.1f} {UNITS[task]}"

    def summary(self, task: str) -> dict[Contender, dict[str, Any]]:
        """For each contender: its figure over all rounds, and how many times better it is than each peer."""
        answers = self.answers[task]
        figures = {contender: [figure(task, answer) for answer in of] for contender, of in answers.items()}
        rounds = min(map(len, figures.values()))  # the last one may have been broken off
        summed = {}
        for contender, values in figures.items():
            summed[contender] = {
                "figure": range_of(values),
                "peak_memory": max(answer["peak_memory"] for answer in answers[contender]),
                "against": {
                    str(other): ratios(values[:rounds], theirs[:rounds], task in LESS_IS_BETTER)
                    for other, theirs in figures.items()
                    if contender.is_ours and not other.is_ours and other.sentences == contender.sentences
                },
                **(self._arithmetic(contender, values) if task == "train" else {}),
                **({"bleu": answers[contender][-1]["bleu"]} if task == "translate" else {}),
            }
        return summed

    def best(self) -> dict[str, tuple[Contender, Range]]:
        """Every system's fastest setting of training."""
        found: dict[str, tuple[Contender, Range]] = {}
        for contender, of in self.summary("train").items():
            best = found.get(contender.system)
            if best is None or of["figure"].median > best[1].median:
                found[contender.system] = (contender, of["figure"])
        return found

    def _arithmetic(self, contender: Contender, tokens_per_second: list[float]) -> dict[str, Any]:
        """Multiply-adds of a target token, and the share of the matrix rate that was measured in the same round."""
        form, sizes, lengths = contender.form, self.job.sizes, self.corpus.lengths
        operations = training_operations(sizes, form, lengths)
        precision = MATRIX_PRECISION[contender.precision]
        rates = [rate[precision] for rate in self.matrix_rates]
        shares = [tokens * operations / rate for tokens, rate in zip(tokens_per_second, rates, strict=False)]
        return {"multiply_adds": multiply_adds(sizes, form, lengths), "share": range_of(shares)}

    def write(self, path: Path) -> None:
        """All that is known, as JSON; aside and renamed, so that a kill leaves the file of before."""
        values = {
            "options": self.options,
            "machine": self.machine,
            "corpus": {"pairs": self.corpus.pairs, "mean_lengths": asdict(self.corpus.lengths)},
            "job": _without_paths(asdict(self.job)),
            "matrix_rates": self.matrix_rates,
            "learned": {
                str(contender): learned | {"epochs": [_without_paths(epoch) for epoch in learned["epochs"]]}
                for contender, learned in self.learned.items()
            },
            "rounds": {task: _named(answers) for task, answers in self.answers.items()},
            "summary": {task: _named(self.summary(task)) for task in self.answers},
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f"{path.name}.tmp")
        aside.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        aside.replace(path)

    def __str__(self) -> str:
        parts = [self._matrix_text()] if self.matrix_rates else []
        parts += [self._learned_text()] if self.learned else []
        parts += [self._task_text(task) for task in self.answers]
        if len({contender.sentences for contender in self.answers.get("train", {})}) > 1:
            parts.append(self._best_text())
        return "\n\n".join(parts)

    def _matrix_text(self) -> str:
        rates = {name: statistics.median(rate[name] for rate in self.matrix_rates) for name in self.matrix_rates[0]}
        return "Matrix rate: " + ", ".join(f"{name} {rate / 1e9:,.0f} GFLOP/s" for name, rate in rates.items())

    def _learned_text(self) -> str:
        rows = [
            (str(contender), f"{number}", f"{epoch['seconds'] / 60:.1f}", f"{epoch['bleu']:.1f}")
            for contender, learned in self.learned.items()
            for number, epoch in enumerate(learned["epochs"], start=1)
        ]
        return "Learning\n\n" + table(("system", "epoch", "minutes of training", "validation BLEU, greedy"), rows)

    def _task_text(self, task: str) -> str:
        summed = self.summary(task)
        peers = [contender for contender in summed if not contender.is_ours]
        more = {"train": ("million multiply-adds", "share of the matrix rate"), "translate": ("BLEU",)}.get(task, ())
        systems = list(dict.fromkeys(peer.system for peer in peers))
        header = ("system", UNITS[task], "peak MB", *more, *(f"times {system}" for system in systems))
        rows = [(str(contender), *_cells(task, of, systems)) for contender, of in summed.items()]
        return f"{TITLES[task]}\n\n{table(header, rows)}"

    def _best_text(self) -> str:
        best = self.best()
        lines = [f"{contender}: {of.median:,.0f} target tokens/s" for contender, of in best.values()]
        return "Best settings\n\n" + "\n".join(lines)


def figure(task: str, answer: dict[str, Any]) -> float:
    """The one number of an answer, in `UNITS`."""
    if task == "train":
        return float(answer["tokens"] / answer["seconds"])
    if task == "translate":
        return float(answer["lines"] / answer["seconds"])
    return 1e3 * statistics.median(answer["latencies"])


def _cells(task: str, of: dict[str, Any], systems: list[str]) -> list[str]:
    middle, low, high = of["figure"]
    cells = [f"{middle:,.1f} ({low:,.1f} to {high:,.1f})", f"{of['peak_memory'] / 1e6:,.0f}"]
    if task == "train":
        cells += [f"{of['multiply_adds'] / 1e6:.2f}", f"{100 * of['share'].median:.0f} %"]
    if task == "translate":
        cells.append(f"{of['bleu']:.1f}")
    by_system = {name.partition(",")[0]: ratio for name, ratio in of["against"].items()}
    return cells + [str(by_system.get(system, "")) for system in systems]


def _named(by_contender: dict[Contender, Any]) -> dict[str, Any]:
    return {str(contender): values for contender, values in by_contender.items()}


def _without_paths(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in PATHS}
