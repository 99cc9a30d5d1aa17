"""Does a SavedModel translate as its run folder does?

    python benchmarks/saved_model_parity.py RUN SAVED_MODEL FILE

translates every line of FILE twice: in a process that imports only TensorFlow and TF Text, and with the run folder's
translator, whose tokens come from SentencePiece. Prints how many lines are equal, and those that are not; exit status 1
if there are any.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from nmt.saved_model import read_info, version_folder
from nmt.saved_model.calls import Call, call_apart, texts
from nmt.translation.lines import Hypothesis, Translation
from nmt.translation.translator import load_translator


def main() -> int:
    """Compares and reports."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("saved_model", type=Path, help="its export: a version's folder, or the folder of versions")
    parser.add_argument("file", type=Path, help="source text, one sentence a line")
    arguments = parser.parse_args()

    folder = version_folder(arguments.saved_model)
    info = read_info(folder)
    lines = arguments.file.read_bytes().removesuffix(b"\n").split(b"\n")
    size = info.decoding.batch_size
    batches = [lines[start : start + size] for start in range(0, len(lines), size)]
    answers = call_apart(folder, [Call("serving_default", {"text": texts(batch)}) for batch in batches])
    received = [
        Translation((Hypothesis(text.decode(), float(log_prob), float(score)),), bool(cut))
        for answer in answers
        for text, log_prob, score, cut in zip(
            *(answer[name] for name in ("translation", "log_prob", "score", "cut")), strict=True
        )
    ]
    expected = list(load_translator(arguments.run, info.checkpoint, info.decoding).translate(lines))

    different = 0
    for number, (line, ours, theirs) in enumerate(zip(lines, expected, received, strict=True), start=1):
        if (ours.text, ours.cut) != (theirs.text, theirs.cut):
            different += 1
            print(f"line {number}: {line!r}\n  run folder:  {ours}\n  SavedModel:  {theirs}")
    apart = max((abs(a.log_prob - b.log_prob) for a, b in zip(expected, received, strict=True)), default=0.0)
    print(f"{len(lines) - different} of {len(lines)} lines equal; log-probabilities differ by at most {apart:.1e}")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
