"""Does the memory of `nmt translate` grow with the length of the text?

    python benchmarks/translation/memory.py RUN TEXT [--lines 100000] [--first 10000] [--batch-size 64]

translates the lines of TEXT, repeated to 100,000, and reads the resident memory of the process when 10,000 lines are
written, and from then on until it ends. Prints both; exit status 1 if they differ by more than 5 %.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOLERANCE = 0.05
SECONDS = 0.2  # between two looks


def main() -> int:
    """Translates, watches and reports."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path, help="run folder")
    parser.add_argument("text", type=Path, help="source text, one sentence a line")
    parser.add_argument("--lines", type=int, default=100_000, help="lines to translate (default: 100000)")
    parser.add_argument("--first", type=int, default=10_000, help="line of the first reading (default: 10000)")
    parser.add_argument("--batch-size", type=int, default=64, help="lines translated together (default: 64)")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder, "source.txt"), Path(folder, "output.txt")
        repeat_lines(arguments.text, source, arguments.lines)
        options = ["--batch-size", str(arguments.batch_size), "--input", str(source), "--output", str(output)]
        command = [sys.executable, "-m", "nmt", "translate", str(arguments.run), *options]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            readings = watch(process, output, arguments.first)
        written = count_lines(output)
    if process.returncode or written != arguments.lines or not readings:
        raise SystemExit(f"expected {arguments.lines:,} lines and a reading, received {written:,} and {len(readings)}")
    first, last = readings[0], readings[-1]
    growth = last / first - 1.0
    print(f"resident memory at line {arguments.first:,}: {first / 1e6:.1f} MB, at the end: {last / 1e6:.1f} MB")
    print(f"{growth:+.1%} (limit {TOLERANCE:.0%}); at most {max(readings) / 1e6:.1f} MB in between")
    return int(abs(growth) > TOLERANCE)


def repeat_lines(text: Path, output: Path, count: int) -> None:
    """Writes the lines of a text again and again, so many in all."""
    with text.open("rb") as file:
        lines = [line.removesuffix(b"\n") + b"\n" for line in file]
    with output.open("wb") as file:
        file.writelines(itertools.islice(itertools.cycle(lines), count))


def watch(process: subprocess.Popen[bytes], output: Path, first: int) -> list[int]:
    """Bytes of resident memory, again and again, from the moment when `first` lines are written."""
    part, readings = output.with_name(f"{output.name}.part"), list[int]()
    lines, offset = 0, 0
    while process.poll() is None:
        if lines < first:
            found, offset = new_lines(part, offset)
            lines += found
        if lines >= first:
            readings += resident(process.pid)
        time.sleep(SECONDS)
    return readings


def new_lines(path: Path, offset: int) -> tuple[int, int]:
    """How many lines stand behind a place of a file that grows, and where it ends."""
    if not path.exists():
        return 0, offset
    with path.open("rb") as file:
        file.seek(offset)
        text = file.read()
    return text.count(b"\n"), offset + len(text)


def resident(pid: int) -> list[int]:
    """Bytes of resident memory of a process; nothing where it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [1_024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")]


def count_lines(path: Path) -> int:
    """Lines of a file; none where it is missing."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        return sum(1 for _ in file)


if __name__ == "__main__":
    sys.exit(main())
