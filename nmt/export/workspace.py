"""The folder that an export is written into before it appears: beside the versions, under a name that servers ignore.

The kernel holds a lock on the folder and frees it when the export's process dies, however it dies. The next export
removes what is there without a lock, whatever container wrote it. Between machines that holds if the file system shares
its locks; where a mount keeps them local, let one machine export into a folder at a time.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nmt.files import flush

NAME = re.compile(r"\.tmp-\d+-[0-9a-f]{8}")


@contextmanager
def workspace(target: Path) -> Iterator[Path]:
    """A new folder in `target`, which is made if it is missing; removed at the end, unless it was published."""
    target.mkdir(parents=True, exist_ok=True)
    sweep(target)
    folder, descriptor = _new_folder(target)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def publish(folder: Path, target: Path) -> Path:
    """Renames the finished folder to the next free version number."""
    while True:
        version = target / str(_next_version(target))
        try:
            folder.rename(version)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # another export was first
                raise
        else:
            flush(target)
            return version


def sweep(target: Path) -> None:
    """Removes what killed exports left; nothing where the file system knows no locks."""
    for path in target.iterdir():
        if not NAME.fullmatch(path.name):
            continue
        with suppress(OSError):  # an export that lives holds the lock
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(descriptor)


def _new_folder(target: Path) -> tuple[Path, int]:
    """An empty folder, and an open descriptor that holds the lock on it."""
    while True:
        folder = target / f".tmp-{_next_version(target)}-{secrets.token_hex(4)}"
        folder.mkdir()
        with suppress(FileNotFoundError):  # another export swept it away between its making and its locking
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            with suppress(OSError):  # a file system without locks has no sweeps either
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if folder.exists():
                return folder, descriptor
            os.close(descriptor)


def _next_version(target: Path) -> int:
    """One more than any name that is a number, a file's too."""
    names = (path.name for path in target.iterdir())
    return max((int(name) for name in names if name.isascii() and name.isdecimal()), default=0) + 1
