"""glibc's allocator, told to keep one pool of memory for all threads.

By default each thread gets a pool of its own, up to eight a core, and what one of them frees the others cannot have. A
training needed 200 of 1,850 MB for that. Only a program may decide this, so the command line does, not the library.
"""

from __future__ import annotations

import ctypes
import os

M_ARENA_MAX = -8  # malloc.h; mallopt(3)


def share_one_arena() -> None:
    """Does nothing where the environment sets the number, or where the C library is another one."""
    if "MALLOC_ARENA_MAX" in os.environ or "glibc.malloc.arena_max" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
