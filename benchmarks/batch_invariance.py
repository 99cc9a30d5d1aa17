"""Does a line's translation depend on the lines beside it?

    python benchmarks/batch_invariance.py RUN FILE [--batch-size 64]

translates every line of FILE alone and in batches. Prints how many lines are equal, and those that are not; exit
status 1 if there are any.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from nmt.run_folder import RunFolder
from nmt.translation import load_translator


def main() -> int:
    """Compares and reports."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("file", type=Path, help="source text, one sentence a line")
    parser.add_argument("--batch-size", type=int, default=64, help="lines translated together (default: 64)")
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best")
    arguments = parser.parse_args()

    decoding = RunFolder(arguments.run).config().decoding.model_copy(update={"batch_size": arguments.batch_size})
    translator = load_translator(arguments.run, arguments.checkpoint, decoding)
    lines = arguments.file.read_bytes().removesuffix(b"\n").split(b"\n")
    together = list(translator.translate(lines))
    alone = [next(translator.translate([line])) for line in lines]

    different = 0
    for number, (line, one, many) in enumerate(zip(lines, alone, together, strict=True), start=1):
        if one.text != many.text:
            different += 1
            print(f"line {number}: {line!r}\n  alone:     {one}\n  in batch:  {many}")
    apart = max((abs(a.log_prob - b.log_prob) for a, b in zip(alone, together, strict=True)), default=0.0)
    print(f"{len(lines) - different} of {len(lines)} lines equal; log-probabilities differ by at most {apart:.1e}")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
