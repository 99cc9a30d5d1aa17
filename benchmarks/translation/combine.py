"""What do ensembles and minimum Bayes risk change?

    python benchmarks/translation/combine.py RUN RUN RUN TEXT REFERENCE [--samples 20] [--n-best 10]

translates TEXT with each run and with all of them together, and prints BLEU; then, with the first run, by beam search,
by minimum Bayes risk over 20 samples and over the 10 best, and prints chrF, which that risk is made of. Exit status 1
if the ensemble's BLEU is not above that of each member.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from nmt.config import changed_decoding
from nmt.metrics import bleu, chrf
from nmt.run_folder import RunFolder
from nmt.translation.translator import load_translator


def main() -> int:
    """Translates and compares."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("runs", type=Path, nargs="+", help="run folders with the same target subwords, two or more")
    parser.add_argument("text", type=Path, help="source text, one sentence a line")
    parser.add_argument("reference", type=Path, help="its translation, line by line")
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--n-best", type=int, default=10)
    arguments = parser.parse_args()
    if len(arguments.runs) < 2:
        parser.error(f"expected two runs or more, received {arguments.runs[0]} alone")
    sources, references = (read_lines(path) for path in (arguments.text, arguments.reference))

    print("| model | BLEU |\n| --- | --- |")
    members = []
    for run in arguments.runs:
        members.append(bleu(translate(run, sources), references).score)
        print(f"| {run} | {members[-1]:.2f} |", flush=True)
    others = [str(run) for run in arguments.runs[1:]]
    together = bleu(translate(arguments.runs[0], sources, ensemble=others), references).score
    print(f"| all together | {together:.2f} |\n")

    n_best = {"beam_size": arguments.n_best, "n_best": arguments.n_best, "minimum_bayes_risk": True}
    searches: dict[str, dict[str, Any]] = {
        "beam": {},
        f"minimum Bayes risk, {arguments.samples} samples": {"samples": arguments.samples, "minimum_bayes_risk": True},
        f"minimum Bayes risk, {arguments.n_best} best": n_best,
    }
    print("| search | chrF | BLEU |\n| --- | --- | --- |")
    for name, changes in searches.items():
        lines = translate(arguments.runs[0], sources, **changes)
        print(f"| {name} | {chrf(lines, references).score:.2f} | {bleu(lines, references).score:.2f} |", flush=True)
    return int(together <= max(members))


def read_lines(path: Path) -> list[str]:
    """The lines of a text."""
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def translate(run: Path, sources: list[str], **changes: Any) -> list[str]:
    """Translations by a run's model, searched as its configuration says but for these changes."""
    decoding = changed_decoding(RunFolder(run).config(), changes)
    return load_translator(run, decoding=decoding).translate_texts(sources)


if __name__ == "__main__":
    sys.exit(main())
