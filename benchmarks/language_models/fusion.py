"""What does shallow fusion with a model of the target side change?

    python benchmarks/language_models/fusion.py RUN LANGUAGE_MODEL_RUN [--weights 0 0.05 0.1 0.2] [--split validation]

translates a part of the run's prepared corpus without a language model and with one, at each weight. Prints BLEU and
how many lines differ; exit status 1 if weight 0 changes a line.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from nmt.evaluation import read_split
from nmt.metrics import bleu
from nmt.run_folder import RunFolder
from nmt.translation.translator import load_translator


def main() -> int:
    """Translates and compares."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path, help="run folder of a translation model")
    parser.add_argument("language_model", type=Path, help="run folder of a language model over its target side")
    parser.add_argument("--weights", type=float, nargs="+", default=[0.0, 0.05, 0.1, 0.2])
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    arguments = parser.parse_args()

    folder = RunFolder(arguments.run)
    text = read_split(folder, arguments.split)
    decoding = folder.config().decoding
    alone = load_translator(arguments.run, decoding=decoding).translate_texts(text.sources)
    print("| weight | BLEU | lines that differ |\n| --- | --- | --- |")
    print(f"| none | {bleu(alone, *text.references).score:.2f} | |")
    changed_by_nothing = 0
    for weight in arguments.weights:
        fused = {"language_model": str(arguments.language_model), "language_model_weight": weight}
        translator = load_translator(arguments.run, decoding=decoding.model_copy(update=fused))
        lines = translator.translate_texts(text.sources)
        different = sum(a != b for a, b in zip(alone, lines, strict=True))
        changed_by_nothing += different if weight == 0.0 else 0
        print(f"| {weight:g} | {bleu(lines, *text.references).score:.2f} | {different} |", flush=True)
    return int(changed_by_nothing > 0)


if __name__ == "__main__":
    sys.exit(main())
