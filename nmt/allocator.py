"""Memory, told what suits a program of large matrices, before anything is imported.

TensorFlow's tensors come from a pool that keeps what a step has freed for the next one (its `BFCAllocator`, as on a
graphics processor). Where TensorFlow computes by oneDNN, by default only those of 256 KB and more do, and a recurrent
step makes many that are smaller: by glibc's allocator they took longer, and left more holes between what stays
(docs/speed.md). The pool may grow as large as the machine's memory, as that of the large ones by default; that of all
would end at 64 GB.

For the rest there is glibc's allocator, which asks once, when a program starts, what it shall do:

One pool of memory for all threads: by default each thread gets one of its own, up to eight a core, and what one of them
frees the others cannot have. A training needed 200 of 1,850 MB for that.

Large pages, from glibc 2.35 on: Linux hands memory out in pages of 4 KB, of which a processor has the addresses of some
2,000 at hand, 8 MB. One step of a decoder reads more weights than that. In pages of 2 MB they are found at once
(docs/speed.md has the figures). Where the kernel gives them to nobody, or to everybody, nothing changes.

Only a program may decide this, so `nmt` does, not the library. It is no part of `nmt.cli`, because importing that takes
longer than starting again.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress

POOL, POOL_LIMIT = "TF_CPU_ALLOCATOR_USE_BFC", "TF_CPU_BFC_MEM_LIMIT_IN_MB"
VARIABLE = "GLIBC_TUNABLES"
TUNABLES = {"glibc.malloc.arena_max": "1", "glibc.malloc.hugetlb": "1"}
STARTED = "nmt-started"  # python -X nmt-started=...: what the variable was before


def start_tuned() -> None:
    """Replaces this process by the same program with the same arguments, whose allocator is told; once.

    To be called first of all by a program. Whoever starts it can tell the allocator otherwise by `GLIBC_TUNABLES`; what
    the program starts itself finds the variable as it was. Does nothing where the C library is another one, or where
    threads run that would end. TensorFlow's pool needs no new process; its variables stay, so children have it, too.
    """
    _give_tensors_a_pool()
    if STARTED in sys._xoptions:
        _restore(str(sys._xoptions[STARTED]))
        return
    environment = tuned(os.environ)
    if environment == os.environ or not _has_glibc() or not sys.executable or threading.active_count() > 1:
        return
    before = os.environ.get(VARIABLE, "")
    with suppress(OSError):
        os.execve(sys.executable, [sys.executable, "-X", f"{STARTED}={before}", *sys.orig_argv[1:]], environment)


def tuned(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment, in which the allocator is told all of `TUNABLES` that the given one says nothing of."""
    given = environment.get(VARIABLE, "")
    said = {setting.partition("=")[0] for setting in given.split(":")}
    if "MALLOC_ARENA_MAX" in environment:
        said.add("glibc.malloc.arena_max")
    settings = [given] if given else []
    settings += [f"{name}={value}" for name, value in TUNABLES.items() if name not in said]
    return dict(environment) | ({VARIABLE: ":".join(settings)} if settings else {})


def _give_tensors_a_pool() -> None:
    try:
        pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return
    if pages > 0 and page > 0:
        os.environ.setdefault(POOL, "true")
        os.environ.setdefault(POOL_LIMIT, str(pages * page >> 20))


def _restore(before: str) -> None:
    if before:
        os.environ[VARIABLE] = before
    else:
        os.environ.pop(VARIABLE, None)


def _has_glibc() -> bool:
    try:
        return bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except (AttributeError, ValueError, OSError):
        return False
