"""What the figures were measured on: a description of the machine, and its matrix rate.

    python machine.py [SIZE]

prints the rate of SIZE x SIZE products as a line of JSON: floating-point operations a second, by precision, on the
device that Keras' backend takes.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SIZE = 2_048
PRODUCTS = 4  # one after the other, so that what starts and ends them hardly counts
TRIALS = 5
FLAGS = "amx_bf16", "avx512_bf16", "avx512f", "avx2"  # what decides on the speed of a product
PRECISIONS = "float32", "bfloat16"


def description() -> dict[str, Any]:
    """Processor, cores, memory, and the graphics processor where there is one."""
    processor = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*:\s*(.+)", processor)
    flags = set(processor.partition("flags")[2].partition("\n")[0].split())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": model[1] if model else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "flags": [flag for flag in FLAGS if flag in flags],
        "memory": memory,
        "graphics": _graphics(),
        "system": platform.platform(),
    }


def _graphics() -> str | None:
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or None


def matrix_rate(precision: str, size: int = SIZE) -> float:
    """Floating-point operations a second of products of square matrices: the median of some trials."""
    import keras
    import numpy as np

    values = np.random.default_rng(1).standard_normal((size, size)) / size**0.5  # products keep their size
    matrix = keras.ops.cast(keras.ops.convert_to_tensor(values.astype(np.float32)), precision)

    def seconds() -> float:
        product = matrix
        started = time.perf_counter()
        for _ in range(PRODUCTS):
            product = keras.ops.matmul(product, matrix)
        float(keras.ops.cast(product[0, 0], "float32"))  # waits for the device
        return time.perf_counter() - started

    seconds()
    return PRODUCTS * 2 * size**3 / statistics.median(seconds() for _ in range(TRIALS))


if __name__ == "__main__":
    chosen = int(sys.argv[1]) if len(sys.argv) > 1 else SIZE
    print("\n" + json.dumps({precision: matrix_rate(precision, chosen) for precision in PRECISIONS}))
