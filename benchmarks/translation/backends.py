"""Does the same beam search, compiled on Keras' TensorFlow and JAX backends, find the same translations?

    python benchmarks/translation/backends.py RUN TEXT [--lines 100] [--batch-size 20]

translates the first 100 lines of TEXT in a process of each backend (JAX must be installed). Prints the lines that
differ, how far scores are apart, and the speed of each; exit status 1 if a translation differs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BACKENDS = ("tensorflow", "jax")


def main() -> int:
    """Translates twice, compares and reports; in a process of one backend, translates."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("text", type=Path, help="source text, one sentence a line")
    parser.add_argument("--lines", type=int, default=100, help="how many lines from the beginning (default: 100)")
    parser.add_argument("--batch-size", type=int, default=20, help="lines translated together (default: 20)")
    parser.add_argument("--here", action="store_true", help="translate in this process, and print JSON")
    arguments = parser.parse_args()
    if arguments.here:
        lines = arguments.text.read_bytes().removesuffix(b"\n").split(b"\n")[: arguments.lines]
        print(json.dumps(translate(arguments.run, lines, arguments.batch_size)))
        return 0

    results = [translate_apart(backend) for backend in BACKENDS]
    for backend, result in zip(BACKENDS, results, strict=True):
        print(
            f"{backend}: {len(result['texts']) / result['seconds']:.1f} lines/s; the first time, with compiling, "
            f"{result['first_seconds']:.1f} s"
        )
    one, other = results
    different = [i for i, pair in enumerate(zip(one["texts"], other["texts"], strict=True)) if pair[0] != pair[1]]
    for i in different:
        print(f"line {i + 1}:\n  {BACKENDS[0]}: {one['texts'][i]}\n  {BACKENDS[1]}: {other['texts'][i]}")
    apart = max(abs(a - b) for a, b in zip(one["scores"], other["scores"], strict=True))
    print(
        f"{len(one['texts']) - len(different)} of {len(one['texts'])} translations equal; scores differ by at most "
        f"{apart:.1e}"
    )
    return int(bool(different))


def translate_apart(backend: str) -> Any:
    """What `translate` returns in a process of that backend."""
    environment = os.environ | {"KERAS_BACKEND": backend}
    command = [sys.executable, *sys.argv, "--here"]
    result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{backend}: the translation ended with status {result.returncode}")
    return json.loads(result.stdout.splitlines()[-1])


def translate(run: Path, lines: list[bytes], batch_size: int) -> dict[str, Any]:
    """Texts and scores of lines, and the seconds of the first time and of the second, when all is compiled."""
    from nmt.run_folder import RunFolder
    from nmt.translation.translator import load_translator

    decoding = RunFolder(run).config().decoding.model_copy(update={"batch_size": batch_size})
    translator = load_translator(run, decoding=decoding)
    times = [time.monotonic()]
    for _ in range(2):
        translations = list(translator.translate(lines))
        times.append(time.monotonic())
    return {
        "texts": [translation.text for translation in translations],
        "scores": [translation.score for translation in translations],
        "first_seconds": times[1] - times[0],
        "seconds": times[2] - times[1],
    }


if __name__ == "__main__":
    sys.exit(main())
