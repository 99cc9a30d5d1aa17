"""How many pools of memory four threads have, as glibc counts them."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys, threading
from nmt.cli.allocator import share_one_arena

if sys.argv[1] == "shared":
    share_one_arena()
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
together = threading.Barrier(4)

def allocate():
    together.wait()
    library.malloc(10_000)
    together.wait()

threads = [threading.Thread(target=allocate) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
library.malloc_stats()
"""


def arenas(mode: str, **environment: str) -> int:
    """As `malloc_stats` prints them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", PROGRAM, mode]
    done = subprocess.run(command, env=kept | environment, capture_output=True, text=True, check=True)
    return sum(line.startswith("Arena ") for line in done.stderr.splitlines())


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="another C library than glibc")
def test_threads_share_one_arena_unless_the_environment_says_otherwise() -> None:
    assert arenas("alone") > 1
    assert arenas("shared") == 1
    assert arenas("shared", MALLOC_ARENA_MAX="3") == 3
    assert arenas("shared", GLIBC_TUNABLES="glibc.malloc.arena_max=3") == 3
