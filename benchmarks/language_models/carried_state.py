"""What is it worth to hand a language model's state from segment to segment?

    python benchmarks/language_models/carried_state.py CONFIG [--seeds 1 2 3] [--set KEY=VALUE]

trains the configuration twice for each seed, with the state carried over the cuts of back-propagation through time and
with the state reset at each of them; model, text and steps are the same, and the validation carries the state for both
models. Runs in the current folder (`prepared/`, `runs/`), goes on where it was cut off, and prints the validation
perplexities. Exit status 1 where a command fails or a carried state is the worse one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from nmt.config import load_language_model_config
from nmt.errors import ConfigError


def main() -> int:
    """Trains and compares."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("config", type=Path, help="a language model's configuration")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    arguments = parser.parse_args()
    try:
        name = load_language_model_config(arguments.config, arguments.overrides).name
    except ConfigError as error:
        parser.error(str(error))

    print("| seed | state carried | state reset | ratio |\n| --- | --- | --- | --- |")
    worse = 0
    for seed in arguments.seeds:
        carried, reset = (
            perplexity(arguments.config, arguments.overrides, f"{name}-{kind}-{seed}", seed, carry_state)
            for kind, carry_state in (("carried", "true"), ("reset", "false"))
        )
        worse += carried >= reset
        print(f"| {seed} | {carried:.4f} | {reset:.4f} | {carried / reset:.3f} |", flush=True)
    return int(worse > 0)


def perplexity(config: Path, overrides: list[str], run: str, seed: int, carry_state: str) -> float:
    """Trains in a run folder of that name; the best validation perplexity."""
    settings = [*overrides, f"name={run}", f"training.seed={seed}", f"training.carry_state={carry_state}"]
    options = [part for setting in settings for part in ("--set", setting)]
    for command in (["prepare"], ["lm", "train"]):
        nmt(*command, str(config), *options)
    lines = (Path("runs") / run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rounds = [line for line in map(json.loads, lines) if line.get("event") == "validation"]
    return float(min(line["perplexity"] for line in rounds))


def nmt(*arguments: str) -> None:
    """Runs a command, which says on stderr what it does."""
    status = subprocess.run([sys.executable, "-m", "nmt", *arguments], stdout=subprocess.DEVNULL).returncode
    if status:
        raise SystemExit(f"nmt {' '.join(arguments)} ended with status {status}")


if __name__ == "__main__":
    sys.exit(main())
