"""Does what made training and translation faster cost quality, beyond what another seed changes?

    git worktree add ../before COMMIT
    python benchmarks/speed/seeds.py --corpus data/multi30k --states before=../before,float32 now=.,mixed_bfloat16

trains the benchmark's model with each of `--seeds` by the code of each checkout, in its precision, and translates the
test part by beam search, exactly. Prints BLEU on the validation part (greedy, the best epoch's) and on the test part.
With `--shortcuts`, those of this checkout are translated once more with them. What is trained already by the same
commit is not trained again. Exit status 1 where a command fails.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from corpus import ROOT, Corpus
from figures import range_of, table
from install_peers import peers_folder
from machine import description
from protocol import Recipe, Sizes
from systems.keras_nmt import NAME, settings_of

SHORTCUTS = {"decoding.shortlist": 1_024, "decoding.lookahead": 5}


class State(NamedTuple):
    """The code that trains, and how.

    Attributes:
        name: for the table.
        checkout: folder of its `nmt`.
        precision: in which it trains.
    """

    name: str
    checkout: Path
    precision: str

    @property
    def commit(self) -> str:
        """Of the checkout, marked where files of it were changed since."""
        command = ["git", "-C", str(self.checkout), "describe", "--always", "--dirty", "--exclude", "*"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main() -> int:
    """Trains, translates and prints."""
    arguments = _arguments()
    if len({state.name for state in arguments.states}) < len(arguments.states):
        names = ", ".join(state.name for state in arguments.states)
        print(f"expected states of different names, received {names}; rename one of them", file=sys.stderr)
        return 1
    folder = arguments.folder.resolve()
    corpus = Corpus(arguments.corpus, folder / "corpus", Sizes().vocabulary)
    measured: dict[str, dict[str, list[float]]] = {}
    try:
        for seed in arguments.seeds:
            for state in arguments.states:
                scratch = folder / "seeds" / f"{state.name}-{state.commit}-{state.precision}-{seed}-{arguments.epochs}"
                settings = _settings(corpus, state, seed, arguments.epochs)
                bleu = _bleu(state, scratch, settings, arguments.beam_size, arguments.shortcuts)
                for text, value in bleu.items():
                    measured.setdefault(state.name, {}).setdefault(text, []).append(value)
                print(f"seed {seed}, {state.name}: {bleu}", file=sys.stderr, flush=True)
    except subprocess.CalledProcessError as error:
        print(f"{' '.join(map(str, error.cmd))} failed", file=sys.stderr)
        return 1
    rows = [(name, text, str(range_of(values))) for name, texts in measured.items() for text, values in texts.items()]
    print(table(("state", "BLEU of", f"median of {len(arguments.seeds)} seeds (least to greatest)"), rows))
    if arguments.results:
        options = {name: value for name, value in vars(arguments).items() if name in ("seeds", "epochs", "beam_size")}
        commits = {state.name: f"{state.commit}, {state.precision}" for state in arguments.states}
        written = {"machine": description(), "options": options, "states": commits, "bleu": measured}
        arguments.results.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    return 0


def _settings(corpus: Corpus, state: State, seed: int, epochs: int) -> dict[str, Any]:
    job = corpus.job(precision=state.precision, sentences=64)
    return settings_of(replace(job, recipe=replace(Recipe(), seed=seed)), epochs)


def _bleu(state: State, scratch: Path, settings: dict[str, Any], beam_size: int, shortcuts: bool) -> dict[str, float]:
    """Of both parts, by what was translated."""
    scratch.mkdir(parents=True, exist_ok=True)
    (scratch / "config.yaml").write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
    run = Path("runs") / NAME
    _nmt(state, scratch, "train", "config.yaml")
    lines = (scratch / run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rounds = [event["bleu"] for event in map(json.loads, lines) if event["event"] == "validation"]
    bleu = {"validation, greedy": max(rounds)}
    searches: dict[str, dict[str, int]] = {f"test, beam of {beam_size}": {}}
    if shortcuts and state.checkout == ROOT:
        _nmt(state, scratch, "shortlist", run)
        searches["the same with shortcuts"] = SHORTCUTS
    for text, options in searches.items():
        changes = [part for key, value in options.items() for part in ("--set", f"{key}={value}")]
        _nmt(state, scratch, "evaluate", run, "--beam-size", beam_size, *changes)
        report = json.loads((scratch / run / "report.json").read_text(encoding="utf-8"))
        bleu[text] = report["bleu"]["score"]
    return bleu


def _nmt(state: State, folder: Path, *arguments: Any) -> None:
    """Runs a command of the state's `nmt` in a folder.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    command = [sys.executable, "-m", "nmt", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(state.checkout)}
    subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)


def _state(text: str) -> State:
    name, _, rest = text.partition("=")
    checkout, _, precision = rest.rpartition(",")
    if not (name and checkout and precision):
        raise argparse.ArgumentTypeError(f"expected NAME=CHECKOUT,PRECISION, received {text}")
    if not (Path(checkout) / "nmt" / "__init__.py").exists():
        raise argparse.ArgumentTypeError(f"expected a checkout with a folder nmt, received {checkout}")
    return State(name, Path(checkout).resolve(), precision)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--corpus", type=Path, default=Path("data/multi30k"), help="folder of Multi30k's files")
    parser.add_argument("--folder", type=Path, default=peers_folder().parent / "speed", help="where models are kept")
    parser.add_argument("--states", type=_state, nargs="+", metavar="NAME=CHECKOUT,PRECISION", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--beam-size", type=int, default=5)
    parser.add_argument("--shortcuts", action="store_true", help="translate this checkout's with them, too")
    parser.add_argument("--results", type=Path, help="a file for all figures, as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
