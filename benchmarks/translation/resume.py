"""Is the output of a translation that is killed and resumed an uninterrupted one's, byte for byte?

    python benchmarks/translation/resume.py RUN TEXT [--lines 5000] [--kills 20] [--seed 1] [--only FORM]

translates TEXT, repeated to so many lines, to plain text, to JSON and to tab-separated values with the 3 best, and to
compressed text: once without a disturbance, and then with 20 SIGKILLs at random moments, after each of which it goes on
with --resume. Prints whether the outputs are equal; exit status 1 if one is not, or if no kill left a part behind.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from memory import repeat_lines

N_BEST = ["--n-best", "3", "--beam-size", "3"]
FORMS: dict[str, tuple[str, list[str]]] = {
    "text": ("output.txt", []),
    "jsonl": ("output.jsonl", ["--format", "jsonl", *N_BEST]),
    "tsv": ("output.tsv", ["--format", "tsv", *N_BEST]),
    "gzip": ("output.txt.gz", []),
    "jsonl-gzip": ("output.jsonl.gz", ["--format", "jsonl", *N_BEST]),
}


def main() -> int:
    """Kills, resumes, compares and reports."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("text", type=Path, help="source text, one sentence a line")
    parser.add_argument("--lines", type=int, default=5_000, help="lines to translate (default: 5000)")
    parser.add_argument("--kills", type=int, default=20, help="of each form (default: 20)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=FORMS, help="this form alone")
    arguments = parser.parse_args()

    generator, faults = random.Random(arguments.seed), 0
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source.txt")
        repeat_lines(arguments.text, source, arguments.lines)
        for form in [arguments.only] if arguments.only else FORMS:
            name, options = FORMS[form]
            whole, killed = (Path(folder, form, kind, name) for kind in ("whole", "killed"))
            command = [sys.executable, "-m", "nmt", "translate", str(arguments.run), "--input", str(source), *options]
            seconds = translate(command, whole)
            parts = kill_again_and_again(command, killed, arguments.kills, seconds, generator)
            same = whole.read_bytes() == killed.read_bytes()
            litter = [path.name for path in killed.parent.iterdir() if path != killed]
            faults += not same or bool(litter) or not any(parts)
            print(
                f"{form}: {arguments.kills} kills, which left {min(parts):,} to {max(parts):,} bytes of "
                f"{killed.stat().st_size:,}: {'equal' if same else 'NOT equal'}{'; litter: ' if litter else ''}"
                f"{', '.join(litter)}",
                flush=True,
            )
    return int(faults > 0)


def translate(command: list[str], output: Path) -> float:
    """Translates into a file without a disturbance; returns the seconds."""
    output.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    subprocess.run([*command, "--output", str(output), "--resume"], check=True, stderr=subprocess.DEVNULL)
    return time.monotonic() - start


def kill_again_and_again(
    command: list[str], output: Path, kills: int, seconds: float, generator: random.Random
) -> list[int]:
    """Translates into a file, killed so many times; returns how many bytes each kill left."""
    output.parent.mkdir(parents=True, exist_ok=True)
    part, parts = output.with_name(f"{output.name}.part"), list[int]()
    while len(parts) < kills:
        process = subprocess.Popen([*command, "--output", str(output), "--resume"], stderr=subprocess.DEVNULL)
        try:
            process.wait(generator.uniform(0.0, seconds))
            output.unlink()  # it was whole before the kill came: once more from the beginning
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            parts.append(part.stat().st_size if part.exists() else 0)
    translate(command, output)
    return parts


if __name__ == "__main__":
    sys.exit(main())
