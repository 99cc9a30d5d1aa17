"""One training at a time in a run folder.

The kernel holds the lock and frees it when its process dies, however it dies: a file that a kill left behind stops
nobody. Knows nothing of what a run folder holds.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nmt.errors import TrainingError

LOCK_FILE = "training.lock"
NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}  # some network file systems


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other trainings out of a folder, which is made if it is missing.

    Where the file system knows no locks, the training goes on without one.

    Raises:
        TrainingError: another process trains there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK_FILE
    descriptor = _acquire(path)
    try:
        with suppress(OSError):  # the number only serves the message: on a full disk the lock holds without it
            os.truncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        if _is_at(descriptor, path):
            path.unlink()  # while the lock is held: nobody else has it by now
        os.close(descriptor)


def _acquire(path: Path) -> int:
    """An open descriptor that holds the lock on the file that is at `path` now."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(descriptor, path)
            if _is_at(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the holder before removed the file between our opening and locking it


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        number = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        raise TrainingError(
            f"{path.parent}: {f'process {number}' if number else 'another process'} trains here at this moment; wait "
            f"for it, stop it, or choose another name"
        ) from None
    except OSError as error:
        if error.errno not in NO_LOCKS_HERE:
            raise


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one at `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
