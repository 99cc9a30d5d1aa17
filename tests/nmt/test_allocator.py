"""What memory does in a program that told it: TensorFlow's pool; glibc's, of four threads, and its pages."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest

from nmt import allocator
from nmt.allocator import POOL, POOL_LIMIT, start_tuned, tuned

START = """
import ctypes, os, sys, threading
from nmt.allocator import start_tuned

print("started with", sys.argv[1:], flush=True)
start_tuned()
print("left", os.environ.get("GLIBC_TUNABLES"), flush=True)
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
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_", "TF_CPU_"))}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(
        command, env=kept | environment, capture_output=True, text=True, check=True, input="line\n", timeout=60
    )


def arenas(**environment: str) -> int:
    """As `malloc_stats` prints them."""
    return sum(line.startswith("Arena ") for line in run(START + THREADS, **environment).stderr.splitlines())


@glibc
def test_threads_share_one_arena_unless_the_environment_says_otherwise() -> None:
    assert arenas() == 1
    assert arenas(MALLOC_ARENA_MAX="3") == 3
    assert arenas(GLIBC_TUNABLES="glibc.malloc.arena_max=3") == 3


def gives_pages_to_who_asks() -> bool:
    version = os.confstr("CS_GNU_LIBC_VERSION") or "glibc 0"
    newer = tuple(map(int, version.split()[1].split("."))) >= (2, 35)
    return newer and PAGES.exists() and "[madvise]" in PAGES.read_text()


@glibc
def test_memory_comes_in_large_pages_unless_the_environment_says_otherwise() -> None:
    if not gives_pages_to_who_asks():
        pytest.skip("this glibc cannot ask for large pages, or this kernel gives them to nobody or everybody")
    assert run(START + LARGE).stdout.split()[-1] == "huge"
    assert run(START + LARGE, GLIBC_TUNABLES="glibc.malloc.hugetlb=0").stdout.split()[-1] == "small"


@glibc
@pytest.mark.parametrize("before", [None, "glibc.malloc.check=0"])
def test_a_program_starts_again_once_with_its_arguments_and_leaves_the_environment_as_it_was(
    before: str | None,
) -> None:
    given = {"GLIBC_TUNABLES": before} if before else {}
    lines = ["started with ['a b', '--c']", "started with ['a b', '--c']", f"left {before}"]
    assert run(START, "a b", "--c", **given).stdout.splitlines() == lines


@glibc
def test_a_program_that_was_told_everything_does_not_start_again() -> None:
    told = "glibc.malloc.arena_max=2:glibc.malloc.hugetlb=0"
    assert run(START, "a", GLIBC_TUNABLES=told).stdout.splitlines() == ["started with ['a']", f"left {told}"]


@glibc
def test_a_program_starts_again_once_even_where_the_variable_is_lost(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os\nos.environ.pop('GLIBC_TUNABLES', None)\n")
    path = os.pathsep.join([str(tmp_path), str(Path(allocator.__file__).parents[1])])
    assert run(START, PYTHONPATH=path).stdout.splitlines() == ["started with []"] * 2 + ["left None"]


@glibc
def test_a_program_with_threads_goes_on() -> None:
    thread = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    assert run(thread + START).stdout.splitlines() == ["started with []", "left None"]


@glibc
def test_the_input_is_still_there() -> None:
    assert run(START + "print(sys.stdin.read())").stdout.split()[-1] == "line"


TENSOR = """
from nmt.allocator import start_tuned
start_tuned()
import tensorflow as tf

try:
    tf.zeros((4_000_000, 1_000_000))
except tf.errors.ResourceExhaustedError as error:
    print(error)
"""


@pytest.mark.slow
def test_tensors_come_from_a_pool_unless_the_environment_says_otherwise() -> None:
    pooled, plain = run(TENSOR).stdout, run(TENSOR, TF_CPU_ALLOCATOR_USE_BFC="false").stdout
    assert "OOM when allocating" in pooled and "by allocator bfc_cpu" in pooled
    assert "OOM when allocating" in plain and "bfc_cpu" not in plain


@pytest.mark.parametrize(
    ("pages", "given", "expected"),
    [
        (2**20, {}, {POOL: "true", POOL_LIMIT: "4096"}),
        (2**20, {POOL: "false", POOL_LIMIT: "7"}, {POOL: "false", POOL_LIMIT: "7"}),
        (-1, {}, {}),
        (None, {}, {}),
    ],
)
def test_the_pool_is_as_large_as_the_machine(
    pages: int | None, given: dict[str, str], expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def sysconf(name: str) -> int:
        if pages is None:
            raise ValueError("unrecognized configuration name")
        return pages if name == "SC_PHYS_PAGES" else 4096

    monkeypatch.setattr(os, "sysconf", sysconf)
    monkeypatch.setattr(os, "environ", dict(given))
    allocator._give_tensors_a_pool()
    assert os.environ == expected


def test_the_command_line_starts_again_before_it_imports_anything() -> None:
    script = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["scripts"]["nmt"]
    module, _, function = script.partition(":")
    seen = "import sys, nmt.allocator\nnmt.allocator.start_tuned = lambda: sys.exit(str('nmt.cli' in sys.modules))\n"
    command = [sys.executable, "-c", f"{seen}from {module} import {function}\n{function}()"]
    assert subprocess.run(command, capture_output=True, text=True).stderr.strip() == "False"


@pytest.mark.parametrize("why", ["another C library", "no name", "no interpreter", "it fails"])
def test_a_program_that_cannot_start_again_goes_on(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def execve(*arguments: object) -> None:
        calls.append(arguments)
        raise OSError("no such program")

    def confstr(name: str) -> str | None:
        if why == "no name":
            raise ValueError("unrecognized configuration name")
        return None if why == "another C library" else "glibc 2.36"

    monkeypatch.setattr(allocator, "_give_tensors_a_pool", lambda: None)
    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.setattr(os, "confstr", confstr)
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    if why == "no interpreter":
        monkeypatch.setattr(sys, "executable", "")
    start_tuned()
    assert len(calls) == (why == "it fails") and "GLIBC_TUNABLES" not in os.environ


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
