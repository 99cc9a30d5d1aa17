"""Does an export translate as its run folder does, without Python and in five versions of TensorFlow?

    python benchmarks/serving/runtimes.py RUN EXPORT FILE

translates every line of FILE with the run folder's translator, and with the C program of `tests/serving` in the
installed TensorFlow and in older ones, which are fetched once. Prints for each how many lines are equal, byte by byte,
and those that are not; exit status 1 if there are any, or if a version cannot be had.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "serving"))

from native import NativeModel
from runtimes import VERSIONS, Unavailable, find_runtime  # of tests/serving, though this file has the same name

from nmt.saved_model import read_info, version_folder
from nmt.translation.lines import Translation
from nmt.translation.translator import load_translator


def main() -> int:
    """Compares and reports."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("export", type=Path, help="its export: a version's folder, or the folder of versions")
    parser.add_argument("file", type=Path, help="source text, one sentence a line")
    arguments = parser.parse_args()

    folder = version_folder(arguments.export)
    info = read_info(folder)
    lines = arguments.file.read_bytes().removesuffix(b"\n").split(b"\n")
    expected = list(load_translator(arguments.run, info.checkpoint, info.decoding).translate(lines))
    different = 0
    for version in VERSIONS:
        try:
            different += compare(version, folder, lines, expected, info.decoding.batch_size)
        except Unavailable as reason:
            different += 1
            print(f"TensorFlow {version}: not compared, {reason}", flush=True)
    return int(different > 0)


def compare(
    version: str, folder: Path, lines: Sequence[bytes], expected: Sequence[Translation], batch_size: int
) -> int:
    """Translates in one version of TensorFlow, and reports; the number of lines that differ."""
    begin, seconds, different, apart = time.monotonic(), [], 0, 0.0
    with NativeModel(folder, find_runtime(version)) as native:
        for start in range(0, len(lines), batch_size):
            answer = native.call("serving_default", text=lines[start : start + batch_size])
            seconds.append(native.seconds)
            rows = zip(answer["translation"], answer["cut"], answer["score"], strict=True)
            for number, (text, cut, score) in enumerate(rows, start=start):
                ours = expected[number]
                apart = max(apart, abs(ours.score - float(score)))
                if (text, bool(cut)) != (ours.text.encode(), ours.cut):
                    different += 1
                    print(f"line {number + 1}: {lines[number]!r}\n  run folder: {ours}\n  {version}: {text!r}, {cut}")
    print(
        f"TensorFlow {version}: {len(lines) - different} of {len(lines)} lines equal, scores differ by at most "
        f"{apart:.1e}; loaded in {native.load_seconds:.2f} s, first call {seconds[0]:.2f} s, all calls "
        f"{sum(seconds):.1f} s, {native.memory() / 1e6:.0f} MB; {time.monotonic() - begin:.0f} s in all",
        flush=True,
    )
    return different


if __name__ == "__main__":
    sys.exit(main())
