"""How much anonymous memory does a pair of sentences cost a training?

    python benchmarks/memory_per_pair.py --folder FOLDER [--pairs 1000000 20000000] [--minutes 0.5]

writes two prepared corpora of random token ids into FOLDER (20 million pairs need 4 GB of disk; removed at the end),
runs `nmt train` on each for some time in a process of its own and reads RssAnon and VmHWM of that process from /proc
every few milliseconds. Mapped files are no anonymous memory. Prints both peaks and how many bytes each further pair
costs; exit status 1 above 12, or if a training fails.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from data_prep.manifest import write_manifest
from data_prep.pipeline import prepare
from nmt.config import Config, parse_config
from nmt.corpus import read_manifest
from nmt.tokenizer import END_ID

LIMIT = 12.0  # bytes
LONGEST = 16  # tokens
CHUNK = 1_000_000  # pairs
SECONDS_BETWEEN_LOOKS = 0.005
ROOT = Path(__file__).resolve().parents[1]
SETTINGS: dict[str, Any] = {
    "corpus": {"synthetic": {"train": 500, "validation": 20, "test": 20}},
    "subword": {"model": "char", "vocabulary_size": 1_000, "minimum_coverage": 0.5},
    "model": {"embedding_size": 16, "encoder_layers": 1, "encoder_units": 16, "decoder_layers": 1, "decoder_units": 16},
}


def main() -> int:
    """Trains on both corpora and compares."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--folder", type=Path, required=True, help="where the corpora and runs are made")
    parser.add_argument("--pairs", type=int, nargs=2, default=(1_000_000, 20_000_000), metavar=("FEW", "MANY"))
    parser.add_argument("--minutes", type=float, default=0.5, help="of each training (default: 0.5)")
    arguments = parser.parse_args()

    few, many = arguments.pairs
    small, large = (measure(arguments.folder / f"{pairs}-pairs", pairs, arguments.minutes) for pairs in (few, many))
    bytes_a_pair = (large - small) / (many - few)
    print(f"{bytes_a_pair:.1f} bytes of anonymous memory a pair (limit {LIMIT:.0f})")
    return int(bytes_a_pair > LIMIT)


def measure(folder: Path, pairs: int, minutes: float) -> int:
    """Peak of the anonymous memory of a training on so many pairs, in bytes."""
    values = {"name": "memory", **SETTINGS, "training": {"minutes": minutes}}
    folder.mkdir(parents=True)
    try:
        (folder / "config.yaml").write_text(json.dumps(values), encoding="utf-8")
        write_corpus(parse_config(values), folder / "prepared" / "memory", pairs)
        anonymous, resident, steps = watch(folder)
    finally:
        shutil.rmtree(folder)
    print(f"{pairs:,} pairs, {steps:,} steps: RssAnon {anonymous / 2**20:,.0f} MiB, VmHWM {resident / 2**20:,.0f} MiB")
    return anonymous


def write_corpus(config: Config, folder: Path, pairs: int) -> None:
    """A small prepared corpus whose training part is replaced by random token ids."""
    prepare(config, folder, report=lambda line: None)
    manifest = read_manifest(folder)
    sides = {
        side: random_lists(folder / side, pairs, pieces, seed)
        for seed, (side, pieces) in enumerate(manifest["vocabulary"].items())
    }
    batch = pa.record_batch(sides)
    with pa.ipc.new_file(folder / "train.arrow", batch.schema) as writer:
        writer.write_batch(batch)
    for path in (*folder.glob("*.values"), *folder.glob("*.offsets")):
        path.unlink()
    kept = ("inputs", "stages", "vocabulary", "coverage", "parts", "mixture")
    write_manifest(folder, config, {key: manifest[key] for key in kept})


def random_lists(path: Path, pairs: int, pieces: int, seed: int) -> pa.Array:
    """Lists of 1 to `LONGEST` random token ids, written to files chunk by chunk and mapped back."""
    generator = np.random.default_rng(seed)
    offsets = np.memmap(path.with_suffix(".offsets"), np.int32, "w+", shape=(pairs + 1,))
    tokens = 0
    with path.with_suffix(".values").open("wb") as file:
        for start in range(0, pairs, CHUNK):
            ends = tokens + np.cumsum(generator.integers(1, LONGEST + 1, min(CHUNK, pairs - start)))
            offsets[start + 1 : start + 1 + len(ends)] = ends
            file.write(generator.integers(END_ID + 1, pieces, int(ends[-1]) - tokens, dtype=np.int32).tobytes())
            tokens = int(ends[-1])
    values = np.memmap(path.with_suffix(".values"), np.int32, "r")
    numbers = pa.Array.from_buffers(pa.int32(), tokens, [None, pa.py_buffer(values)])
    return pa.Array.from_buffers(pa.list_(pa.int32()), pairs, [None, pa.py_buffer(offsets)], children=[numbers])


def watch(folder: Path) -> tuple[int, int, int]:
    """Trains in a new process; returns the peaks of its anonymous and resident memory, and the steps that it took."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "nmt", "train", "config.yaml"]
    anonymous = resident = 0
    log = folder / "training.log"
    with (
        log.open("wb") as file,
        subprocess.Popen(command, cwd=folder, env=environment, stdout=file, stderr=subprocess.STDOUT) as process,
    ):
        while process.poll() is None:
            status = memory_status(process.pid)
            anonymous = max(anonymous, status.get("RssAnon", 0))
            resident = max(resident, status.get("VmHWM", 0))
            time.sleep(SECONDS_BETWEEN_LOOKS)
    if process.returncode:
        raise SystemExit(f"{log.read_text(encoding='utf-8')}nmt train ended with status {process.returncode}")
    lines = (folder / "runs" / "memory" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return anonymous, resident, max(json.loads(line)["step"] for line in lines)


def memory_status(process: int) -> dict[str, int]:
    """The sizes in /proc/PID/status, in bytes; nothing once the process has ended."""
    try:
        text = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        return {}
    return {name: int(size) * 1024 for name, size in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}


if __name__ == "__main__":
    sys.exit(main())
