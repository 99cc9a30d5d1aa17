"""What glibc does in a program that started itself again: pools of memory of four threads, and pages."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nmt.allocator import tuned

START = """
import ctypes, os, sys, threading
from nmt.allocator import start_tuned

print("started with", sys.argv[1:], flush=True)
start_tuned()
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
"""
THREADS = """
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
LARGE = """
place = library.malloc(64_000_000)
for line in open("/proc/self/smaps"):
    first, _, _ = line.partition(" ")
    if "-" in first:
        start, end = (int(number, 16) for number in first.split("-"))
        here = start <= place < end
    if first == "VmFlags:" and here:
        print("huge" if "hg" in line.split() else "small")
"""
PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
glibc = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="another C library than glibc")


def run(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, env=kept | environment, capture_output=True, text=True, check=True)


def arenas(**environment: str) -> int:
    """As `malloc_stats` prints them."""
    return sum(line.startswith("Arena ") for line in run(START + THREADS, **environment).stderr.splitlines())


@glibc
def test_threads_share_one_arena_unless_the_environment_says_otherwise() -> None:
    assert arenas() == 1
    assert arenas(MALLOC_ARENA_MAX="3") == 3
    assert arenas(GLIBC_TUNABLES="glibc.malloc.arena_max=3") == 3


@glibc
@pytest.mark.skipif(not PAGES.exists() or "[madvise]" not in PAGES.read_text(), reason="the kernel asks nobody")
def test_memory_comes_in_large_pages_unless_the_environment_says_otherwise() -> None:
    assert run(START + LARGE).stdout.split()[-1] == "huge"
    assert run(START + LARGE, GLIBC_TUNABLES="glibc.malloc.hugetlb=0").stdout.split()[-1] == "small"


@glibc
def test_a_program_starts_again_once_with_its_arguments() -> None:
    assert run(START, "a b", "--c").stdout.splitlines() == ["started with ['a b', '--c']"] * 2
    told = ":".join(
        f"{name}={value}" for name, value in {"glibc.malloc.arena_max": 2, "glibc.malloc.hugetlb": 0}.items()
    )
    assert run(START, "a", GLIBC_TUNABLES=told).stdout.splitlines() == ["started with ['a']"]


@glibc
def test_a_program_with_threads_goes_on() -> None:
    thread = "import threading\nthreading.Thread(target=threading.Event().wait, args=(1,)).start()\n"
    assert run(thread + START).stdout.splitlines() == ["started with []"]


@glibc
def test_the_command_line_starts_again_before_it_does_anything() -> None:
    program = "import nmt.cli, os\nnmt.cli.main = lambda: print(os.environ['GLIBC_TUNABLES'])\n"
    done = run(program + "from nmt.__main__ import main\nmain()")
    assert done.stdout.split() == ["glibc.malloc.arena_max=1:glibc.malloc.hugetlb=1"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "glibc.malloc.arena_max=1:glibc.malloc.hugetlb=1"),
        (
            {"GLIBC_TUNABLES": "glibc.malloc.check=1"},
            "glibc.malloc.check=1:glibc.malloc.arena_max=1:glibc.malloc.hugetlb=1",
        ),
        ({"GLIBC_TUNABLES": "glibc.malloc.hugetlb=2"}, "glibc.malloc.hugetlb=2:glibc.malloc.arena_max=1"),
        ({"MALLOC_ARENA_MAX": "4"}, "glibc.malloc.hugetlb=1"),
    ],
)
def test_what_the_environment_says_stays(given: dict[str, str], expected: str) -> None:
    found = tuned({"HOME": "/", **given})
    assert found == {"HOME": "/", **given, "GLIBC_TUNABLES": expected}
    assert tuned(found) == found
