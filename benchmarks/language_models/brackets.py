"""Does a character model close the brackets that it opens?

    nmt prepare configs/language_models/brackets.yaml && nmt lm train configs/language_models/brackets.yaml
    python benchmarks/language_models/brackets.py runs/brackets [--lines 1000] [--seed 1]

samples lines from the model and reads them with a stack. A bracket is closed if its partner stands at the right place:
a closing bracket that does not fit the last open one closes nothing. Prints the share that is closed; exit status 1 if
it is below 95 %.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

PARTNERS = {")": "(", "]": "[", "}": "{", ">": "<"}
GOAL = 0.95


def main() -> int:
    """Samples and counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", help="run folder of a character model, or its configuration")
    parser.add_argument("--lines", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    command = [sys.executable, "-m", "nmt", "lm", "sample", arguments.run]
    command += ["--lines", str(arguments.lines), "--seed", str(arguments.seed)]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    counts = [closed_and_opened(line) for line in lines]
    closed, opened = (sum(numbers) for numbers in zip(*counts, strict=True))
    depth = max(max_depth(line) for line in lines)
    print(f"{len(lines)} lines, {opened} brackets opened, nested up to {depth} deep")
    print(f"closed: {closed} ({closed / opened:.2%}); lines without any fault: {sum(is_balanced(x) for x in lines)}")
    return int(closed < GOAL * opened)


def closed_and_opened(line: str) -> tuple[int, int]:
    """How many brackets of a line are closed, and how many are opened."""
    stack: list[str] = []
    closed = opened = 0
    for character in line:
        if character in PARTNERS.values():
            opened += 1
            stack.append(character)
        elif character in PARTNERS and stack and stack[-1] == PARTNERS[character]:
            closed += 1
            stack.pop()
    return closed, opened


def max_depth(line: str) -> int:
    """Brackets open at once, at most."""
    depth = deepest = 0
    for character in line:
        depth += (character in PARTNERS.values()) - (character in PARTNERS)
        deepest = max(deepest, depth)
    return deepest


def is_balanced(line: str) -> bool:
    """Whether every bracket is closed, and no closing one stands alone."""
    closed, opened = closed_and_opened(line)
    return closed == opened == sum(character in PARTNERS for character in line)


if __name__ == "__main__":
    sys.exit(main())
