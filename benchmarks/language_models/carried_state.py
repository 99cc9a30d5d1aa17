"""What is it worth to hand a language model's state from segment to segment?

    python benchmarks/language_models/carried_state.py CONFIG [--seeds 1 2 3] [--set KEY=VALUE]

trains the configuration twice for each seed, with the state carried over the cuts of back-propagation through time and
with the state reset at each of them; model, text and steps are the same. Runs in the current folder (`prepared/`,
`runs/`), goes on where it was cut off, and prints the validation perplexities. Exit status 1 if a carried state is ever
the worse one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from nmt.config import load_language_model_config


def main() -> int:
    """Trains and compares."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("config", type=Path, help="a language model's configuration")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    arguments = parser.parse_args()

    print("| seed | state carried | state reset | ratio |\n| --- | --- | --- | --- |")
    worse = 0
    for seed in arguments.seeds:
        carried, reset = (
            perplexity(arguments.config, [*arguments.overrides, f"training.seed={seed}"], carry)
            for carry in ("true", "false")
        )
        worse += carried >= reset
        print(f"| {seed} | {carried:.4f} | {reset:.4f} | {carried / reset:.3f} |", flush=True)
    return int(worse > 0)


def perplexity(config: Path, overrides: list[str], carry: str) -> float:
    """Trains in a run folder of its own; the best validation perplexity."""
    seed = overrides[-1].partition("=")[2]
    own = f"{load_language_model_config(config, overrides).name}-{'carried' if carry == 'true' else 'reset'}-{seed}"
    settings = [*overrides, f"name={own}", f"training.carry_state={carry}"]
    options = [part for setting in settings for part in ("--set", setting)]
    for command in (["prepare"], ["lm", "train"]):
        subprocess.run([sys.executable, "-m", "nmt", *command, str(config), *options], check=True, capture_output=True)
    lines = (Path("runs") / own / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rounds = [line for line in map(json.loads, lines) if line.get("event") == "validation"]
    return float(min(line["perplexity"] for line in rounds))


if __name__ == "__main__":
    sys.exit(main())
