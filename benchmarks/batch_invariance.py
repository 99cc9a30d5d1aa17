"""Does a line's translation depend on the lines beside it?

    python benchmarks/batch_invariance.py RUN FILE [--batchings 1000] [--lines 500] [--seed 1]

translates lines of FILE alone, and then in random batches of 1 to 64 of them with a line of 4 KB of junk in their
midst. Prints what differs; exit status 1 if a translation does, or a score by more than 1e-4.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

from nmt.run_folder import RunFolder
from nmt.translation.lines import Translation
from nmt.translation.translator import Translator, load_translator

LARGEST = 64  # lines of a batch, beside the junk
JUNK_BYTES = 4_096
JUNK_LINES = 4
TOLERANCE = 1e-4


def main() -> int:
    """Compares and reports."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("file", type=Path, help="source text, one sentence a line")
    parser.add_argument("--batchings", type=int, default=1_000, help="random batches (default: 1000)")
    parser.add_argument("--lines", type=int, default=500, help="lines from the beginning of FILE (default: 500)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best")
    arguments = parser.parse_args()

    decoding = RunFolder(arguments.run).config().decoding.model_copy(update={"batch_size": LARGEST + 1})
    translator = load_translator(arguments.run, arguments.checkpoint, decoding)
    generator = random.Random(arguments.seed)
    lines = arguments.file.read_bytes().removesuffix(b"\n").split(b"\n")[: arguments.lines]
    junk = [junk_line(lines, generator) for _ in range(JUNK_LINES)]
    alone = {line: next(translator.translate([line])) for line in {*lines, *junk}}
    print(f"{len(alone)} lines translated alone", flush=True)

    compared, different, apart = 0, 0, 0.0
    for _ in range(arguments.batchings):
        batch = [*generator.choices(lines, k=generator.randint(1, LARGEST)), generator.choice(junk)]
        generator.shuffle(batch)
        for line, one, many in compare(translator, batch, alone):
            compared += 1
            apart = max(apart, abs(one.score - many.score))
            if one.text != many.text:
                different += 1
                print(f"{line!r}\n  alone:     {one.best}\n  in batch:  {many.best}")
    print(f"{arguments.batchings} batches: {compared - different} of {compared} translations equal")
    print(f"scores differ by at most {apart:.1e} (limit {TOLERANCE:.0e})")
    return int(different > 0 or not apart <= TOLERANCE)  # not a number fails too


def junk_line(lines: list[bytes], generator: random.Random) -> bytes:
    """4 KB without a newline: random bytes, and pieces of the text, so that the model has something to say."""
    parts: list[bytes] = []
    while sum(map(len, parts)) < JUNK_BYTES:
        parts.append(generator.choice(lines)[:20] if generator.random() < 0.5 else generator.randbytes(20))
    return b"".join(parts)[:JUNK_BYTES].replace(b"\n", b" ")


def compare(
    translator: Translator, batch: list[bytes], alone: dict[bytes, Translation]
) -> list[tuple[bytes, Translation, Translation]]:
    """Each line of a batch, translated alone and here."""
    together = translator.translate(batch)
    return [(line, alone[line], many) for line, many in zip(batch, together, strict=True)]


if __name__ == "__main__":
    sys.exit(main())
