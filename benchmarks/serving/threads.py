"""Do threads that share one loaded export get the answers that they get alone?

    python benchmarks/serving/threads.py EXPORT FILE [--threads 16] [--calls 1000] [--requests 100] [--seed 1]

makes requests of 1 to 4 lines of FILE, turn by turn for every signature that the export has, and lets the C program of
`tests/serving` answer them one after the other, and then in 16 threads of 1,000 calls each. Prints how many answers
differ in a byte; exit status 1 if one does, or is an error.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "serving"))

from native import NativeModel, compare_threads, inputs_for
from runtimes import INSTALLED, VERSIONS, find_runtime

from nmt.saved_model import version_folder

LARGEST = 4  # lines of a request


def main() -> int:
    """Calls and reports."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("export", type=Path, help="a version's folder, or the folder of versions")
    parser.add_argument("file", type=Path, help="source text, one sentence a line")
    parser.add_argument("--threads", type=int, default=16, help="default: 16")
    parser.add_argument("--calls", type=int, default=1_000, help="calls of each thread (default: 1000)")
    parser.add_argument("--requests", type=int, default=100, help="different requests (default: 100)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--version", choices=VERSIONS, default=INSTALLED, help="of TensorFlow (default: the installed)")
    arguments = parser.parse_args()

    folder, runtime = version_folder(arguments.export), find_runtime(arguments.version)
    lines = arguments.file.read_bytes().removesuffix(b"\n").split(b"\n")
    with NativeModel(folder, runtime) as native:
        requests = list(islice(mixed(native, lines, random.Random(arguments.seed)), arguments.requests))
        print(f"{len(requests)} requests of the signatures {', '.join(native.signatures)}", flush=True)
    result = compare_threads(folder, runtime, requests, arguments.threads, arguments.calls)
    print(result.stdout.strip() or f"exit status {result.returncode}: {result.stderr.strip()}")
    return int(result.returncode != 0)


def mixed(
    native: NativeModel, lines: Sequence[bytes], generator: random.Random
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Requests of all signatures in turn, with random lines."""
    for signature in cycle(native.signatures):
        yield signature, inputs_for(native, signature, generator.choices(lines, k=generator.randint(1, LARGEST)))


if __name__ == "__main__":
    sys.exit(main())
