"""Keras' import without what Keras imports besides, where it is installed, and `nmt` has no use for.

Keras accepts pandas' tables as data, draws galleries of pictures by matplotlib, reads pictures by PIL and keeps weights
in HDF5 by h5py. All of them, with the pyarrow that pandas imports, are 100 MB of memory and most of a second of each
start. Only a program may decide this, so the command line does, not the library.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

UNUSED = "pandas", "matplotlib", "h5py", "PIL"


@contextmanager
def without_unused_imports() -> Iterator[None]:
    """Around an import that shall find those packages missing; one that is imported already stays."""
    hidden = [name for name in UNUSED if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: the import system's word for missing
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
