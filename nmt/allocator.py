"""glibc's allocator, told what suits a program of large matrices. It asks once, when a program starts.

One pool of memory for all threads: by default each thread gets one of its own, up to eight a core, and what one of them
frees the others cannot have. A training needed 200 of 1,850 MB for that.

Large pages: Linux hands memory out in pages of 4 KB, of which a processor has the addresses of some 2,000 at hand, 8
MB. One step of a decoder reads more weights than that. In pages of 2 MB they are found at once (docs/speed.md has the
figures). Where the kernel gives none, nothing changes.

Only a program may decide this, so `nmt` does, not the library.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress

TUNABLES = {"glibc.malloc.arena_max": "1", "glibc.malloc.hugetlb": "1"}


def start_tuned() -> None:
    """Starts this program again from its beginning, with the same arguments, unless its allocator is told already.

    To be called first of all. Does nothing where the C library is another one, or where threads run that would end.
    """
    environment = tuned(os.environ)
    if environment == os.environ or not _has_glibc() or not sys.executable or threading.active_count() > 1:
        return
    with suppress(OSError):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def tuned(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment that tells the allocator what it does not say by itself."""
    given = environment.get("GLIBC_TUNABLES", "")
    told = {setting.partition("=")[0] for setting in given.split(":")}
    if "MALLOC_ARENA_MAX" in environment:
        told.add("glibc.malloc.arena_max")
    settings = [given] if given else []
    settings += [f"{name}={value}" for name, value in TUNABLES.items() if name not in told]
    return dict(environment) | ({"GLIBC_TUNABLES": ":".join(settings)} if settings else {})


def _has_glibc() -> bool:
    try:
        return bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except (AttributeError, ValueError, OSError):
        return False
